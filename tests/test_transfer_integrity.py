"""Which bytes are part of this file: no run publishes a mix, or what an address of another file has given."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from datafetch.demo.server import Answer, Exchange, FaultServer, Thing, corrupt, drop_after, status
from datafetch.errors import TransferFailed
from datafetch.identity import identity
from datafetch.model import Checksum, Why
from datafetch.store.journal import Done, Journal, Part, Upstream, known
from datafetch.transfer import pool
from datafetch.transfer.holding import Holding
from datafetch.transfer.part import PartFile
from datafetch.transfer.promise import Promise
from datafetch.transfer.providers.known import providers
from datafetch.transfer.retry import Patience
from tests.hub import hub, in_turn
from tests.transfers import Bench, sha256

SIZE, CUT = 600_000, 200_000
ONE = random.Random(1).randbytes(SIZE)
TWO = random.Random(2).randbytes(SIZE)
ONCE = Patience(tries=1, tries_before_next=1)
MD5 = Checksum("md5", hashlib.md5(ONE).hexdigest())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def by_s3(server: FaultServer) -> dict[str, Any]:
    return {"providers": providers({"AWS_ENDPOINT_URL": server.url})}


def by_hub(server: FaultServer) -> dict[str, Any]:
    return {"providers": providers({"HF_ENDPOINT": server.url})}


def linked(thing: Thing, size: bool = True, digest: bool = True, cut: int | None = None) -> Answer:
    """As the hub answers for a file: with its size, its SHA-256 or both, and ends after `cut` bytes."""
    said = {"X-Linked-Size": str(len(thing.data))} if size else {}
    if digest:
        said |= {"X-Linked-ETag": f'"{hashlib.sha256(thing.data).hexdigest()}"'}
    return saying(said, thing, cut)


def saying(said: Mapping[str, str], thing: Thing, cut: int | None = None) -> Answer:
    """The thing under these headers, of which only `cut` bytes come."""

    def answer(exchange: Exchange) -> None:
        code, body, headers = thing.rest(exchange.seen)
        exchange.head(code, headers | said)
        exchange.body(body[:cut])
        if cut is not None and len(body) > cut:
            exchange.hang_up()

    return answer


def killed(work: Callable[[], object], patch: Callable[[], None]) -> None:
    """Does the work in a process of its own, whose `patch` ends it with status 9 at the instant in question."""
    child = os.fork()
    if not child:
        try:
            patch()
            work()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def at_the_verdict() -> None:
    async def verdict(wanted: object, ways: object, holding: Holding, url: str) -> None:
        await holding.part.digests()
        os._exit(9)

    pool._verified = verdict  # type: ignore[assignment]


def at_the_rename() -> None:
    def rename(part: PartFile, target: Path) -> None:
        os._exit(9)

    PartFile.rename = rename  # type: ignore[method-assign]


def behind_the_rename() -> None:
    real = Journal.append

    def append(journal: Journal, row: object, *, durable: bool = True) -> None:
        if isinstance(row, Done):
            os._exit(9)
        real(journal, row, durable=durable)

    Journal.append = append  # type: ignore[method-assign]


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        [byte] = file.read(1)
        file.seek(at)
        file.write(bytes((byte ^ 4,)))


# --- A promise is kept as long as the bytes that were taken under it --------------------------------------------------


def joined_by_promise(bench: Bench, first: FaultServer, second: FaultServer) -> tuple[str, str]:
    """Two addresses of which S3's gives 200 kB under its ETag, and another 100 kB more."""
    urls = "s3://buck/f.bin", f"{second.url}/f.bin"
    failure = bench.fails(*urls, patience=ONCE, **by_s3(first))
    assert failure.exit_code == 5
    row = known(bench.journal).part
    assert row is not None
    assert row.sources == (identity(f"{first.url}/buck/f.bin"), identity(f"{second.url}/f.bin"))
    assert [one.algorithm for one in row.promised] == ["md5"]
    return urls


