"""The drawing in the README, enforced: which station may import which, and what start-up may import at all."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "datafetch"
WORDS = {
    "model",
    "errors",
    "foldnames",
    "identity",
    "schemes",
    "datafetch",
}  # "datafetch" itself holds the version
SHELL = {
    *("cli", "console", "run", "stops", "task", "obtain", "lists", "unpack", "assemble", "documents"),
    *("verify", "export", "report", "demo", "bundle"),
}

# station -> the stations it may import, besides itself and the words
ARROWS: dict[str, set[str]] = {
    "model": set(),
    "errors": {"model"},
    "foldnames": set(),
    "identity": set(),
    "schemes": set(),
    "extras": set(),
    "children": set(),
    "store": set(),
    "recipe": {"layout"},  # lint only
    "plan": set(),
    "layout": {"store"},
    "archive": {"layout", "store", "extras", "children"},
    "transfer": {"store"},
    "images": {"transfer", "store", "extras", "children"},
    "annotate": set(),
    "talk": {"images", "store"},
    "verify": {"layout", "images", "store", "children"},
    "export": {"layout", "store"},
    "report": {"store"},
    "stops": set(),
    "task": {"plan", "store"},
    "own": {"task", "archive", "images", "layout", "store"},
    "lock": {"images", "layout", "store", "transfer"},
    "loaders": {"own", "images", "children"},
    "lists": {"lock", "task", "images", "layout", "plan", "store"},
    "documents": {
        *("task", "lists", "annotate", "talk", "images", "layout", "plan", "store", "verify", "extras"),
    },
    "unpack": {"task", "lists", "archive", "images", "layout", "store"},
    "obtain": {
        *("task", "stops", "own", "lists", "documents", "unpack"),
        *("transfer", "images", "archive", "layout", "plan", "store"),
    },
    "assemble": {
        *(
            "lock",
            "task",
            "unpack",
            "documents",
            "lists",
            "own",
            "plan",
            "images",
            "layout",
            "store",
            "verify",
        ),
    },
    "run": {
        *("lock", "task", "stops", "obtain", "unpack", "assemble", "documents", "own"),
        *("recipe", "plan", "layout", "images", "store", "report", "extras"),
    },
    "bundle": {
        *("run", "lists", "images", "transfer", "recipe", "plan", "layout", "store", "report"),
    },
    "probe": {"task", "lists", "obtain", "stops", "images", "store", "transfer"},
    "unattended": {"report", "stops", "store", "transfer"},
    "console": {"plan", "report"},
    "show": {"console", "images", "store"},
    "demo": {"run", "recipe", "report", "console", "store"},
    "cli": {
        *("run", "lock", "recipe", "plan", "layout", "console", "report", "verify", "demo", "show", "own"),
        *("documents", "images", "store", "stops", "loaders", "export", "unattended", "probe", "bundle"),
    },
    "preference": set(),
    "__main__": {"cli"},
    "__init__": {"run", "recipe", "report", "cli"},
}

# library -> where it may be imported
LIBRARIES = {
    "typer": {"cli"},
    "rich": {"console"},
    "httpx2": {"transfer", "images"},
    "pycurl": {"transfer"},
    "botocore": {"transfer"},
    "yaml": {"recipe"},
    "PIL": {"images", "own", "show", "demo"},
    "h5py": {"talk"},
    "numpy": {"talk"},
    "pyarrow": {"archive", "images"},
    "isal": {"archive", "transfer"},
    "inflate64": {"archive"},
    "backports": {"archive"},
    "compression": {"archive"},
}


def station(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """(dotted name, line) of every import, also those inside functions; imports for types only are left out."""
    for node in _outside_type_checking(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "datafetch":
                yield from ((f"datafetch.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno


def _outside_type_checking(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and getattr(child.test, "id", "") == "TYPE_CHECKING":
            continue
        yield child
        yield from _outside_type_checking(child)


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_the_drawing_allows(path: Path) -> None:
    here = station(path)
    wrong = []
    for name, line in imported(path):
        top, _, rest = name.partition(".")
        if top == "datafetch":
            there = rest.partition(".")[0] or "datafetch"
            if there != here and there not in WORDS | ARROWS[here] and not there.startswith("__"):
                wrong.append(f"line {line}: {here} -> {there}")
        elif top in LIBRARIES and here not in LIBRARIES[top]:
            wrong.append(f"line {line}: {here} -> {top}")
    assert not wrong


def test_the_drawing_has_no_circle() -> None:
    left = dict(ARROWS)
    while free := [name for name, arrows in left.items() if not arrows & left.keys() - {name}]:
        for name in free:
            del left[name]
    assert not left


def _modules_after(*words: str) -> set[str]:
    code = (
        "import sys; from datafetch.cli import run; run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "words", [["--help"], ["list"], ["get", "--help"], ["get", "pods", "--help"], ["info", "pods"]]
)
def test_start_up_imports_no_network_no_loop_and_no_pictures(words: list[str]) -> None:
    loaded = _modules_after(*words)
    assert not loaded & {
        "httpx2",
        "httpx",
        "pycurl",
        "asyncio",
        "PIL",
        "rich",
        "aiofiles",
        "multiprocessing",
        "pyarrow",
        "h5py",
        "numpy",
    }


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_imports_no_network_no_loop_and_no_pictures(shell: str) -> None:
    code = (
        "import sys\n"
        "from datafetch.cli import run\n"
        "try: run([])\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    env = {
        "PATH": "/usr/bin:/bin",
        "_DATAFETCH_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "datafetch get po",
    }
    env |= {
        "COMP_CWORD": "2",
        "_TYPER_COMPLETE_ARGS": "datafetch get po",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert "pods" in done.stdout
    assert not set(done.stderr.split()) & {"httpx2", "httpx", "pycurl", "asyncio", "PIL", "rich", "aiofiles"}
