"""Files of Google Drive: behind its form and its lists, and never one of its pages instead of a file."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from datafetch.demo.server import FaultServer, Thing, drop_after
from datafetch.errors import DatafetchError, TransferFailed
from datafetch.model import Fetched, Why
from datafetch.transfer.providers.drive import Drive
from datafetch.transfer.providers.drive_pages import Entry, entries, form, named
from datafetch.transfer.providers.known import providers
from tests.drive import NO_ACCESS, QUOTA, USER, WARNING, Attached, FakeDrive, drive
from tests.hub import in_turn
from tests.test_transfer_ranges import EAGER, LINE, Slow
from tests.transfers import Bench

DATA = b"PK\x03\x04" + random.Random(9).randbytes(300_000)
ID = "1nGpNS2GPLawMYiNNR8Z9AKlJWfYtmLJh"
FOLDER = "1LR6trJhN4XbgTtqZo1zfe272cAkXqA7e"
URL = f"gdrive://{ID}"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def ask(bench: Bench, server: FaultServer, url: str = URL, **how: object) -> Fetched:
    settings = {"mirrors": (server.url,), "mirror_only": True}
    return bench(url, providers=providers({}), settings=settings, **how)


def refused(bench: Bench, server: FaultServer, url: str = URL) -> TransferFailed:
    with pytest.raises(DatafetchError) as caught:
        ask(bench, server, url)
    assert isinstance(caught.value, TransferFailed)
    assert not bench.target.exists()
    return caught.value


@pytest.mark.parametrize(
    ("url", "https"),
    [
        (URL, f"https://{USER}/download?id={ID}&export=download"),
        (f"gdrive://folders/{FOLDER}/a%20b/c.zip", None),
        (f"https://drive.google.com/uc?id={ID}&export=download", None),
        ("hf://own/model/w.bin", None),
    ],
)
def test_an_address_becomes_that_of_a_download(url: str, https: str | None) -> None:
    if https or not url.startswith("gdrive"):
        assert Drive().address(url) == https
    else:
        listed = f"https://drive.google.com/embeddedfolderview?id={FOLDER}&name=a+b%2Fc.zip"
        assert Drive().address(url) == listed


@pytest.mark.parametrize(
    "url",
    [
        f"https://drive.google.com/file/d/{ID}/view?usp=sharing",
        f"https://drive.google.com/file/u/1/d/{ID}/edit",
        f"https://drive.google.com/uc?export=download&id={ID}",
        f"https://drive.google.com/open?id={ID}",
        f"https://docs.google.com/uc?id={ID}",
        f"https://{USER}/download?id={ID}",
    ],
)
def test_links_are_those_of_drive(url: str) -> None:
    assert Drive().answers_at(url)


@pytest.mark.parametrize(
    "url",
    [
        f"https://drive.google.com.example.org/uc?id={ID}",
        f"https://example.org/drive.google.com/uc?id={ID}",
        "https://drive.google.com/",
        f"https://drive.google.com/drive/folders/{FOLDER}",
    ],
)
def test_other_addresses_are_not(url: str) -> None:
    assert not Drive().answers_at(url)


def test_a_small_file_comes_at_once(bench: Bench) -> None:
    with drive() as (fake, server):
        fake.files[ID] = DATA
        fetched = ask(bench, server)
        assert len(server.seen) == 1
    assert bench.target.read_bytes() == DATA
    assert fetched.url == URL


@pytest.mark.parametrize("place", ["uc?export=download&id=", "open?id="])
def test_a_link_is_followed_to_the_file(place: str, bench: Bench) -> None:
    with drive() as (fake, server):
        fake.files[ID] = DATA
        fake.warned = {ID}
        ask(bench, server, f"https://drive.google.com/{place}{ID}")
    assert bench.target.read_bytes() == DATA


@pytest.mark.parametrize(
    "action", [f"https://{USER}/download", "/download", "{mirror}/" + USER + "/download"]
)
def test_the_form_before_a_large_file_is_filled_in_once(action: str, bench: Bench) -> None:
    with drive() as (fake, server):
        fake.files[ID], fake.warned = DATA, {ID}
        fake.action = action.format(mirror=server.url)
        ask(bench, server)
        assert len(server.seen) == 2
    assert bench.target.read_bytes() == DATA


def test_what_was_confirmed_is_not_asked_again_when_the_line_drops(bench: Bench) -> None:
    with drive() as (fake, server):
        fake.files[ID], fake.warned = DATA, {ID}
        fake.serve[ID] = in_turn(drop_after(100_000, Attached(DATA, etag="")), Attached(DATA, etag=""))
        ask(bench, server)
        assert [seen.start for seen in server.seen] == [0, 0, 100_000]
    assert bench.target.read_bytes() == DATA


def test_a_large_file_comes_over_several_connections(bench: Bench) -> None:
    slow = Slow(Attached(Slow().thing.data))
    with drive() as (fake, server):
        fake.files[ID], fake.warned, fake.serve[ID] = b"", {ID}, slow
        ask(bench, server, width=EAGER, limits=LINE)
        assert all("confirm=t" in seen.path for seen in server.seen[1:])
    assert bench.target.read_bytes() == slow.thing.data
    assert slow.most_at_once >= 2


def test_a_form_behind_the_form_is_not_filled_in(bench: Bench) -> None:
    with drive() as (fake, server):
        fake.pages[ID] = WARNING.format(id=ID, action=fake.action)
        failure = refused(bench, server)
        assert len(server.seen) == 2
    assert (failure.why, failure.exit_code) == (Why.HTML, 7)


@pytest.mark.parametrize("action", ["https://example.org/download", "http://drive.google.com/uc", "//evil/x"])
def test_a_form_that_leads_to_somebody_else_is_refused(action: str, bench: Bench) -> None:
    with FaultServer(lambda path: Thing(DATA)) as canary, drive() as (fake, server):
        fake.files[ID], fake.warned, fake.action = DATA, {ID}, action.replace("evil", canary.url[7:])
        assert refused(bench, server).why is Why.REFUSED
        assert not canary.seen
        assert len(server.seen) == 1


@pytest.mark.parametrize("code", [200, 403, 429])
def test_the_quota_page_says_when_to_try_again(code: int, bench: Bench) -> None:
    with drive() as (fake, server):
        fake.files[ID] = DATA
        page = QUOTA.encode()
        fake.serve[ID] = lambda exchange: exchange.send(code, page, Content_Type="text/html; charset=utf-8")
        failure = refused(bench, server)
        assert len(server.seen) == 1
    assert (failure.why, failure.exit_code) == (Why.QUOTA, 7)
    assert re.search(r"try again in 24 hours, after 20\d\d-\d\d-\d\d \d\d:\d\d UTC", failure.hint)


def test_a_file_that_needs_a_login_needs_a_person(bench: Bench) -> None:
    with drive() as (fake, server):
        fake.logins = {ID}
        failure = refused(bench, server)
    assert (failure.why, failure.exit_code) == (Why.FORBIDDEN, 7)
    assert "--from DIR" in failure.hint


def test_a_page_that_offers_to_ask_for_access_needs_a_person(bench: Bench) -> None:
    with drive() as (fake, server):
        fake.pages[ID] = NO_ACCESS
        failure = refused(bench, server)
    assert (failure.why, failure.exit_code) == (Why.FORBIDDEN, 7)


def test_a_file_that_is_not_there_is_gone(bench: Bench) -> None:
    with drive() as (_, server):
        failure = refused(bench, server)
    assert (failure.why, failure.exit_code) == (Why.GONE, 4)


def test_a_page_nobody_knows_is_not_saved(bench: Bench) -> None:
    with drive() as (fake, server):
        fake.pages[ID] = "<html><body>Something new</body></html>"
        assert refused(bench, server).why is Why.HTML


# --- Folders ------------------------------------------------------------------------------------------------


def filled(fake: FakeDrive) -> None:
    """A folder as the benchmark's: names that begin with a blank, and a folder in it."""
    fake.folders[FOLDER] = [
        ("file-scores-1", " FLICKR-AES_image_score.txt"),
        ("file-photos-1", "40K & more.zip"),
        ("inner-folder", "labels"),
        ("file-twice-1", "twice (1).csv"),
        ("file-twice-2", "twice (2).csv"),
    ]
    fake.folders["inner-folder"] = [("file-inner-1", "a.csv")]
    fake.files = {id: f"{id}\n".encode() * 99 for held in fake.folders.values() for id, _ in held}


