"""The page of `datafetch show` in a real browser: headless Chromium, where there is one on PATH."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from process import datafetch_
from server import FaultServer
from test_show_pictures import BAD, dataset, mask, photo

from datafetch.model import Recipe
from datafetch.show.facts import gather
from datafetch.show.page import page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), None)
NARROW, WIDE = 420, 1280  # CSS pixels
LIMIT = 60.0  # seconds

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(NAMES)} is on PATH")

# Frames stand for windows: a window of headless Chromium is never narrower than 500 pixels. They are high enough
# that every picture is in view. What they measure is written into the document that --dump-dom prints.
HARNESS = """<!doctype html><meta charset="utf-8"><body>{frames}<pre id="said"></pre><script>
const rgb = colour => colour.match(/[0-9.]+/g).slice(0, 3).map(Number).map(v => v / 255)
  .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const light = colour => rgb(colour).reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
addEventListener("load", () => {{
  const found = [...document.querySelectorAll("iframe")].map(frame => {{
    const page = frame.contentDocument, root = page.documentElement;
    const style = each => frame.contentWindow.getComputedStyle(each);
    const card = light(style(page.querySelector("section")).backgroundColor);
    const read = [...page.querySelectorAll("main h3, main td, main th, dt, dd, main .soft, pre")];
    return {{
      wide: root.clientWidth, needs: root.scrollWidth, says: page.body.innerText,
      broken: [...page.images].filter(each => !each.complete || !each.naturalWidth).length,
      pictures: page.images.length, unseen: [...page.images].filter(each => each.width < 40).length,
      loaded: frame.contentWindow.performance.getEntriesByType("resource").map(each => each.name)
        .filter(name => !name.startsWith("data:")),
      ran: frame.contentWindow.ran === true,
      dark: card < 0.2,
      contrast: Math.min(...read.map(each => contrast(light(style(each).color), card))),
    }};
  }});
  document.getElementById("said").textContent = JSON.stringify(found);
}});
</script>"""


def rendered(folder: Path, document: str, *options: str) -> list[dict[str, Any]]:
    """What a narrow and a wide window measure of the page."""
    frames = "".join(
        f'<iframe srcdoc="{html.escape(document)}" style="border:0;width:{width}px;height:20000px"></iframe>'
        for width in (NARROW, WIDE)
    )
    harness = folder / "harness.html"
    harness.write_text(HARNESS.format(frames=frames), "utf-8")
    assert CHROMIUM is not None
    flags = (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=10000",
    )
    done = subprocess.run(
        [CHROMIUM, *flags, *options, "--dump-dom", harness.as_uri()],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
    )
    said = re.search(r'<pre id="said">(.*?)</pre><script>', done.stdout, re.DOTALL)
    assert said and said[1], done.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(html.unescape(said[1]))
    assert [each["wide"] for each in found] == [NARROW, WIDE]
    return found


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page with all there is: splits, masks, classes with long names."""
    here = tmp_path_factory.mktemp("page")
    files = {}
    for label in ("cat", "a_class_with_a_name_that_has_no_end_" * 5, "貓" * 60):
        for number in range(5):
            size = (60 + 20 * number, 40)
            files[f"x/train/{label}/{number}.png"] = photo(size)
            files[f"x/train_masks/{label}/{number}.png"] = mask(size if number else (3, 3))
            files[f"x/test/{label}/{number}.png"] = photo((40, 90), (30 * number, 90, 200))
    recipe = Recipe(
        "x", "title " * 40, (), citation="@article{" + "x" * 300 + "}", licence="MIT", note="n" * 200
    )
    yield page(gather(recipe, dataset(here, files), 0))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_narrow_and_wide_windows_and_every_picture_is_seen(
    document: str, tmp_path: Path, dark: bool
) -> None:
    options = (
        ("--blink-settings=preferredColorScheme=0",) if dark else ("--blink-settings=preferredColorScheme=1",)
    )
    assert document.count('class="spots"') == 1
    for seen in rendered(tmp_path, document, *options):
        assert seen["needs"] == seen["wide"], "it runs out of the window"
        assert (seen["pictures"], seen["broken"], seen["unseen"]) == (24, 0, 0)
        assert seen["loaded"] == [] and seen["dark"] is dark
        assert seen["contrast"] > 4.5  # WCAG 2.1, 1.4.3


def test_nothing_hostile_runs_or_asks_a_server(tmp_path: Path) -> None:
    """The names try to load from a server that counts, and to set a mark on their window."""
    with FaultServer(lambda path: None) as server:
        bad = f"{BAD}<img src={server.url}/x><style>@import '{server.url}/y'</style><script>ran=true</script>"
        files = {f"x/train/{n}{BAD.replace('/', '')}/1.png": photo() for n in range(2)}
        recipe = Recipe(
            "x", bad, (), citation=f"</pre>{bad}", licence=bad, note=bad, home=f"javascript:{bad}"
        )
        found = rendered(tmp_path, page(gather(recipe, dataset(tmp_path / "out", files), 0)))
        asked = [each.path for each in server.seen]
    assert asked == []
    for seen in found:
        assert not seen["ran"] and seen["loaded"] == [] and (seen["pictures"], seen["broken"]) == (2, 0)
        assert "<script>ran=true</script>" in seen["says"]  # as words


def test_the_demo_is_rendered(tmp_path: Path) -> None:
    assert datafetch_("demo", "-o", "demo", cwd=tmp_path).code == 0
    ended = datafetch_("show", "demo", "--output-dir", "demo", "-o", "-", cwd=tmp_path)
    assert ended.code == 0, ended.err
    for seen in rendered(tmp_path, ended.out):
        assert seen["needs"] == seen["wide"] and seen["broken"] == 0 < seen["pictures"]
        assert "Turned away" in seen["says"] and "Licence and citation" in seen["says"]
