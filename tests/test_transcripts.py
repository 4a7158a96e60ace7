"""Every behaviour of the command line as a transcript: what is typed, what is said, and the exit code.

A file of `transcripts/` opens with what it shows. Then, as on a terminal:

    $ NAME=value datafetch …   a command, in an empty folder, with a mirror that holds all of upstream
    $ … | json a.b c           stdout must be one JSON document: these parts of it; of stderr the kinds of events
    text                       a line on stdout
    ! text                     a line on stderr
    exit 3                     the exit code, unless it is 0

Besides datafetch there are a few words: `flip FILE` changes one bit, `write FILE TEXT`, `remove FILE`, `files` lists
the folder without the state, `upstream FAULT FILE` lets the mirror misbehave as tests/server.py has it, and
`requests` says what the mirror was asked for since the last time. Where a run differs from the next stands
<SIZE>, <TIME>, <SOON>, <DIGEST>, <MIRROR>, <HERE>, <PYTHON> or <SOURCES>. TRANSCRIPTS=write pytest
tests/test_transcripts.py records anew.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import typer
from conftest import Guard
from process import SOURCES, datafetch_
from server import FAULTS, FaultServer
from test_cli_tree import files_below
from upstream import Upstream, things

from datafetch.cli.commands import app

FOLDER = Path(__file__).with_name("transcripts")
NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))
RECORD = os.environ.get("TRANSCRIPTS") == "write"
AT_ONCE = 4

VARYING = (
    (re.compile(r"\bprocess \d+ on \S+, since [^\s,]+"), "process <PID> on <HOST>, since <TIME>"),
    (re.compile(r"\b[0-9a-f]{64}\b|\btree [0-9a-f]{16}\b|\b[0-9a-f]{12}…"), "<DIGEST>"),
    (re.compile(r"(?<![\w.])\d+(\.\d+)? (B|kB|MB|GB|TB)(/s)?(?!\w)"), "<SIZE>"),
    (re.compile(r"(?<![\w.])\d+ (bytes)\b"), "<SIZE>"),
    (re.compile(r"(?<![\w.])\d+(\.\d+)? s(?!\w)"), "<TIME>"),
    (re.compile(r"; again (at once|in <TIME>)"), "; again <SOON>"),
)


@dataclass
class Scene:
    """One transcript being played: its folder, its mirror."""

    here: Path
    upstream: Upstream
    server: FaultServer
    told: int = 0  # requests that `requests` has shown

    def play(self, line: str) -> list[str]:
        """What a command line says, in the form of a transcript."""
        command, _, asked = line.partition(" | json")
        words = shlex.split(command)
        env = {}
        while re.match(r"[A-Z_]+=", words[0]):
            name, _, env[name] = words.pop(0).partition("=")
        word, *rest = words
        if word == "datafetch":
            said = self._run(rest, env, asked.split() if asked else None)
        else:
            said = WORDS[word](self, *rest)
        return [self._steady(text) for text in said]

    def _run(self, args: Sequence[str], env: dict[str, str], asked: list[str] | None) -> list[str]:
        mirror = {"DATAFETCH_MIRROR": self.server.url, "DATAFETCH_MIRROR_ONLY": "1"}
        ended = datafetch_(*args, cwd=self.here, env=mirror | env)
        out, err = ended.out.splitlines(), ended.err.splitlines()
        if asked is not None:
            document = json.loads(ended.out)
            out = [f"{path}: {json.dumps(part(document, path), ensure_ascii=False)}" for path in asked]
            events = sorted({json.loads(line)["kind"] for line in err if line.startswith("{")})
            err = [line for line in err if not line.startswith("{")]
            err += [f"events: {' '.join(events)}"] if events else []
        said = [*out, *(f"! {line}".rstrip() for line in err)]
        return [*said, f"exit {ended.code}"] if ended.code else said

    def _steady(self, text: str) -> str:
        for found, name in (
            (self.server.url.partition("://")[2], "<MIRROR>"),
            (str(self.here.resolve()), "<HERE>"),
            (sys.executable, "<PYTHON>"),
            (str(SOURCES), "<SOURCES>"),
        ):
            text = text.replace(found, name)
        steady = text
        for pattern, name in VARYING:
            steady = pattern.sub(name, steady)
        if steady == text:
            return text
        indent = len(steady) - len(steady.lstrip())
        return steady[:indent] + re.sub(
            r" {2,}", "  ", steady[indent:]
        )  # columns move with what stands in them

    # --- Words besides datafetch -------------------------------------------------------------------------------------

    def flip(self, path: str) -> list[str]:
        data = bytearray((self.here / path).read_bytes())
        data[len(data) // 2] ^= 1
        (self.here / path).write_bytes(data)
        return []

    def write(self, path: str, text: str) -> list[str]:
        (self.here / path).parent.mkdir(parents=True, exist_ok=True)
        (self.here / path).write_text(text.replace("\\n", "\n"))
        return []

    def remove(self, path: str) -> list[str]:
        (self.here / path).unlink()
        return []

    def files(self) -> list[str]:
        return sorted({"/".join(path.split("/")[:3]) for path in files_below(self.here / "data")})

    def misbehave(self, fault: str, file: str) -> list[str]:
        thing = next(thing for path, thing in things().items() if path.endswith(f"/{file}"))
        self.upstream.instead[f"/{file}"] = FAULTS[fault.partition("/")[0]](thing, fault.partition("/")[2])
        return []

    def requests(self) -> list[str]:
        seen = self.server.seen[self.told :]
        self.told += len(seen)
        return sorted(each.path.rpartition("/")[2] for each in seen) or ["none"]


WORDS = {
    "flip": Scene.flip,
    "write": Scene.write,
    "remove": Scene.remove,
    "files": Scene.files,
    "upstream": Scene.misbehave,
    "requests": Scene.requests,
}


def part(document: object, path: str) -> object:
    """What `jq .path` shows of a document."""
    for key in path.split("."):
        if isinstance(document, list):
            document = document[int(key)] if key.isdigit() else [part(each, key) for each in document]
        else:
            assert isinstance(document, dict)
            document = document[key]
    return document


# --- Playing ---------------------------------------------------------------------------------------------------------


@dataclass
class Transcript:
    about: list[str] = field(default_factory=list)
    commands: list[tuple[str, list[str]]] = field(default_factory=list)  # what is typed, what is said

    def __str__(self) -> str:
        said = [[f"$ {command}", *lines] for command, lines in self.commands]
        return "\n".join([*self.about, "", *("\n".join(lines) for lines in said)]).rstrip() + "\n"


def read(name: str) -> Transcript:
    found = Transcript()
    for line in (FOLDER / f"{name}.txt").read_text("utf-8").splitlines():
        if line.startswith("$ "):
            found.commands.append((line[2:], []))
        elif found.commands:
            found.commands[-1][1].append(line)
        elif line:
            found.about.append(line)
    return found


def play(name: str, here: Path) -> Transcript:
    """The transcript as it is when its commands are typed now."""
    written, upstream = read(name), Upstream()
    played = Transcript(written.about)
    with upstream.serve() as server:
        scene = Scene(here, upstream, server)
        for command, _ in written.commands:
            played.commands.append((command, scene.play(command)))
    return played


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Transcript]]]:
    """All transcripts of this session, played side by side: most of the time a command starts Python."""
    base = tmp_path_factory.mktemp("transcripts")
    wanted = [item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")]
    names = [name for name in NAMES if name in wanted]
    for name in names:
        (base / name).mkdir()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(play, name, base / name) for name in names}


@pytest.mark.parametrize("name", NAMES)
def test_it_is_said_as_it_is_written(name: str, played: dict[str, Future[Transcript]], guard: Guard) -> None:
    now = played[name].result(timeout=120)
    if RECORD:
        guard.on = False  # the one test that may write beside itself
        (FOLDER / f"{name}.txt").write_text(str(now), "utf-8")
    assert str(now).splitlines() == str(read(name)).splitlines()


def test_each_transcript_says_what_it_shows() -> None:
    for name in NAMES:
        assert read(name).about and all(line.startswith("# ") for line in read(name).about), name


def test_every_command_has_a_transcript_and_one_of_its_help() -> None:
    typed = [command.partition(" | ")[0] for name in NAMES for command, _ in read(name).commands]
    typed = [re.sub(r"^([A-Z_]+=\S* )+", "", command) for command in typed]
    for command in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
        used = [line for line in typed if line.split()[:2] == ["datafetch", command]]
        assert [line for line in used if line.endswith(" -h")], f"{command} -h has no transcript"
        assert [line for line in used if not line.endswith(" -h")], f"{command} has no transcript"


@pytest.mark.parametrize("name", NAMES)
def test_messages_keep_the_rules(name: str) -> None:
    """An error is one line, lower case, without a full stop, and `hint:` on the next says what to do."""
    for command, lines in read(name).commands:
        errors = [line[2:] for line in lines if line.startswith("! error: ")]
        for line in errors:
            text = line.removeprefix("error: ")
            assert not text.endswith("."), text
            assert text[:1].islower() or not text[:1].isalpha() or text.split()[0].isupper(), text
        if errors and not any(
            ":" in line.partition(" ")[0] for line in errors
        ):  # issues of a recipe need none
            assert any(line.startswith("! hint: ") for line in lines), f"{command}: an error without a hint"
        assert all("Traceback" not in line for line in lines)


def test_words_that_vary_are_steadied(tmp_path: Path) -> None:
    with Upstream().serve() as server:
        scene = Scene(tmp_path, Upstream(), server)
        said = scene._steady(
            f"  a   12.3 kB  0 B in 0.4 s, tree {'ab' * 8} from {server.url}/x in {tmp_path}/data"
        )
    assert said == "  a  <SIZE>  <SIZE> in <TIME>, <DIGEST> from http://<MIRROR>/x in <HERE>/data"
    assert part({"a": [{"b": 1}, {"b": 2}]}, "a.b") == [1, 2] and part({"a": {"b": [3]}}, "a.b.0") == 3
