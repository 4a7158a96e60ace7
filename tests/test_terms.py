"""Terms that must be accepted: nothing is fetched before, what was accepted is written down, other terms ask again."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from archives import picture, zip_of
from process import Ended, datafetch_, environment

from datafetch.demo.server import FaultServer, Thing

LINK = "https://example.org/terms"
FIRST, SECOND = "for research only", "for research only, and no masks"


class Gated:
    """A dataset with terms, and a server that counts who asks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = {
            f"/{name}.zip": zip_of({f"train/mug/{name}.png": picture(1, form="PNG")}) for name in "ab"
        }
        self.server = FaultServer({path: Thing(data) for path, data in self.files.items()}.get)

    def __enter__(self) -> Gated:
        self.server.__enter__()
        (self.folder / "recipes").mkdir(parents=True)
        self.write(FIRST)
        return self

    def __exit__(self, *error: object) -> None:
        self.server.__exit__(*error)  # type: ignore[arg-type]

    def write(self, text: str, more: str = "") -> None:
        artifacts = "".join(
            f"  - {{name: {name}, url: '{self.server.url}/{name}.zip', unpack: true, choose: {{also: {name}}}}}\n"
            if name == "b"
            else f"  - {{name: {name}, url: '{self.server.url}/{name}.zip', unpack: true}}\n"
            for name in "ab"
        )
        terms = f"{{text: '{text}', link: '{LINK}', accept: true}}"
        recipe = f"name: gated\ntitle: gated\nterms: {terms}\nartifacts:\n{artifacts}{more}"
        (self.folder / "recipes/gated.yaml").write_text(recipe)

    def args(self, *more: str) -> tuple[str, ...]:
        return ("get", "gated", "-o", "out", "--registry", "recipes", "--allow-private", *more)

    def get(self, *more: str, **how: object) -> Ended:
        return datafetch_(*self.args(*more), cwd=self.folder, **how)  # type: ignore[arg-type]

    def terms(self, *more: str) -> Ended:
        return datafetch_("terms", *more, "-o", "out", "--registry", "recipes", cwd=self.folder)

    def lose(self) -> None:
        """A file of what is built."""
        (path,) = (self.folder / "out").glob("gated/**/a.png")
        path.unlink()

    @property
    def ledger(self) -> list[dict[str, str]]:
        path = self.folder / "out/.datafetch/gated/terms.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_nothing_is_fetched_before_and_what_was_accepted_holds_from_then_on(tmp_path: Path) -> None:
    with Gated(tmp_path) as place:
        refused = place.get()
        assert refused.code == 7 and FIRST in refused.err and "--accept-terms" in refused.err
        assert not place.server.seen and not place.ledger and not (tmp_path / "out/gated").exists()
        assert json.loads((tmp_path / "out/.datafetch/gated/report.json").read_text())["exit_code"] == 7
        assert place.get("--accept-terms").code == 0
        (line,) = place.ledger
        assert line["digest"] == hashlib.sha256(f"{FIRST}\n{LINK}\n".encode()).hexdigest()
        assert (line["dataset"], line["text"], line["link"]) == ("gated", FIRST, LINK)
        assert line["user"] and line["host"] and line["at"].endswith("Z") and line["version"]
        assert place.get("--also", "b").code == 0  # without the option
        assert place.get("--accept-terms", "--also", "b").code == 0
        assert place.ledger == [line]  # once is enough


def test_other_terms_ask_again_but_only_for_what_is_to_be_fetched(tmp_path: Path) -> None:
    with Gated(tmp_path) as place:
        assert place.get("--accept-terms").code == 0
        place.write(SECOND)
        asked = len(place.server.seen)
        assert place.get().code == 0  # complete: nothing is fetched
        more = place.get("--also", "b")
        assert more.code == 7 and "terms have changed" in more.err and SECOND in more.err
        assert len(place.server.seen) == asked
        assert "changed since" in place.terms().out
        assert place.get("--also", "b", "--accept-terms").code == 0
        assert [line["text"] for line in place.ledger] == [FIRST, SECOND]
        place.write(FIRST)  # back to what was accepted before
        place.lose()
        assert place.get().code == 0


def test_a_dry_run_accepts_nothing(tmp_path: Path) -> None:
    with Gated(tmp_path) as place:
        assert place.get("--accept-terms", "--dry-run").code == 0
        assert not place.ledger and place.get().code == 7


def test_a_repair_goes_by_what_was_accepted(tmp_path: Path) -> None:
    with Gated(tmp_path) as place:
        assert place.get("--accept-terms").code == 0
        place.lose()
        words = ("verify", "gated", "-o", "out", "--registry", "recipes", "--allow-private", "--repair")
        assert datafetch_(*words, cwd=tmp_path).code == 0
        place.lose()
        (tmp_path / "out/.datafetch/gated/terms.jsonl").unlink()
        assert datafetch_(*words, cwd=tmp_path).code == 7


def test_a_torn_line_of_the_ledger_is_no_acceptance(tmp_path: Path) -> None:
    with Gated(tmp_path) as place:
        state = tmp_path / "out/.datafetch/gated"
        state.mkdir(parents=True)
        (state / "terms.jsonl").write_text('{"dataset": "gated", "digest": "')
        assert place.get().code == 7
        assert place.get("--accept-terms").code == 0 and place.get("--also", "b").code == 0


def test_the_ledger_is_listed_and_exported(tmp_path: Path) -> None:
    with Gated(tmp_path) as place:
        assert "not accepted" in place.terms("gated").out
        place.write("=cmd|x")
        place.get("--accept-terms")
        ended = place.terms("gated")
        assert ended.code == 0 and "accepted" in ended.out.splitlines()[1]
        (state,) = place.terms("gated", "--json").report
        assert (state["name"], state["state"]) == ("gated", "accepted") and "@" in state["by"]
        assert place.terms("--export", "json").report == place.ledger
        rows = list(csv.DictReader(io.StringIO(place.terms("--export", "csv").out)))
        assert rows[0]["dataset"] == "gated" and rows[0]["digest"] == place.ledger[0]["digest"]
        assert rows[0]["text"] == "'=cmd|x"  # no formula for a spreadsheet
        assert place.terms("nobody").code == 3
        assert place.terms("--export", "csv", "--json").code == 2
        assert {"gated", "imagenet"} <= {one["name"] for one in place.terms("--json").report}


@pytest.mark.parametrize(("answer", "code", "lines"), [("y\n", 0, 1), ("n\n", 7, 0), ("\n", 7, 0)])
def test_a_person_at_a_terminal_is_asked(answer: str, code: int, lines: int, tmp_path: Path) -> None:
    with Gated(tmp_path) as place:
        ours, theirs = pty.openpty()
        try:
            process = subprocess.Popen(
                (sys.executable, "-m", "datafetch", *place.args("--progress", "none")),
                cwd=tmp_path,
                env=environment(tmp_path),
                stdin=theirs,
                stdout=subprocess.DEVNULL,
                stderr=theirs,
            )
            said = b""
            while b"[y/N]" not in said:
                said += os.read(ours, 4096)
            os.write(ours, answer.encode())
            assert process.wait(60) == code
        finally:
            os.close(ours)
            os.close(theirs)
        assert FIRST.encode() in said and LINK.encode() in said
        assert len(place.ledger) == lines
        assert all("asked" in line["how"] for line in place.ledger)


def test_nobody_is_asked_who_does_not_sit_at_a_terminal(tmp_path: Path) -> None:
    with Gated(tmp_path) as place:
        assert "[y/N]" not in place.get().err
