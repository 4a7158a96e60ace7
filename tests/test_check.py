"""`datafetch check`: what training code would trip over in a folder, kind by kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from test_own_build import mask, picture

from datafetch.loaders.check import check
from datafetch.loaders.found import Checked
from datafetch.loaders.rules import FOREIGN, TORCHVISION, Kind, is_read, why_not_read
from datafetch.model import Event

COLOURS = iter(range(10**9))


def ignore(_: Event) -> None:
    pass


def go_on() -> None:
    pass


def look(root: Path, *, decode: bool = True) -> Checked:
    return check(root, decode=decode, every=True, emit=ignore, go_on=go_on)


def told(checked: Checked) -> dict[str, list[str]]:
    """Kind -> paths, each with what is said of it."""
    return {
        kind.word: [f"{path}: {said}" if said else path for path, said in checked.found.examples[kind]]
        for kind in checked.found.kinds()
    }


def another(path: Path, size: tuple[int, int] = (8, 6)) -> None:
    """A picture that is like no other, as JPEG keeps colours only roughly: by its size."""
    number = next(COLOURS)
    picture(path.with_suffix(".png"), size, number % 256)
    os.rename(path.with_suffix(".png"), path)
    with path.open("ab") as file:
        file.write(str(number).encode())


def dataset(root: Path) -> Path:
    """Two splits of two classes, each picture with its mask: nothing is wrong with it."""
    for split in ("train", "test"):
        for label in ("cat", "dog"):
            for number in range(2):
                another(root / split / label / f"{number}.jpg")
                mask(root / f"{split}_masks" / label / f"{number}.jpg")
    return root


def write(path: Path, data: bytes = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def cut(path: Path) -> None:
    another(path, (200, 150))
    path.write_bytes(path.read_bytes()[:150])


def same(root: Path, first: str, second: str) -> None:
    write(root / second, (root / first).read_bytes())


def link(to: str, path: Path) -> None:
    os.symlink(to, path)


def test_nothing_is_wrong_with_a_dataset(tmp_path: Path) -> None:
    checked = look(dataset(tmp_path / "d"))
    assert (checked.shape, checked.satisfied, told(checked)) == ("splits", True, {})
    assert [(s.name, s.classes, s.pictures, s.masks) for s in checked.splits] == [
        ("train", 2, 4, 4),
        ("test", 2, 4, 4),
    ]


# What is done to a sound dataset -> everything that is then said of it.
Change = Callable[[Path], object]
CHANGES: dict[str, tuple[Change, dict[str, list[str]]]] = {
    "a stray file": (lambda d: write(d / "train/notes.txt"), {"stray-file": ["train/notes.txt"]}),
    "a hidden stray file": (lambda d: write(d / "test/.DS_Store"), {"stray-file": ["test/.DS_Store"]}),
    "a folder of a notebook": (
        lambda d: (d / "train/.ipynb_checkpoints").mkdir(),
        {"hidden-class": ["train/.ipynb_checkpoints/"]},
    ),
    "what macOS packs": (lambda d: (d / "test/__MACOSX").mkdir(), {"hidden-class": ["test/__MACOSX/"]}),
    "an empty class": (
        lambda d: ((d / "train/emu").mkdir(), (d / "test/emu").mkdir()),
        {"empty-class": ["train/emu/", "test/emu/"]},
    ),
    "a class of texts": (
        lambda d: (
            another(d / "train/emu/1.jpg"),
            mask(d / "train_masks/emu/1.jpg"),
            write(d / "test/emu/1.txt"),
        ),
        {"empty-class": ["test/emu/"], "ignored-file": ["test/emu/1.txt"]},
    ),
    "an extension nobody reads": (
        lambda d: (another(d / "train/cat/a.gif"), write(d / "train/cat/a.txt")),
        {"ignored-picture": ["train/cat/a.gif"], "ignored-file": ["train/cat/a.txt"]},
    ),
    "an extension some read": (
        lambda d: (another(d / "test/cat/a.PNG"), mask(d / "test_masks/cat/a.PNG")),
        {"ignored-by-some": ["test/cat/a.PNG: .PNG"]},
    ),
    "junk inside a class": (lambda d: write(d / "train/cat/.DS_Store"), {}),
    "a picture that is none": (
        lambda d: write(d / "test/dog/0.jpg", b"no picture"),
        {"does-not-decode": ["test/dog/0.jpg: not an image"]},
    ),
    "a picture that breaks off": (
        lambda d: cut(d / "test/dog/0.jpg"),
        {"does-not-decode": ["test/dog/0.jpg: breaks off"]},
    ),
    "a hidden twin of macOS": (
        lambda d: (write(d / "train/cat/._0.jpg", b"Mac OS X"), mask(d / "train_masks/cat/._0.jpg")),
        {"does-not-decode": ["train/cat/._0.jpg: not an image"], "hidden-picture": ["train/cat/._0.jpg"]},
    ),
    "an empty file": (lambda d: write(d / "test/dog/0.jpg", b""), {"empty-file": ["test/dog/0.jpg"]}),
    "a link to nothing": (
        lambda d: link("nowhere", d / "train/cat/9.jpg"),
        {"dangling-link": ["train/cat/9.jpg"]},
    ),
    "a link out of the folder": (
        lambda d: link("/etc/hostname", d / "train/cat/9.jpg"),
        {"link": ["train/cat/9.jpg"]},
    ),
    "a link to the folder above": (lambda d: link("..", d / "train/cat/up"), {"link": ["train/cat/up"]}),
    "a link in a circle": (lambda d: link("me.jpg", d / "train/cat/me.jpg"), {}),
    "a pipe": (lambda d: os.mkfifo(d / "train/cat/9.jpg"), {"no-file": ["train/cat/9.jpg"]}),
    "a class only in test": (
        lambda d: (another(d / "test/emu/1.jpg"), mask(d / "test_masks/emu/1.jpg")),
        {"unknown-class": ["test/emu/"]},
    ),
    "a class in another case": (
        lambda d: (
            os.rename(d / "test/cat", d / "test/Cat"),
            os.rename(d / "test_masks/cat", d / "test_masks/Cat"),
        ),
        {"unknown-class": ["test/Cat/: train/ spells it cat"], "missing-class": ["test/cat/"]},
    ),
    "two pictures of one stem": (
        lambda d: (another(d / "test/cat/0.png"), mask(d / "test_masks/cat/0.png")),
        {
            "same-stem": ["test/cat/0.png: and 0.jpg"],
            "picture-without-mask": ["test/cat/0.jpg", "test/cat/0.png"],
            "mask-twice": ["test_masks/cat/0.jpg", "test_masks/cat/0.png"],
        },
    ),
    "names that fold to one": (
        lambda d: (
            another(d / "test/cat/A.jpg"),
            another(d / "test/cat/a.jpg"),
            mask(d / "test_masks/cat/A.jpg"),
            mask(d / "test_masks/cat/a.jpg"),
        ),
        {"name-clash": ["test/cat/a.jpg: and A.jpg"]},
    ),
    "a deep folder": (
        lambda d: (another(d / "train/cat/a/b/1.jpg"), mask(d / "train_masks/cat/a/b/1.jpg")),
        {"deep": ["train/cat/a/b/1.jpg"]},
    ),
    "a folder below a class": (
        lambda d: (another(d / "train/cat/a/1.jpg"), mask(d / "train_masks/cat/a/1.jpg")),
        {},
    ),
    "a leak": (
        lambda d: same(d, "train/cat/0.jpg", "test/cat/0.jpg"),
        {"leak": ["test/cat/0.jpg: as train/cat/0.jpg"]},
    ),
    "one picture in two classes": (
        lambda d: same(d, "train/cat/0.jpg", "train/dog/0.jpg"),
        {"two-classes": ["train/dog/0.jpg: as train/cat/0.jpg"]},
    ),
    "a picture of test in test_dense": (
        lambda d: (
            same(d, "test/cat/0.jpg", "test_dense/cat/0.jpg"),
            same(d, "test/dog/0.jpg", "test_dense/dog/0.jpg"),
        ),
        {},
    ),
    "a mask without image": (
        lambda d: (
            mask(d / "train_masks/cat/9.jpg"),
            mask(d / "train_masks/emu/1.jpg"),
            mask(d / "test_masks/1.jpg"),
        ),
        {"mask-without-picture": ["train_masks/cat/9.jpg", "train_masks/emu/1.jpg", "test_masks/1.jpg"]},
    ),
    "an image without mask": (
        lambda d: os.remove(d / "test_masks/cat/1.jpg"),
        {"picture-without-mask": ["test/cat/1.jpg"]},
    ),
    "a mask of another size": (
        lambda d: mask(d / "train_masks/cat/1.jpg", (3, 3)),
        {"mask-size": ["train_masks/cat/1.jpg: 3 x 3 pixels for 8 x 6"]},
    ),
    "an empty mask": (
        lambda d: mask(d / "train_masks/cat/1.jpg", value=0),
        {"mask-empty": ["train_masks/cat/1.jpg"]},
    ),
    "a mask that is no image": (
        lambda d: write(d / "train_masks/cat/1.jpg"),
        {"mask-does-not-decode": ["train_masks/cat/1.jpg: not an image"]},
    ),
    "a mask of no bytes": (
        lambda d: write(d / "train_masks/cat/1.jpg", b""),
        {"mask-does-not-decode": ["train_masks/cat/1.jpg: an empty file"]},
    ),
    "a train mask of another extension": (
        lambda d: (os.remove(d / "train_masks/cat/1.jpg"), mask(d / "train_masks/cat/1.png")),
        {"mask-extensions": ["train_masks/: 3 .jpg, 1 .png"]},
    ),
    "a test mask of another extension": (
        lambda d: (os.remove(d / "test_masks/cat/1.jpg"), mask(d / "test_masks/cat/1.png")),
        {"mask-name": ["test_masks/cat/1.png: test_masks/cat/1.jpg is looked for"]},
    ),
    "masks without their split": (
        lambda d: mask(d / "val_masks/cat/1.jpg"),
        {"masks-alone": ["val_masks/: there is no val/"]},
    ),
    "a split in other words": (
        lambda d: os.rename(d / "test", d / "Testing"),
        {"split-name": ["Testing/: they look for test/"]},
    ),
    "a folder beside the splits": (lambda d: another(d / "new/1.jpg"), {"other-folder": ["new/"]}),
    "documents beside the splits": (lambda d: write(d / "README.md"), {}),
    "an info file": (
        lambda d: write(d / "d_info.json", b'{"classes": ["cat", "Dog", "emu"]}'),
        {
            "info": ["d_info.json: Dog, its folder is spelt dog", "d_info.json: emu"],
            "not-listed": ["dog: not in d_info.json"],
        },
    ),
    "an info file that breaks off": (
        lambda d: write(d / "d_info.json", b'{"classes": ["cat"'),
        {"info-broken": ["d_info.json: Input data was truncated"]},
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_wrong_is_said_and_nothing_else(name: str, tmp_path: Path) -> None:
    change, said = CHANGES[name]
    root = dataset(tmp_path / "d")
    change(root)
    checked = look(root)
    found = told(checked)
    if name == "a link in a circle":
        assert list(found) == ["unreadable"]
    else:
        assert found == said
    errors = {kind.word for kind in Kind if kind.severity == "error"}
    assert checked.satisfied is not bool(errors & set(found))


def test_only_reading_it_finds_what_bytes_say(tmp_path: Path) -> None:
    root = dataset(tmp_path / "d")
    write(root / "test/dog/0.jpg", b"no picture")
    write(root / "test/dog/1.jpg", b"")
    assert told(look(root, decode=False)) == {"empty-file": ["test/dog/1.jpg"]}


def test_a_picture_that_pillow_refuses_is_too_large(tmp_path: Path) -> None:
    from PIL import Image

    root = dataset(tmp_path / "d")
    Image.new("1", (20_000, 9_000)).save(root / "train/cat/1.png")
    os.rename(root / "train/cat/1.png", root / "train/cat/1.jpg")
    assert told(look(root)) == {"too-large": ["train/cat/1.jpg"]}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_a_finding(tmp_path: Path) -> None:
    root = dataset(tmp_path / "d")
    (root / "train/cat/0.jpg").chmod(0)
    (root / "train/dog").chmod(0)
    found = told(look(root))
    (root / "train/dog").chmod(0o755)
    assert found["unreadable"] == ["train/dog/: permission denied", "train/cat/0.jpg: permission denied"]


@pytest.mark.parametrize("ending", [".ppm", ".pgm", ".bmp", ".tiff", ".webp", ".JPEG"])
def test_every_format_that_imagefolder_reads_is_decoded(ending: str, tmp_path: Path) -> None:
    from PIL import Image

    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        mode = "L" if ending == ".pgm" else "RGB"
        Image.new(mode, (9, 7), 90 if label == "cat" else 10).save(tmp_path / label / f"1{ending}")
    assert look(tmp_path).satisfied


def test_extensions_as_the_loaders_have_them() -> None:
    assert all(is_read(f"1{ending.upper()}") for ending in TORCHVISION)
    assert not any(is_read(f"1{ending}") for ending in FOREIGN)
    found = {name: why_not_read(name) for name in ("a.jpg", "a.JPEG", "a.Jpg", "a.webp", "a.GIF", "jpg")}
    assert list(found.values()) == [
        *(None, None, Kind.IGNORED_BY_SOME, Kind.IGNORED_BY_SOME),
        *(Kind.IGNORED_PICTURE, Kind.IGNORED_FILE),
    ]
