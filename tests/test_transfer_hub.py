"""Files of the Hugging Face hub: its addresses, promises, refusals, and a token for nobody else."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from datafetch.demo.server import FaultServer, Thing, corrupt, drop_after, status
from datafetch.errors import DatafetchError, TransferFailed
from datafetch.model import Checksum, Fetched, Why
from datafetch.store.journal import known
from datafetch.transfer.providers.hub import Hub
from datafetch.transfer.providers.known import providers
from tests.hub import TOKEN, hub, in_turn
from tests.test_transfer_ranges import EAGER, LINE, Slow
from tests.transfers import Bench

DATA = bytes((i * 13 + i // 512) % 253 for i in range(300_000))
URL = "hf://datasets/own/set@v1/data/train.parquet"
KEY = "datasets/own/set/resolve/v1/data/train.parquet"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def ask(bench: Bench, server: FaultServer, *urls: str, token: str = "", **how: object) -> Fetched:
    env = {"HF_ENDPOINT": server.url, "HF_TOKEN": token}
    return bench(*(urls or (URL,)), providers=providers(env), **how)


def refused(bench: Bench, server: FaultServer, *urls: str, token: str = "") -> TransferFailed:
    with pytest.raises(DatafetchError) as caught:
        ask(bench, server, *urls, token=token)
    assert isinstance(caught.value, TransferFailed)
    return caught.value


@pytest.mark.parametrize(
    ("url", "https"),
    [
        (URL, f"https://huggingface.co/{KEY}"),
        ("hf://own/model/w.bin", "https://huggingface.co/own/model/resolve/main/w.bin"),
        ("hf://spaces/own/s/a/b.py", "https://huggingface.co/spaces/own/s/resolve/main/a/b.py"),
        (
            "hf://datasets/o/n@refs%2Fpr%2F1/a%20b",
            "https://huggingface.co/datasets/o/n/resolve/refs%2Fpr%2F1/a%20b",
        ),
        (
            "hf://datasets/o/n@refs/convert/parquet/d/0.parquet",
            "https://huggingface.co/datasets/o/n/resolve/refs%2Fconvert%2Fparquet/d/0.parquet",
        ),
        ("https://example.org/x", None),
    ],
)
def test_an_address_becomes_the_hubs(url: str, https: str | None) -> None:
    assert Hub().address(url) == https


def test_a_large_file_comes_from_the_store_under_the_hubs_checksum(bench: Bench) -> None:
    with hub() as (fake, server):
        fake.large[KEY] = DATA
        fetched = ask(bench, server)
    assert bench.target.read_bytes() == DATA
    assert (fetched.url, fetched.sha256) == (URL, hashlib.sha256(DATA).hexdigest())


def test_a_small_file_comes_from_the_hub_itself(bench: Bench) -> None:
    with hub() as (fake, server):
        fake.plain[KEY] = b"a,b\n1,2\n"
        ask(bench, server)
    assert bench.target.read_bytes() == b"a,b\n1,2\n"


def test_a_renamed_repository_is_followed(bench: Bench) -> None:
    with hub() as (fake, server):
        fake.moved[KEY] = other = KEY.replace("own/set", "new/name")
        fake.large[other] = DATA
        ask(bench, server)
    assert bench.target.read_bytes() == DATA


def test_what_the_store_damages_is_found_by_the_hubs_checksum(bench: Bench) -> None:
    with hub(in_turn(corrupt(Thing(DATA)), Thing(DATA))) as (fake, server):
        fake.large[KEY] = DATA
        ask(bench, server)
    assert (bench.target.read_bytes(), bench.whys()) == (DATA, [Why.CHECKSUM])


def test_a_store_that_has_another_file_is_refused(bench: Bench) -> None:
    with hub(Thing(DATA[::-1])) as (fake, server):
        fake.large[KEY] = DATA
        assert refused(bench, server).why is Why.CHECKSUM
    assert not bench.target.exists()


def test_a_file_of_another_length_than_the_hub_says_is_refused_before_a_byte(bench: Bench) -> None:
    with hub(Thing(DATA[:-1])) as (fake, server):
        fake.large[KEY] = DATA
        assert refused(bench, server).why is Why.CHANGED
    assert bench.received == 0


def test_a_checksum_of_the_recipe_that_the_hub_contradicts_costs_no_transfer(bench: Bench) -> None:
    with hub() as (fake, server):
        fake.large[KEY] = DATA
        with pytest.raises(TransferFailed, match="promised"):
            ask(bench, server, checksums=(Checksum("sha256", "0" * 64),))
    assert bench.received == 0


def test_each_try_asks_the_hub_for_a_new_address(bench: Bench) -> None:
    """The addresses of the store expire within the hour: a long download outlives many of them."""
    with hub(in_turn(drop_after(100_000, Thing(DATA)), Thing(DATA))) as (fake, server):
        fake.large[KEY] = DATA
        ask(bench, server)
        signed = [seen.path.partition("?")[2] for seen in fake.store.seen]
    assert signed == ["X-Amz-Signature=s1", "X-Amz-Signature=s2"]
    assert bench.target.read_bytes() == DATA
    assert bench.received == len(DATA)


def test_an_expired_address_is_asked_for_again(bench: Bench) -> None:
    expired = status(403, b"<Error><Code>AccessDenied</Code></Error>")
    with hub(in_turn(expired, Thing(DATA))) as (fake, server):
        fake.large[KEY] = DATA
        ask(bench, server)
    assert (bench.target.read_bytes(), bench.whys()) == (DATA, [Why.SERVER_ERROR])


def test_a_large_file_comes_over_several_connections_each_by_the_hub(bench: Bench) -> None:
    slow = Slow()
    with hub(slow) as (fake, server):
        fake.large[KEY] = slow.thing.data
        ask(bench, server, width=EAGER, limits=LINE, token=TOKEN)
        assert len(server.seen) == len(fake.store.seen) > 2
        assert {seen.start for seen in server.seen} == {seen.start for seen in fake.store.seen}
        assert not any("authorization" in seen.headers for seen in fake.store.seen)
    assert bench.target.read_bytes() == slow.thing.data
    assert slow.most_at_once >= 2


def test_a_mirror_goes_on_with_what_the_hub_began_under_its_checksum(bench: Bench) -> None:
    breaks = in_turn(drop_after(100_000, Thing(DATA)), status(503))
    with hub(breaks) as (fake, server), FaultServer(lambda _: Thing(DATA)) as other:
        fake.large[KEY] = DATA
        ask(bench, server, URL, f"{other.url}/copy.parquet")
        assert bench.target.read_bytes() == DATA
        assert other.seen[0].start >= 100_000
    assert bench.received == len(DATA)


@pytest.mark.parametrize(
    ("code", "answer", "token", "why", "exit_code", "said"),
    [
        ("GatedRepo", 401, "", Why.FORBIDDEN, 7, "accept its terms at"),
        ("GatedRepo", 403, TOKEN, Why.FORBIDDEN, 7, "accept its terms at"),
        ("", 401, "", Why.FORBIDDEN, 7, "set HF_TOKEN"),
        ("", 403, TOKEN, Why.FORBIDDEN, 7, "account of HF_TOKEN"),
        ("RepoNotFound", 401, "", Why.GONE, 4, "if it is private, set HF_TOKEN"),
        ("RepoNotFound", 404, TOKEN, Why.GONE, 4, "--mirror"),
        ("RevisionNotFound", 404, "", Why.GONE, 4, "--mirror"),
        ("EntryNotFound", 404, "", Why.GONE, 4, "--mirror"),
    ],
)
def test_a_refusal_of_the_hub_is_said_in_words(
    code: str, answer: int, token: str, why: Why, exit_code: int, said: str, bench: Bench
) -> None:
    with hub() as (fake, server):
        fake.refused[KEY] = (answer, code)
        failure = refused(bench, server, token=token)
        assert len(server.seen) == 1
    assert (failure.why, failure.exit_code) == (why, exit_code)
    assert said in failure.hint
    if code == "GatedRepo":
        assert "/datasets/own/set," in failure.hint


def test_a_refusal_of_a_mirror_is_not_blamed_on_the_token(bench: Bench) -> None:
    with FaultServer(lambda _: status(403)) as mirror:
        settings = {"mirrors": (mirror.url,), "mirror_only": True}
        failure = bench.fails(URL, providers=providers({"HF_TOKEN": TOKEN}), settings=settings)
    assert "HF_TOKEN" not in f"{failure}{failure.hint}"


def test_the_token_opens_what_is_private(bench: Bench) -> None:
    with hub() as (fake, server):
        fake.large[KEY], fake.private = DATA, True
        ask(bench, server, token=TOKEN)
    assert bench.target.read_bytes() == DATA


def test_the_token_goes_to_the_hub_and_to_nobody_else(bench: Bench) -> None:
    with hub() as (fake, server), FaultServer(lambda _: status(404)) as mirror:
        fake.large[KEY] = DATA
        ask(bench, server, URL, token=TOKEN, settings={"mirrors": (mirror.url,)})
        assert {seen.headers.get("authorization") for seen in server.seen} == {f"Bearer {TOKEN}"}
        assert mirror.seen and fake.store.seen
        for seen in (*mirror.seen, *fake.store.seen):
            assert TOKEN not in f"{seen.path}{seen.headers}"
        host = server.url.partition("://")[2]
        assert mirror.seen[0].path == f"/{host}/{KEY}"
    assert TOKEN not in f"{bench.events}{bench.journal.read_text()}{Hub(token=TOKEN)}"
    assert known(bench.journal).done is not None


def test_a_hub_that_sends_its_reader_to_another_host_gives_it_no_token(bench: Bench) -> None:
    with hub() as (_, canary), hub() as (fake, server):
        fake.moved[KEY] = f"/{canary.url.partition('://')[2]}/{KEY}"  # //host/path: another host
        refused(bench, server, token=TOKEN)
        assert canary.seen and all("authorization" not in seen.headers for seen in canary.seen)


def test_an_https_address_of_the_hub_is_answered_by_the_hub(bench: Bench) -> None:
    with hub() as (fake, server):
        fake.large[KEY], fake.private = DATA, True
        ask(bench, server, f"{server.url}/{KEY}", token=TOKEN)
    assert bench.target.read_bytes() == DATA


def test_without_its_provider_a_scheme_is_refused(bench: Bench) -> None:
    failure = bench.fails(URL)
    assert isinstance(failure, TransferFailed)
    assert failure.why is Why.REFUSED