@pytest.mark.parametrize(
    ("path", "id"),
    [
        ("%20FLICKR-AES_image_score.txt", "file-scores-1"),
        ("FLICKR-AES_image_score.txt", "file-scores-1"),
        ("FLICKR-AES_image_score%20(1).txt", "file-scores-1"),
        ("40K%20&%20more.zip", "file-photos-1"),
        ("labels/a.csv", "file-inner-1"),
        ("twice%20(2).csv", "file-twice-2"),
    ],
)
def test_a_file_of_a_folder_is_found_by_its_name(path: str, id: str, bench: Bench) -> None:
    with drive() as (fake, server):
        filled(fake)
        fetched = ask(bench, server, f"gdrive://folders/{FOLDER}/{path}")
        assert bench.target.read_bytes() == fake.files[id]
    assert fetched.url == f"gdrive://folders/{FOLDER}/{path}"


@pytest.mark.parametrize(
    ("path", "why", "said"),
    [
        ("nothing.zip", Why.GONE, 'no file "nothing.zip"; it holds'),
        ("labels", Why.GONE, 'no file "labels"'),
        ("40K%20&%20more.zip/x", Why.GONE, 'no folder "40K & more.zip"'),
        ("twice.csv", Why.BAD_URL, 'holds 2 files of the name "twice.csv"'),
    ],
)
def test_a_name_that_is_not_one_file_is_said(path: str, why: Why, said: str, bench: Bench) -> None:
    with drive() as (fake, server):
        filled(fake)
        failure = refused(bench, server, f"gdrive://folders/{FOLDER}/{path}")
    assert failure.why is why
    assert said in str(failure)


