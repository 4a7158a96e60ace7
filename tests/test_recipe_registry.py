"""Finding recipes: the user's folders first, broken neighbours tolerated, nothing read outside a registry."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datafetch.errors import RecipeError, UnknownName, UsageError
from datafetch.recipe import registry
from datafetch.recipe.files import MAX_FILES, builtin, read_beside, recipe_files
from datafetch.recipe.issues import Bad

TINY = "name: {name}\ntitle: {title}\nartifacts: [{{name: all, url: 'https://h/x.zip'}}]\n"


def put(folder: Path, file: str, name: str, title: str = "mine") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / file
    path.write_text(TINY.format(name=name, title=title))
    return path


def test_the_built_in_registry_is_found_in_a_checkout() -> None:
    assert builtin().is_dir()
    assert {"pods", "dogs", "df2"} <= set(registry.names())


def test_folders_come_in_the_order_given_and_before_the_built_in_one(tmp_path: Path) -> None:
    put(tmp_path / "a", "x.yaml", "pods", "first")
    put(tmp_path / "b", "x.yaml", "pods", "second")
    dirs = (tmp_path / "a", tmp_path / "b")
    assert registry.load("pods", dirs).title == "first"
    assert [recipe.title for recipe in registry.shelf(dirs).recipes if recipe.name == "pods"] == ["first"]
    assert registry.load("dogs", dirs).name == "dogs"


def test_names_are_sorted_and_each_once(tmp_path: Path) -> None:
    put(tmp_path, "z.yaml", "aaa")
    put(tmp_path, "a.yml", "zzz")
    put(tmp_path, ".hidden.yaml", "hidden")
    put(tmp_path, "notes.txt", "notes")
    names = registry.names((tmp_path,))
    assert list(names) == sorted(set(names))
    assert {"aaa", "zzz"} <= set(names)
    assert not {"hidden", "notes"} & set(names)


def test_an_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(UnknownName) as caught:
        registry.load("pod")
    assert str(caught.value) == f'no dataset "pod"; there are {", ".join(registry.names())}'
    assert (caught.value.hint, caught.value.exit_code) == ("did you mean pods?", 3)


def test_a_name_like_nothing_else_hints_at_list() -> None:
    with pytest.raises(UnknownName) as caught:
        registry.load("qqqqqq\x1b[2J")
    assert str(caught.value).startswith('no dataset "qqqqqq\\x1b[2J"; there are ')
    assert caught.value.hint == "datafetch list shows every dataset"


def test_a_broken_neighbour_does_not_stop_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "name: other\nartifacts: 5\n# pods is elsewhere, see https://h/pods.zip\n"
    )
    put(tmp_path, "b.yaml", "mine")
    assert registry.load("mine", (tmp_path,)).name == "mine"
    assert registry.load("pods", (tmp_path,)).name == "pods"
    with pytest.raises(UnknownName):
        registry.load("nothing", (tmp_path,))


@pytest.mark.parametrize(
    "text",
    ["name: pods\nartifacts: 5\n", 'matrix: {d: [x, pods]}\nname: "{d}"\nartifacts: 5\n', "name: 'pods\n"],
)
def test_a_broken_recipe_of_this_name_is_never_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(RecipeError):
        registry.load("pods", (tmp_path,))


def test_a_broken_file_with_this_name_is_never_passed_over(tmp_path: Path) -> None:
    (tmp_path / "pods.yaml").write_bytes(b"\xff")
    with pytest.raises(RecipeError, match=r"pods\.yaml:1: expected UTF-8 text, found byte 0xff"):
        registry.load("pods", (tmp_path,))


def test_the_shelf_says_which_files_are_broken(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: other\n")
    shelf = registry.shelf((tmp_path,))
    assert [str(error) for error in shelf.broken] == [
        f"{tmp_path}/a.yaml:1: key artifacts: missing; a recipe needs it"
    ]
    assert "pods" in [recipe.name for recipe in shelf.recipes]


def test_a_layout_that_leaves_its_folder_is_refused_on_loading(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "name: evil\nartifacts: [{name: all, url: 'https://h/x.zip', unpack: true}]\n"
        "layout:\n  - {from: 'all/<file>', to: '../<file>'}\n"
    )
    with pytest.raises(RecipeError, match=r'a\.yaml:4: layout rule to "\.\./<file>": '):
        registry.load("evil", (tmp_path,))


def test_a_folder_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        registry.names((tmp_path / "none",))
    assert str(caught.value) == f"{tmp_path}/none: no registry folder: no such file or directory"


def test_a_file_is_no_registry_folder(tmp_path: Path) -> None:
    path = put(tmp_path, "a.yaml", "a")
    with pytest.raises(UsageError) as caught:
        registry.names((path,))
    assert str(caught.value) == f"{path}: expected a registry folder, found a file"


def test_nothing_outside_a_registry_is_read_through_a_link(tmp_path: Path) -> None:
    secret = put(tmp_path / "outside", "secret.yaml", "secret")
    inside = tmp_path / "inside"
    put(inside, "good.yaml", "good")
    (inside / "link.yaml").symlink_to(secret)
    (inside / "ok.yaml").symlink_to("good.yaml")
    shelf = registry.shelf((inside,))
    assert "good" in [recipe.name for recipe in shelf.recipes]
    assert [str(error) for error in shelf.broken] == [
        f"{inside}/link.yaml: link.yaml is a link that leaves the registry folder"
    ]


def test_a_checksum_file_is_not_read_through_a_link_or_beyond_its_size(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "sums.md5").write_text("a")
    (tmp_path / "r" / "x.md5").symlink_to(tmp_path / "sums.md5")
    (tmp_path / "r" / "big.md5").write_bytes(b"x" * 11)
    with pytest.raises(Bad, match=r"^x\.md5 is a link that leaves the registry folder$"):
        read_beside(tmp_path / "r", "x.md5")
    with pytest.raises(Bad, match=r"^big\.md5: expected at most 10 bytes, found more$"):
        read_beside(tmp_path / "r", "big.md5", 10)
    with pytest.raises(Bad, match=r"^none\.md5 cannot be read: no such file or directory$"):
        read_beside(tmp_path / "r", "none.md5")


def test_a_pipe_in_a_registry_cannot_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    assert [str(error) for error in registry.shelf((tmp_path,)).broken] == [
        f"{tmp_path}/folder.yaml: folder.yaml is not a regular file",
        f"{tmp_path}/pipe.yaml: pipe.yaml is not a regular file",
    ]


def test_a_folder_of_too_many_recipes_is_refused(tmp_path: Path) -> None:
    for number in range(MAX_FILES):
        (tmp_path / f"{number}.yaml").touch()
        (tmp_path / f"{number}.txt").touch()
    assert len(recipe_files(tmp_path)) == MAX_FILES
    (tmp_path / "one more.yml").touch()
    with pytest.raises(UsageError, match=r"at most 1,000 recipe files"):
        recipe_files(tmp_path)


def test_reading_the_registry_brings_no_network_no_loop_and_no_images() -> None:
    code = "import sys; from datafetch.recipe import registry; registry.shelf(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"asyncio", "httpx2", "PIL", "pycurl", "rich", "difflib"} & set(done.stdout.split())
