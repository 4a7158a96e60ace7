"""Numbers as people read them, tables that fit, values that are refused in one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datafetch.cli.options.units import parse_duration, parse_percent, parse_size
from datafetch.console.live import Flow, Lines
from datafetch.console.text import colour, cut, duration, plural, size, table
from datafetch.errors import UsageError
from datafetch.model import Event


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_949, "99.9 kB"), (99_960, "100 kB"), (999_499, "999 kB"),
     (999_500, "1.0 MB"), (13_510_573_713, "13.5 GB"), (None, "unknown")],
)  # fmt: skip
def test_sizes(count: int | None, text: str) -> None:
    assert size(count) == text


@given(st.integers(0, 10**17))
def test_a_size_is_short_and_never_off_by_a_unit(count: int) -> None:
    number, unit = size(count).split()
    assert len(size(count)) <= 8
    assert float(number) * 1000 ** ["B", "kB", "MB", "GB", "TB", "PB"].index(unit) == pytest.approx(
        count, rel=0.06, abs=1
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.2, "12 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_plurals() -> None:
    assert [plural(n, "file") for n in (0, 1, 2000)] == ["0 files", "1 file", "2,000 files"]
    assert plural(2, "retry") == "2 retries"


@given(
    st.lists(st.tuples(st.text("ab c", max_size=9), st.text("x y", max_size=60)), min_size=1),
    st.integers(40, 90),
)
def test_a_table_stays_inside_its_width_and_loses_no_word(rows: list[tuple[str, str]], width: int) -> None:
    lines = table(rows, width=width)
    assert all(len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join("".join(a + b for a, b in rows).split())


def test_a_line_is_cut_with_an_ellipsis_only_where_there_is_a_width() -> None:
    assert cut("abcdef", 4) == "abc…"
    assert cut("abcdef", None) == "abcdef"


def test_colour_is_help_only() -> None:
    import re

    line = "pods  complete  pods/complete.jpg  failed"
    assert re.sub(r"\x1b\[\d+m", "", colour(line)) == line
    assert colour(line).count("\x1b[") == 4


def test_values() -> None:
    assert [parse_size(t) for t in ("50G", "4.2M", "1024", "1 kB")] == [50 * 10**9, 4_200_000, 1024, 1000]
    assert [parse_duration(t) for t in ("90", "90s", "15m", "2h", "1d")] == [90, 90, 900, 7200, 86400]
    assert [parse_percent(t) for t in ("99.5%", "100", "0")] == [99.5, 100, 0]
    for parse, text in (
        (parse_size, "many"),
        (parse_duration, "2 weeks"),
        (parse_percent, "101%"),
        (parse_size, "-1"),
    ):
        with pytest.raises(UsageError) as raised:
            parse(text)
        assert raised.value.hint.startswith("write it like")


def test_the_line_of_progress_says_what_is_known() -> None:
    flow = Flow()
    assert flow.line() == "asking"
    flow.add(Event("retry", "a"))
    assert flow.line() == "waiting for an answer, 1 retry"
    flow.add(Event("started", "a", done=0, total=1000))
    flow.add(Event("received", "a", done=500))
    flow.add(Event("progress", "a", done=500, total=1000))
    assert flow.line().startswith("1 file, 500 B of 1.0 kB, ")
    assert flow.line().endswith("1 retry")
    flow.add(Event("started", "b", done=0, total=None))
    assert "of" not in flow.line()


def test_who_watches_lines_hears_of_waiting_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    """It showed itself as minutes of silence in a log while a server was asked again and again."""
    lines = Lines("big", quiet=False, verbose=False, every=0.0)
    lines(Event("retry", "real", count=1, text="no connection; again in 8 s"))
    assert "real: no connection; again in 8 s" in capsys.readouterr().err