def test_a_list_is_read_once_a_run(bench: Bench) -> None:
    with drive() as (fake, server):
        filled(fake)
        known = providers({})
        settings = {"mirrors": (server.url,), "mirror_only": True}
        for name in ("40K%20&%20more.zip", "FLICKR-AES_image_score.txt"):
            bench(f"gdrive://folders/{FOLDER}/{name}", providers=known, settings=settings)
        assert sum("embeddedfolderview" in seen.path for seen in server.seen) == 1


def test_a_folder_that_is_not_there_is_gone_and_a_closed_one_needs_a_person(bench: Bench) -> None:
    with drive() as (fake, server):
        assert refused(bench, server, f"gdrive://folders/{FOLDER}/x.zip").exit_code == 4
        fake.logins = {FOLDER}
        assert refused(bench, server, f"gdrive://folders/{FOLDER}/x.zip").exit_code == 7


# --- Pages --------------------------------------------------------------------------------------------------


def test_the_fields_of_the_form_are_sent_and_no_others() -> None:
    page = WARNING.format(id="abcde", action="/download?id=abcde&evil=1").replace(
        "</form>", '<input type="hidden" name="other" value="x"></form><input name="at" value="outside">'
    )
    base = f"https://{USER}/download?id=abcde"
    sent = f"https://{USER}/download?id=abcde&export=download&confirm=t&uuid=a1b2c3%26d4&at=AT%3A17"
    assert form(page, base) == sent
    assert form("<form id='login'></form>", base) is None


def test_a_page_that_is_no_list_has_no_entries() -> None:
    assert entries("<div class='flip-entry' id='entry-a'><b>x") == ()
    assert entries(NO_ACCESS) == ()


def test_an_exact_name_wins() -> None:
    held = (Entry("a", "x (1).zip", False), Entry("b", "x.zip", False))
    assert [entry.id for entry in named(held, "x.zip")] == ["b"]
    assert [entry.id for entry in named(held, "x (1).zip")] == ["a"]