def test_a_promise_is_kept_by_a_later_run(bench: Bench) -> None:
    """S3 and a mirror with another file both broke off; a later run, without S3, published the mix."""
    s3 = in_turn(drop_after(CUT, Thing(ONE)), status(503))
    mirror = in_turn(drop_after(CUT // 2, Thing(TWO)), Thing(TWO))
    with FaultServer(lambda _: s3) as first, FaultServer(lambda _: mirror) as second:
        urls = joined_by_promise(bench, first, second)
        bench(*urls, patience=Patience(tries=2, tries_before_next=2), **by_s3(first))
    assert bench.target.read_bytes() == TWO
    assert Why.CHECKSUM in bench.whys()


def test_a_later_run_goes_on_under_the_promise_of_an_earlier_one(bench: Bench) -> None:
    s3 = in_turn(drop_after(CUT, Thing(ONE)), status(503))
    mirror = in_turn(drop_after(CUT // 2, Thing(ONE)), Thing(ONE))
    with FaultServer(lambda _: s3) as first, FaultServer(lambda _: mirror) as second:
        urls = joined_by_promise(bench, first, second)
        fetched = bench(*urls, patience=ONCE, **by_s3(first))
        assert second.seen[-1].start == CUT + CUT // 2
    assert (bench.target.read_bytes(), bench.received) == (ONE, SIZE)
    assert fetched.digests == (("md5", MD5.digest),)


def test_bytes_joined_under_a_checksum_that_the_recipe_lost_are_dropped(bench: Bench) -> None:
    first = in_turn(drop_after(CUT, Thing(ONE)), status(503))
    second = in_turn(drop_after(CUT // 2, Thing(TWO)), Thing(TWO))
    with FaultServer(lambda path: first if path == "/1" else second) as server:
        urls = f"{server.url}/1", f"{server.url}/2"
        bench.fails(*urls, patience=ONCE, checksums=(sha256(ONE),))
        bench(*urls, patience=ONCE)
        assert server.asked("/2")[-1].start == 0
    assert bench.target.read_bytes() == TWO


def test_the_etag_of_s3_is_compared_after_a_later_run_has_gone_on(bench: Bench) -> None:
    damaged = bytearray(ONE)
    damaged[CUT + 5] ^= 1
    other = Thing(bytes(damaged), etag=f'"{MD5.digest}"')
    answers = in_turn(drop_after(CUT, Thing(ONE, etag=f'"{MD5.digest}"')), other, Thing(ONE))
    with FaultServer(lambda _: answers) as server:
        bench.fails("s3://buck/f.bin", patience=ONCE, **by_s3(server))
        bench("s3://buck/f.bin", **by_s3(server))
        assert [seen.start for seen in server.seen] == [0, CUT, 0]
    assert (bench.target.read_bytes(), bench.whys()) == (ONE, [Why.CHECKSUM])


def test_a_weaker_promise_takes_nothing_from_a_stronger_one(bench: Bench) -> None:
    """A mirror that promised a SHA-256 broke off, the origin promised a size alone: the mix was published."""
    broken = in_turn(linked(Thing(ONE), cut=CUT), status(503))
    with (
        FaultServer(lambda _: broken) as mirror,
        FaultServer(lambda _: linked(Thing(TWO), digest=False)) as own,
    ):
        how = {"settings": {"mirrors": (mirror.url,)}, **by_hub(own)}
        bench("hf://datasets/own/set@v1/f.bin", **how)
        assert [seen.start for seen in own.seen] == [CUT, 0]
    assert (bench.target.read_bytes(), bench.whys()[-1]) == (TWO, Why.CHECKSUM)


def test_a_digest_that_is_promised_late_is_made_all_the_same(bench: Bench) -> None:
    """It was not compared when the digests of the first bytes were under way without it."""
    damaged, tag = bytearray(ONE), f'"{MD5.digest}"'
    damaged[5] ^= 1
    no_md5 = {"x-amz-server-side-encryption": "aws:kms"}
    first = saying(no_md5, Thing(bytes(damaged), etag=tag), CUT)
    answers = in_turn(first, Thing(ONE, etag=tag))
    with FaultServer(lambda _: answers) as server:
        bench("s3://buck/f.bin", **by_s3(server))
        assert [seen.start for seen in server.seen] == [0, CUT, 0]
    assert (bench.target.read_bytes(), bench.whys()) == (ONE, [Why.SHORT, Why.CHECKSUM])


def test_promises_add_up() -> None:
    md5, sha = Checksum("md5", "a"), Checksum("sha256", "b")
    both = Promise(None, (md5,)).joined(Promise(5, (sha,)))
    assert both == Promise(5, (md5, sha))
    assert both.joined(Promise(5, ())) == both
    assert Promise().joined(both) == both


def test_a_digest_asked_for_late_is_of_the_whole_file(tmp_path: Path) -> None:
    async def run() -> dict[str, str]:
        part = PartFile(tmp_path / "a.part", (), ())
        await part.write([ONE[:CUT]], CUT, 0)
        part.also(("md5",))
        await part.write([ONE[CUT:]], SIZE - CUT, CUT)
        try:
            return await part.digests()
        finally:
            await part.close()

    assert asyncio.run(run()) == {"sha256": sha256(ONE).digest, "md5": MD5.digest}


def test_a_checksum_of_the_recipe_outranks_a_promise(bench: Bench) -> None:
    """An ETag of 32 hex digits that is no md5: the right file was fetched three times, and refused."""
    with FaultServer(lambda _: Thing(ONE, etag=f'"{"0" * 32}"')) as server:
        bench("s3://buck/f.bin", checksums=(sha256(ONE),), **by_s3(server))
        assert len(server.seen) == 1
        again = Bench(bench.folder / "again")
        again("s3://buck/f.bin", checksums=(MD5,), **by_s3(server))
    assert (bench.target.read_bytes(), bench.whys()) == (ONE, [])
    assert again.target.read_bytes() == ONE
    [note] = [event.text for event in bench.events if event.kind == "note"]
    assert "S3 promised" in note


# --- Killed between the last byte and the final name ------------------------------------------------------------------


def test_a_promise_is_kept_when_killed_before_the_verdict(bench: Bench) -> None:
    """The hub's SHA-256 was forgotten, and what was damaged on the way was published."""
    with hub(in_turn(corrupt(Thing(ONE)), Thing(ONE))) as (fake, server):
        fake.large["datasets/own/set/resolve/v1/f.bin"] = ONE
        killed(lambda: bench("hf://datasets/own/set@v1/f.bin", **by_hub(server)), at_the_verdict)
        bench("hf://datasets/own/set@v1/f.bin", **by_hub(server))
    assert (bench.target.read_bytes(), bench.whys()) == (ONE, [Why.CHECKSUM])


def test_the_whole_part_of_an_address_that_the_recipe_left_is_not_the_file(bench: Bench) -> None:
    """Killed before the verdict; the recipe then named v2, and the bytes of v1 were published as those of v2."""
    with FaultServer(lambda path: Thing(ONE if "v1" in path else TWO)) as server:
        killed(lambda: bench(f"{server.url}/v1/f.bin"), at_the_verdict)
        bench(f"{server.url}/v2/f.bin")
        assert [(seen.path, seen.start) for seen in server.seen] == [("/v1/f.bin", 0), ("/v2/f.bin", 0)]
    assert bench.target.read_bytes() == TWO


def test_a_promise_of_an_address_that_the_recipe_left_proves_nothing(bench: Bench) -> None:
    with hub() as (fake, server):
        fake.large |= {f"datasets/own/set/resolve/{v}/f.bin": data for v, data in (("v1", ONE), ("v2", TWO))}
        killed(lambda: bench("hf://datasets/own/set@v1/f.bin", **by_hub(server)), at_the_verdict)
        bench("hf://datasets/own/set@v2/f.bin", **by_hub(server))
    assert bench.target.read_bytes() == TWO


def test_whole_bytes_of_another_address_count_under_a_checksum_of_the_recipe(bench: Bench) -> None:
    with FaultServer(lambda _: Thing(ONE)) as server:
        killed(lambda: bench(f"{server.url}/v1/f.bin"), at_the_verdict)
        bench(f"{server.url}/v2/f.bin", checksums=(sha256(ONE),))
        assert len(server.seen) == 1
    assert bench.target.read_bytes() == ONE


def test_a_part_that_changed_after_the_verdict_is_fetched_again(bench: Bench) -> None:
    """Killed at the rename; a flipped byte was published under the SHA-256 of before."""
    with FaultServer(lambda _: Thing(ONE)) as server:
        killed(lambda: bench(f"{server.url}/f"), at_the_rename)
        assert known(bench.journal).whole is not None
        flip(bench.part, 300_000)
        fetched = bench(f"{server.url}/f")
        assert len(server.seen) == 2
    assert (bench.target.read_bytes(), fetched.sha256) == (ONE, sha256(ONE).digest)
    assert bench.whys() == [Why.CHECKSUM]


def test_a_part_that_is_as_it_was_takes_its_name_unasked(bench: Bench) -> None:
    for name, patch in (("a", at_the_rename), ("b", behind_the_rename)):
        each = Bench(bench.folder / name)
        with FaultServer(lambda _: Thing(ONE)) as server:
            killed(lambda here=each, at=server.url: here(f"{at}/f"), patch)  # type: ignore[misc]
            assert each(f"{server.url}/f").sha256 == sha256(ONE).digest
            assert len(server.seen) == 1
        assert each.target.read_bytes() == ONE


def test_a_file_that_changed_behind_the_rename_is_fetched_again(bench: Bench) -> None:
    with FaultServer(lambda _: Thing(ONE)) as server:
        killed(lambda: bench(f"{server.url}/f"), behind_the_rename)
        flip(bench.target, 300_000)
        bench(f"{server.url}/f")
        assert len(server.seen) == 2
    assert bench.target.read_bytes() == ONE


# --- Which addresses are one --------------------------------------------------------------------------------------


def test_addresses_that_differ_where_secrets_may_stand_are_two_files(bench: Bench) -> None:
    """get?key=train.zip broke off, get?key=test.zip went on with it: `key` is hidden where it is shown."""
    train = in_turn(drop_after(100_000, Thing(ONE, etag="")), status(503))

    def answer(exchange: Exchange) -> None:
        (train if exchange.seen.path.endswith("train.zip") else Thing(TWO, etag=""))(exchange)

    with FaultServer(lambda _: answer) as server:
        assert bench.fails(f"{server.url}/get?key=train.zip", patience=ONCE).exit_code == 5
        bench(f"{server.url}/get?key=test.zip")
        assert server.seen[-1].start == 0
    assert bench.target.read_bytes() == TWO
    assert "train.zip" not in bench.journal.read_text()


def test_an_address_signed_anew_is_continued(bench: Bench) -> None:
    answers = in_turn(drop_after(CUT, Thing(ONE)), Thing(ONE))
    with FaultServer(lambda _: answers) as server:
        signed = [f"{server.url}/f?X-Amz-Date={n}&X-Amz-Signature={n}" for n in (1, 2)]
        bench.fails(signed[0], patience=ONCE)
        bench(signed[1])
        assert server.seen[-1].start == CUT
    assert (bench.target.read_bytes(), bench.received) == (ONE, SIZE)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://h/a", "https://h/a#f", True),
        ("https://h/a", "https://h/b", False),
        ("https://h/a?key=1", "https://h/a?key=2", False),
        ("https://h/a?token=1", "https://h/a?token=2", False),
        ("https://h/a?policy=1", "https://h/a?policy=2", False),  # without a signature it may name anything
        ("https://h/a?expires=1", "https://h/a?expires=2", False),
        (
            "https://h/a?v=1&X-Amz-Date=1&X-Amz-Signature=1",
            "https://h/a?v=1&X-Amz-Date=2&X-Amz-Signature=2",
            True,
        ),
        ("https://h/a?v=1&X-Amz-Signature=1", "https://h/a?v=2&X-Amz-Signature=1", False),
        (
            "https://h/a?X-Goog-Expires=1&X-Goog-Signature=1",
            "https://h/a?X-Goog-Expires=2&X-Goog-Signature=2",
            True,
        ),
        (
            "https://h/a?Expires=1&Signature=1&Key-Pair-Id=1",
            "https://h/a?Expires=2&Signature=2&Key-Pair-Id=2",
            True,
        ),
        ("https://h/a?sv=1&se=1&sig=1", "https://h/a?sv=1&se=2&sig=2", True),
        ("hf://datasets/o/n@v1/f", "hf://datasets/o/n@v2/f", False),
    ],
)
def test_what_names_the_same_file(one: str, other: str, same: bool) -> None:
    assert (identity(one) == identity(other)) is same
    assert len(identity(one)) == 32


def test_a_row_of_an_older_version_is_read_and_vouches_for_nothing(bench: Bench) -> None:
    with FaultServer(lambda _: Thing(ONE)) as server:
        bench.part.parent.mkdir(parents=True)
        bench.part.write_bytes(TWO[:CUT])
        bench.journal.parent.mkdir(parents=True)
        bench.journal.write_text(
            f'{{"type":"part","url":"{server.url}/f","etag":"\\"v\\"","total":{SIZE}}}\n'
        )
        assert known(bench.journal).part == Part(f"{server.url}/f", '"v"', "", SIZE)
        bench(f"{server.url}/f")
        assert server.seen[0].start == 0
    assert bench.target.read_bytes() == ONE


def test_a_refusal_by_a_promise_is_told(bench: Bench) -> None:
    with FaultServer(lambda _: Thing(ONE, etag=f'"{"0" * 32}"')) as server:
        failure = bench.fails("s3://buck/f.bin", **by_s3(server))
    assert isinstance(failure, TransferFailed)
    assert failure.why is Why.CHECKSUM


# --- The same wrong file again --------------------------------------------------------------------------------------


LOCKED = Upstream("", "https://host.example/f.bin")


def test_the_same_wrong_bytes_twice_are_not_fetched_a_third_time_under_a_lock(bench: Bench) -> None:
    with FaultServer(lambda _: Thing(TWO)) as server:
        failure = bench.fails(f"{server.url}/f.bin", checksums=(sha256(ONE),), version=LOCKED)
        assert len(server.seen) == 2
    assert isinstance(failure, TransferFailed) and failure.why is Why.CHECKSUM
    assert "the same bytes came twice, so they were not damaged on the way" in str(failure)
    assert not bench.target.exists() and not bench.part.exists()


def test_without_a_lock_a_wrong_file_is_fetched_three_times(bench: Bench) -> None:
    answers = in_turn(Thing(TWO), Thing(TWO), Thing(ONE))
    with FaultServer(lambda _: answers) as server:
        bench(f"{server.url}/f.bin", checksums=(sha256(ONE),))
        assert len(server.seen) == 3
    assert bench.target.read_bytes() == ONE


def test_bytes_damaged_in_two_ways_are_fetched_a_third_time(bench: Bench) -> None:
    answers = in_turn(corrupt(Thing(ONE), 5), corrupt(Thing(ONE), 7), Thing(ONE))
    with FaultServer(lambda _: answers) as server:
        bench(f"{server.url}/f.bin", checksums=(sha256(ONE),))
        assert len(server.seen) == 3
    assert bench.target.read_bytes() == ONE


def test_what_a_mirror_gave_twice_need_come_from_the_origin_once(bench: Bench) -> None:
    with FaultServer(lambda _: Thing(TWO)) as mirror, FaultServer(lambda _: Thing(TWO)) as own:
        bench.fails(
            f"{own.url}/f.bin", checksums=(sha256(ONE),), settings={"mirrors": (mirror.url,)}, version=LOCKED
        )
        assert (len(mirror.seen), len(own.seen)) == (2, 1)


def test_the_next_address_is_asked_after_the_same_wrong_bytes(bench: Bench) -> None:
    with FaultServer(lambda path: Thing(TWO if "old" in path else ONE)) as server:
        bench(f"{server.url}/old.bin", f"{server.url}/f.bin", checksums=(sha256(ONE),))
    assert bench.target.read_bytes() == ONE
