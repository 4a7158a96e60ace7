"""What processes of our own modules are given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from datafetch import children
from datafetch.archive.hands import Hand
from datafetch.children import harmless
from datafetch.store.files import Tree

KEPT = {
    "PATH": "/bin",
    "HTTPS_PROXY": "http://u:p@proxy",
    "SSL_CERT_FILE": "x.pem",
    "LANG": "C",
    "HOME": "/h",
}
SECRET = (
    "HF_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GITHUB_TOKEN",
    "my_password",
    "X_API_KEY",
)


def test_secrets_are_told_by_their_names() -> None:
    assert harmless({**KEPT, **dict.fromkeys(SECRET, "s")}) == KEPT


def test_a_process_gets_no_secret_and_nothing_of_the_folder_it_is_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here.py").write_text("")
    (tmp_path / "own").mkdir()
    (tmp_path / "own/said.py").write_text(
        "import importlib.util, os\nprint('HF_TOKEN' in os.environ, importlib.util.find_spec('here'))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(children.sys, "path", ["", str(tmp_path / "own")])
    with children.spawn("said", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        assert child.communicate(timeout=20)[0] == b"False None\n"


def test_what_unpacks_members_from_the_wire_runs_nothing_that_lies_where_the_user_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pickle.py in the working directory was run by it."""
    (tmp_path / "pickle.py").write_text("open('ran', 'w').close()\nraise SystemExit\n")
    (tmp_path / "into").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    with Hand(tmp_path / "into") as hand, Tree(tmp_path / "into") as tree:
        assert hand.unpack(tree, [], 0, []) == []
    assert not (tmp_path / "ran").exists()
