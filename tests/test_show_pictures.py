"""What `datafetch show` tells of folders of pictures: classes, splits, masks and sizes, on a page and as a PNG."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from process import datafetch_
from test_show import Parsed, harmless
from upstream import Upstream

from datafetch.images.thumbnail import ABSENT, LAID, OTHER_SIZE, UNREADABLE, dimensions, masked
from datafetch.model import Recipe, Terms
from datafetch.show.canvas import HIGHEST, WIDTH
from datafetch.show.drawing import drawing
from datafetch.show.facts import Facts, gather
from datafetch.show.folders import OTHERS, Folders, mask_names, part_order, parts_of, placed, rank, spread
from datafetch.show.opened import CLASSES
from datafetch.show.page import page
from datafetch.show.sizes import SAMPLE, plot, profile
from datafetch.store.home import Home


def photo(size: tuple[int, int] = (60, 40), colour: tuple[int, int, int] = (20, 120, 60)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def mask(size: tuple[int, int] = (60, 40), value: int = 255) -> bytes:
    """Of an object in the left half."""
    out = io.BytesIO()
    image = Image.new("L", size)
    image.paste(value, (0, 0, size[0] // 2, size[1]))
    image.save(out, "PNG")
    return out.getvalue()


def dataset(root: Path, files: dict[str, bytes]) -> Home:
    """A dataset `x` as its state folder tells of it."""
    home = Home(root, "x")
    home.state.mkdir(parents=True)
    with home.manifest.open("w") as manifest:
        for at, (path, data) in enumerate(sorted(files.items())):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
            print(json.dumps({"path": path, "size": len(data), "sha256": f"{at:064x}"}), file=manifest)
    return home


# --- Where pictures belong -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "part", "name"),
    [
        ("pods/train/mugs_old", "pods/train", "mugs_old"),
        ("pods/test_dense_masks/mugs_old", "pods/test_dense_masks", "mugs_old"),
        ("pods/train/mugs/deeper", "pods/train", "mugs/deeper"),
        ("pods_dreambooth_cfg_5/mugs_old", "pods_dreambooth_cfg_5", "mugs_old"),
        ("dogs_negatives", "dogs_negatives", ""),
        ("p9d/train_images", "p9d", "train_images"),
        ("ser30k/processed_dataset/train", "ser30k/processed_dataset/train", ""),
        ("mine/fold3/cat", "mine/fold3", "cat"),  # a split of a person's own
        ("mscoco/val2014", "mscoco/val2014", ""),
        ("train", "train", ""),
    ],
)
def test_a_folder_says_part_and_class(folder: str, part: str, name: str) -> None:
    assert placed(folder, {"mine"}) == (part, name)


def test_parts_stand_in_the_order_in_which_they_are_used() -> None:
    parts = ["x_negatives", "x/test", "x/val2014", OTHERS, "x/fold", "x/train2014", "a"]
    told = ["a", "x/train2014", "x/val2014", "x/test", "x/fold", "x_negatives", OTHERS]
    assert sorted(parts, key=part_order) == told


def test_a_mask_is_looked_for_as_the_loaders_look() -> None:
    assert list(mask_names("pods/test_dense", "1.JPEG")) == ["1.JPEG"]  # by file name only
    train = list(mask_names("pods/train", "1.jpg"))
    assert train[0] == "1.jpg" and "1.png" in train and "1.JPEG" in train and len(train) == len(set(train))


SEGMENT = st.sampled_from(
    ["x", "train", "test", "train_masks", "test_masks", "a", "b", "a.jpg", "b.png", "c.json"]
)
PATH = st.lists(SEGMENT, min_size=1, max_size=5).map("/".join)


@given(st.lists(PATH, max_size=60))
@example(["x/train/a/a.jpg", "x/train_masks/b/a.jpg"])
def test_no_file_is_dropped_or_counted_twice(paths: list[str]) -> None:
    folders = Folders()
    for path in paths:
        folders.add(path, 1, rank(f"{len(path):064x}"))
    parts = parts_of(folders.strips())
    told = sum(part.files + part.masks for part in parts) + folders.other_files
    assert told == len(paths) == folders.bytes
    assert all(sum(part.counts) == part.files for part in parts)


@given(st.integers(0, 200), st.integers(1, 30))
def test_what_is_shown_of_many_is_spread_over_all(count: int, most: int) -> None:
    names = [f"{number:03}" for number in range(count)]
    shown = spread(names, most)
    assert len(shown) == min(count, most) and shown == sorted(set(shown)) and shown[:1] == names[:1]


# --- Masks ---------------------------------------------------------------------------------------------------


def test_a_picture_is_tinted_where_its_mask_is_set_and_nowhere_else() -> None:
    jpeg, said = masked(photo(), mask(value=1))  # above 0 is the object, as training code reads it
    assert jpeg is not None and said == LAID
    with Image.open(io.BytesIO(jpeg)) as image:
        inside, outside = image.getpixel((10, 20)), image.getpixel((50, 20))
    assert isinstance(inside, tuple) and isinstance(outside, tuple)
    assert inside[0] > 100 and abs(outside[0] - 20) < 12 and abs(outside[1] - 120) < 12


@pytest.mark.parametrize(
    ("beside", "said"), [(None, ABSENT), (mask((3, 3)), OTHER_SIZE), (b"no picture", UNREADABLE)]
)
def test_a_mask_that_cannot_be_laid_over_is_said_and_the_picture_stays(
    beside: bytes | None, said: str
) -> None:
    jpeg, found = masked(photo(), beside)
    assert found == said and jpeg == masked(photo(), None)[0]


def test_the_page_tells_of_each_picture_what_became_of_its_mask(tmp_path: Path) -> None:
    files = {f"x/train/cat/{n}.jpg": photo() for n in range(4)} | {"x/test/cat/9.jpg": photo()}
    files |= {"x/train_masks/cat/0.png": mask(), "x/train_masks/cat/1.jpg": mask((3, 3))}
    files |= {"x/train_masks/cat/2.jpg": b"no picture", "x/x_info.json": b"{}"}
    facts = gather(Recipe("x", "x", ()), dataset(tmp_path, files), 0)
    assert [(part.name, part.files, part.masks) for part in facts.parts] == [
        ("x/train", 4, 3),
        ("x/test", 1, 0),
    ]
    parsed = harmless(page(facts))
    marks = {each["alt"]: each.get("class") for name, each in parsed.found if name == "img"}
    assert marks == {
        "0.jpg, from x/train/cat, with its mask": None,
        "1.jpg, from x/train/cat, with a mask of another size": "lacks",
        "2.jpg, from x/train/cat, with a mask that is no picture": "lacks",
        "3.jpg, from x/train/cat, with no mask": "lacks",
        "9.jpg, from x/test/cat": None,
    }
    assert "x/x_info.json" in parsed.said and "of all 5 pictures" in parsed.said


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    home = dataset(tmp_path / "out", {"x/a/1.png": photo(), "x/a/2.png": photo()})
    (tmp_path / "secret.png").write_bytes(photo((7, 7)))
    (tmp_path / "out/x/a/1.png").unlink()
    (tmp_path / "out/x/a/1.png").symlink_to(tmp_path / "secret.png")
    facts = gather(Recipe("x", "x", ()), home, 0)
    assert set(facts.sizes.counts) == {(60, 40)} and page(facts).count("<img") == 1


# --- Sizes ---------------------------------------------------------------------------------------------------

SIZES = st.dictionaries(
    st.tuples(st.integers(1, 40_000), st.integers(1, 40_000)), st.integers(1, 1000), min_size=1, max_size=40
)


@given(SIZES)
def test_a_drawing_of_sizes_stays_inside_its_frame(counts: dict[tuple[int, int], int]) -> None:
    drawn = plot(counts)
    assert all(0 <= x <= 1 and 0 <= y <= 1 and 0 < part <= 1 for x, y, part in drawn.spots)
    assert max(part for *_, part in drawn.spots) == 1 and len(drawn.spots) <= len(counts)
    places = [at for at, _ in drawn.ticks]
    assert places == sorted(places) and all(0 <= at <= 1 for at in places) and 1 <= len(places) <= 8


@given(st.lists(st.integers(0, 9999), min_size=1, max_size=500), st.integers(2, 120))
def test_a_profile_keeps_its_ends_and_its_order(counts: list[int], columns: int) -> None:
    counts = sorted(counts, reverse=True)
    heights = profile(counts, columns)
    assert len(heights) == min(len(counts), columns) and heights == sorted(heights, reverse=True)
    assert heights[-1] * (counts[0] or 1) == pytest.approx(counts[-1])


def test_the_size_is_read_from_the_header_alone(tmp_path: Path) -> None:
    whole = photo((800, 600))
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "none.png").write_bytes(b"<html>")
    assert dimensions(tmp_path / "half.png") == (800, 600)
    assert dimensions(tmp_path / "none.png") is None and dimensions(tmp_path / "absent.png") is None


def many(root: Path, folders: int, each: int, known: bool = True) -> Home:
    """A dataset of which only the manifest is here."""
    home = Home(root, "x")
    home.state.mkdir(parents=True)
    size = {"width": 320, "height": 200} if known else {}
    with home.manifest.open("w") as manifest:
        for folder in range(folders):
            for number in range(each):
                line = {"path": f"x/train/c{folder:04}/{number}.jpg", "size": 9, **size}
                print(json.dumps({**line, "sha256": f"{folder * each + number:064x}"}), file=manifest)
    return home


def test_sizes_of_many_pictures_are_sampled_and_the_page_says_so(tmp_path: Path) -> None:
    facts = gather(Recipe("x", "x", ()), many(tmp_path, 3, SAMPLE // 2), 0)
    assert facts.sizes.looked_at == SAMPLE and facts.sizes.counts == {(320, 200): SAMPLE}
    assert "of 4,000 of 6,000 pictures: a sample by digest" in Parsed(page(facts)).said


def test_when_time_is_up_pictures_stay_unopened_and_the_page_says_so(tmp_path: Path) -> None:
    home = dataset(tmp_path, {f"x/train/cat/{n}.png": photo() for n in range(3)})
    facts = gather(Recipe("x", "x", ()), home, 0, patience=0)
    assert (facts.unopened, facts.sizes.looked_at) == (3, 0)
    assert "3 pictures not opened, for want of time" in Parsed(page(facts)).said
    assert Image.open(io.BytesIO(drawing(facts))).width == WIDTH


# --- The whole, by the command line --------------------------------------------------------------------------


@dataclass(frozen=True)
class Made:
    parsed: Parsed
    png: Path


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    here = tmp_path_factory.mktemp("pods")
    with Upstream().serve() as server:
        env = {"DATAFETCH_MIRROR": server.url, "DATAFETCH_MIRROR_ONLY": "1"}
        wanted = ("--synthetic", "dreambooth_llm", "--cfg", "5", "--negatives")
        assert datafetch_("get", "pods", *wanted, "-q", cwd=here, env=env).code == 0
    for target in ("page.html", "page.png"):
        ended = datafetch_("show", "pods", "-o", target, cwd=here)
        assert (ended.code, ended.out, ended.err) == (0, "", f"{target} is written\n")
    yield Made(harmless((here / "page.html").read_text("utf-8")), here / "page.png")


def test_a_folder_dataset_is_shown_by_class_and_split_with_its_masks(pods: Made) -> None:
    heads = ("bottles_adobe", "pods/train", "pods/test", "pods/test_dense", "pods_dreambooth_llm_cfg_5")
    for words in (*heads, "pods_negatives", "3 pictures · 3 masks", "24 × 24", "100% square"):
        assert words in pods.parsed.said
    alts = [each["alt"] for name, each in pods.parsed.found if name == "img"]
    assert sum("pods/train/" in alt and alt.endswith("with its mask") for alt in alts) == 9
    assert sum("pods/test_dense/" in alt and alt.endswith("with its mask") for alt in alts) == 6
    assert not any("_masks/" in alt for alt in alts)


def test_the_page_tells_licence_terms_and_citation(pods: Made) -> None:
    for words in (
        "Licence and citation",
        "MIT, as the card of the dataset",
        "@article{sundaram2024personalized,",
    ):
        assert words in pods.parsed.said
    links = [each["href"] for name, each in pods.parsed.found if name == "a"]
    assert links == ["https://huggingface.co/datasets/chaenayo/PODS", "https://personalized-rep.github.io"]


def test_the_png_is_a_picture_of_the_page(pods: Made) -> None:
    with Image.open(pods.png) as image:
        image.load()
        assert (image.format, image.width) == ("PNG", WIDTH) and 1500 < image.height < HIGHEST
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 24) or ()}
    assert {(11, 143, 106), (53, 102, 184), (209, 129, 59)} <= colours  # ok, and the first two parts


def test_own_pictures_are_shown_as_any(tmp_path: Path) -> None:
    for split, name in (("fold1", "cat"), ("fold2", "dog")):
        place = tmp_path / "own" / split / name
        place.mkdir(parents=True)
        (place / "1.png").write_bytes(photo())
    (tmp_path / "labels.csv").write_text(
        "file,class,split\nfold1/cat/1.png,cat,fold1\nfold2/dog/1.png,dog,fold2\n"
    )
    built = datafetch_("build", "pets", "--from", "own", "--labels", "labels.csv", cwd=tmp_path)
    assert built.code == 0, built.err
    said = harmless(datafetch_("show", "pets", "-o", "-", cwd=tmp_path).out).said
    for words in ("pets/fold1", "pets/fold2", "cat", "dog", "60 × 40", "licence unknown"):
        assert words in said


# --- Hostile and huge ----------------------------------------------------------------------------------------

BAD = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u202e&\x07"


def hostile(root: Path) -> Facts:
    files = {f"x/train/{BAD.replace('/', '')}/{n}{BAD.replace('/', '')}.png": photo() for n in range(2)}
    recipe = Recipe(
        "x",
        BAD,
        (),
        licence=BAD,
        citation=f"{BAD}\n</pre>{BAD}",
        note=BAD,
        home=f"javascript:{BAD}",
        terms=Terms(BAD, f"data:{BAD}"),
    )
    return gather(recipe, dataset(root, files), 0)


def test_nothing_hostile_becomes_part_of_the_page_or_stops_the_png(tmp_path: Path) -> None:
    facts = hostile(tmp_path)
    parsed = harmless(page(facts))
    assert sum(name == "img" for name, _ in parsed.found) == 2
    assert not [each for name, each in parsed.found if name == "a"]
    assert "\u202e" not in page(facts) and "<script>alert(1)</script>" in parsed.said  # as words
    assert Image.open(io.BytesIO(drawing(facts))).width == WIDTH


def test_page_and_png_are_bounded_with_many_parts_and_classes(tmp_path: Path) -> None:
    files = {
        f"x_{part:02}/c{number:02}/1.png": photo((9, 9)) for part in range(20) for number in range(CLASSES)
    }
    facts = gather(Recipe("x", "x", ()), dataset(tmp_path, files), 0)
    assert len(page(facts)) < 1_500_000
    png = drawing(facts)
    with Image.open(io.BytesIO(png)) as image:
        assert image.height < HIGHEST
