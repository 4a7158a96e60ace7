"""Objects of S3: against moto's server as a process, and against answers that S3 gives and moto does not."""

from __future__ import annotations

import hashlib
import json
import random
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from datafetch.demo.server import Answer, Exchange, FaultServer, Thing, corrupt, drop_after, status
from datafetch.errors import DatafetchError, TransferFailed
from datafetch.model import Checksum, Fetched, Why
from datafetch.transfer.providers import buckets
from datafetch.transfer.providers.known import providers
from datafetch.transfer.providers.s3 import S3
from tests.hub import in_turn
from tests.s3 import ALONE, CREDENTIALS, KEY_ID, SECRET, SESSION, Moto, moto
from tests.test_transfer_ranges import EAGER, LINE, Slow
from tests.transfers import Bench

DATA = random.Random(3).randbytes(300_000)
PARTS = (random.Random(4).randbytes(5 << 20), random.Random(5).randbytes(4 << 20))
DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>'


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with moto(tmp_path_factory.mktemp("moto")) as running:
        running.bucket("open")
        running.bucket("dotted.name")
        running.put("open", "a b/ü+1 (2).bin", DATA)
        running.put("open", "secret.bin", DATA, public=False)
        running.put("open", "kms.bin", DATA, ServerSideEncryption="aws:kms")
        running.put("dotted.name", "x.bin", DATA)
        running.put_in_parts("open", "large.bin", *PARTS)
        yield running


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The AWS variables of a test; botocore reads those of the process."""

    class Variables(dict[str, str]):
        def __setitem__(self, name: str, value: str) -> None:
            super().__setitem__(name, value)
            monkeypatch.setenv(name, value)

        def update(self, more: dict[str, str]) -> None:  # type: ignore[override]
            for name, value in more.items():
                self[name] = value

    made = Variables()
    made.update(ALONE)
    yield made


def ask(bench: Bench, env: dict[str, str], endpoint: str, url: str, **how: object) -> Fetched:
    return bench(url, providers=providers({**env, "AWS_ENDPOINT_URL": endpoint}), **how)


def refused(bench: Bench, env: dict[str, str], endpoint: str, url: str) -> TransferFailed:
    with pytest.raises(DatafetchError) as caught:
        ask(bench, env, endpoint, url)
    assert isinstance(caught.value, TransferFailed)
    return caught.value


# --- Pure ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "url", "https"),
    [
        ({}, "s3://bucket/a/b%20c+d", "https://bucket.s3.us-east-1.amazonaws.com/a/b%20c%2Bd"),
        ({"AWS_REGION": "eu-west-1"}, "s3://bucket/k", "https://bucket.s3.eu-west-1.amazonaws.com/k"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "s3://a.b/k", "https://s3.eu-west-1.amazonaws.com/a.b/k"),
        ({"AWS_REGION": "cn-north-1"}, "s3://bkt/k", "https://bkt.s3.cn-north-1.amazonaws.com.cn/k"),
        ({"AWS_ENDPOINT_URL": "http://h:9/p/"}, "s3://bucket/k", "http://h:9/p/bucket/k"),
        ({"AWS_ENDPOINT_URL": "http://h", "AWS_ENDPOINT_URL_S3": "http://s"}, "s3://bkt/k", "http://s/bkt/k"),
        ({}, "s3://bucket/k?versionId=a%2Fb", "https://bucket.s3.us-east-1.amazonaws.com/k?versionId=a%2Fb"),
        ({}, "https://example.org/x", None),
    ],
)
def test_an_address_becomes_that_of_a_region_or_an_endpoint(
    env: dict[str, str], url: str, https: str | None
) -> None:
    assert S3.of(env).address(url) == https


@pytest.mark.parametrize(
    ("url", "bucket", "region"),
    [
        ("https://bucket.s3.amazonaws.com/a/b", "bucket", ""),
        ("https://bucket.s3.eu-west-1.amazonaws.com/a/b", "bucket", "eu-west-1"),
        ("https://a.b.s3-us-west-2.amazonaws.com/a/b", "a.b", "us-west-2"),
        ("https://s3.amazonaws.com/bucket/a/b", "bucket", ""),
        ("https://s3-us-west-2.amazonaws.com/bucket/a/b", "bucket", "us-west-2"),
        ("https://s3.dualstack.eu-west-1.amazonaws.com/bucket/a/b", "bucket", "eu-west-1"),
    ],
)
def test_virtual_host_and_path_addresses_are_those_of_s3(url: str, bucket: str, region: str) -> None:
    spot = buckets.spot_of(url, "")
    assert spot == buckets.Spot(url, bucket, region, "a/b")
    assert S3().address(url) is None  # it is asked for as it is written, at mirrors too
    assert buckets.moved(spot, "eu-south-2").region == "eu-south-2"


@pytest.mark.parametrize(
    "url",
    [
        "https://s3.amazonaws.com.example.org/bucket/a",
        "https://example.org/s3.amazonaws.com/a",
        "https://ec2.amazonaws.com/bucket/a",
        "https://bucket.s3.amazonaws.com/",
        "https://bucket.s3.amazonaws.com/a?X-Amz-Signature=1",
    ],
)
def test_other_addresses_are_not(url: str) -> None:
    assert not S3().answers_at(url)


MD5 = hashlib.md5(DATA).hexdigest()
ETAG = {"etag": f'"{MD5}"'}
AS_MD5 = (Checksum("md5", MD5, "S3"),)
SUM = {"x-amz-checksum-sha256": b64encode(hashlib.sha256(DATA).digest()).decode()}


@pytest.mark.parametrize(
    ("code", "headers", "checksums"),
    [
        (200, ETAG, AS_MD5),
        (206, ETAG, AS_MD5),  # of the whole object
        (200, {"etag": f'"{MD5}-2"'}, ()),
        (200, ETAG | {"x-amz-server-side-encryption": "AES256"}, AS_MD5),
        (200, ETAG | {"x-amz-server-side-encryption": "aws:kms"}, ()),
        (200, ETAG | {"x-amz-server-side-encryption": "aws:kms:dsse"}, ()),
        (200, ETAG | {"x-amz-server-side-encryption-customer-algorithm": "AES256"}, ()),
        (
            200,
            SUM | {"x-amz-checksum-type": "FULL_OBJECT"},
            (Checksum("sha256", hashlib.sha256(DATA).hexdigest(), "S3"),),
        ),
        (200, SUM | {"x-amz-checksum-type": "COMPOSITE"}, ()),
        (206, SUM | {"x-amz-checksum-type": "FULL_OBJECT"}, ()),
        (200, {"x-amz-checksum-sha256": "rubbish", "x-amz-checksum-type": "FULL_OBJECT"}, ()),
    ],
)
def test_an_etag_is_an_md5_only_where_it_is_one(
    code: int, headers: dict[str, str], checksums: tuple[Checksum, ...]
) -> None:
    assert buckets.promise(code, headers).checksums == checksums


# --- Against moto -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["s3://open/a%20b/%C3%BC%2B1%20(2).bin", "s3://dotted.name/x.bin", "s3://open/kms.bin"]
)
def test_a_public_object_needs_no_credentials(
    url: str, bench: Bench, s3: Moto, environment: dict[str, str]
) -> None:
    fetched = ask(bench, environment, s3.url, url)
    assert bench.target.read_bytes() == DATA
    assert fetched.url == url


def test_a_private_object_needs_credentials(bench: Bench, s3: Moto, environment: dict[str, str]) -> None:
    failure = refused(bench, environment, s3.url, "s3://open/secret.bin")
    assert (failure.why, failure.exit_code) == (Why.FORBIDDEN, 7)
    assert "set AWS_PROFILE" in failure.hint
    environment.update(CREDENTIALS)
    ask(bench, environment, s3.url, "s3://open/secret.bin")
    assert bench.target.read_bytes() == DATA


def test_a_profile_opens_what_is_private(
    bench: Bench, s3: Moto, environment: dict[str, str], tmp_path: Path
) -> None:
    """Nothing in the variables says that there are credentials: the file is looked for after a refusal."""
    shared = tmp_path / "credentials"
    shared.write_text(f"[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n")
    environment["AWS_SHARED_CREDENTIALS_FILE"] = str(shared)
    ask(bench, environment, s3.url, "s3://open/secret.bin")
    assert bench.target.read_bytes() == DATA


def test_the_role_of_a_machine_opens_what_is_private(
    bench: Bench, s3: Moto, environment: dict[str, str]
) -> None:
    """Only the library asks the metadata service, and only once something was refused without."""
    role = "/latest/meta-data/iam/security-credentials/"
    keys = {
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": KEY_ID,
        "SecretAccessKey": SECRET,
        "Token": SESSION,
        "Expiration": "2099-01-01T00:00:00Z",
    }
    answers = {role: status(200, b"reader"), f"{role}reader": status(200, json.dumps(keys).encode())}
    with FaultServer(answers.get) as metadata:
        environment["AWS_EC2_METADATA_DISABLED"] = "false"
        environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = metadata.url
        ask(bench, environment, s3.url, "s3://dotted.name/x.bin")
        assert not metadata.seen
        bench.target.unlink()
        ask(bench, environment, s3.url, "s3://open/secret.bin")
        assert metadata.seen
    assert bench.target.read_bytes() == DATA


def test_a_large_object_in_parts_comes_over_several_connections(
    bench: Bench, s3: Moto, environment: dict[str, str]
) -> None:
    environment.update(CREDENTIALS)
    fetched = ask(bench, environment, s3.url, "s3://open/large.bin", width=EAGER, limits=LINE)
    assert bench.target.read_bytes() == b"".join(PARTS)
    assert fetched.digests == ()  # its ETag is no md5


@pytest.mark.parametrize("url", ["s3://open/nothing", "s3://nobody/x"])
def test_what_is_not_there_is_gone(url: str, bench: Bench, s3: Moto, environment: dict[str, str]) -> None:
    failure = refused(bench, environment, s3.url, url)
    assert (failure.why, failure.exit_code) == (Why.GONE, 4)
    assert "there is no such bucket" in str(failure) or "no such key" in str(failure)


# --- What moto does not do ----------------------------------------------------------------------------------


class Guarded:
    """An object for those who sign."""

    def __init__(self, thing: Answer) -> None:
        self.thing = thing

    def __call__(self, exchange: Exchange) -> None:
        signed = "authorization" in exchange.seen.headers
        (self.thing if signed else status(403, DENIED, Content_Type="application/xml"))(exchange)


def test_an_interrupted_object_goes_on_where_it_was_and_is_signed_anew(
    bench: Bench, environment: dict[str, str]
) -> None:
    environment.update({**CREDENTIALS, "AWS_SESSION_TOKEN": SESSION})
    guarded = Guarded(in_turn(drop_after(100_000, Thing(DATA)), Thing(DATA)))
    with FaultServer(lambda path: guarded) as server:
        ask(bench, environment, server.url, "s3://bucket/k")
        assert [seen.start for seen in server.seen] == [0, 100_000]
        for seen in server.seen:
            assert seen.headers["x-amz-security-token"] == SESSION
            assert "/us-east-1/s3/aws4_request" in seen.headers["authorization"]
            assert "x-amz-checksum-mode" in seen.headers["authorization"]
    assert bench.target.read_bytes() == DATA


def test_ranges_of_several_connections_are_signed(bench: Bench, environment: dict[str, str]) -> None:
    environment.update(CREDENTIALS)
    slow = Slow()
    guarded = Guarded(slow)
    with FaultServer(lambda path: guarded) as server:
        ask(bench, environment, server.url, "s3://bucket/k", width=EAGER, limits=LINE)
        assert all("authorization" in seen.headers for seen in server.seen)
        assert len(server.seen) > 2
    assert bench.target.read_bytes() == slow.thing.data


def test_a_signature_that_is_refused_what_is_public_is_left_out(
    bench: Bench, environment: dict[str, str]
) -> None:
    """An account that may do nothing is refused public buckets of others, where a stranger is not."""
    environment.update(CREDENTIALS)

    def answer(exchange: Exchange) -> None:
        (status(403, DENIED) if "authorization" in exchange.seen.headers else Thing(DATA))(exchange)

    with FaultServer(lambda path: answer) as server:
        ask(bench, environment, server.url, "s3://bucket/k")
        assert len(server.seen) == 2
    assert bench.target.read_bytes() == DATA


def test_who_has_no_credentials_asks_once(bench: Bench, environment: dict[str, str]) -> None:
    with FaultServer(lambda path: status(403, DENIED)) as server:
        refused(bench, environment, server.url, "s3://bucket/k")
        assert len(server.seen) == 1


def test_a_refusal_of_both_ways_ends_it(bench: Bench, environment: dict[str, str]) -> None:
    environment.update(CREDENTIALS)
    with FaultServer(lambda path: status(403, DENIED)) as server:
        failure = refused(bench, environment, server.url, "s3://bucket/k")
        assert len(server.seen) == 2
    assert (failure.why, failure.exit_code) == (Why.FORBIDDEN, 7)


def test_a_bucket_of_another_region_is_asked_once_more_and_then_remembered(
    bench: Bench, environment: dict[str, str]
) -> None:
    environment.update(CREDENTIALS)

    def answer(exchange: Exchange) -> None:
        right = "/eu-west-1/s3/" in exchange.seen.headers.get("authorization", "")
        wrong = status(400, b"<Error><Code>AuthorizationHeaderMalformed</Code></Error>", **region)
        (in_parts if right else wrong)(exchange)

    region = {"x_amz_bucket_region": "eu-west-1"}
    in_parts = in_turn(drop_after(1000, Thing(DATA)), Thing(DATA))
    with FaultServer(lambda path: answer) as server:
        ask(bench, environment, server.url, "s3://bucket/k")
        assert len(server.seen) == 3
    assert bench.target.read_bytes() == DATA


def test_a_server_that_always_names_another_region_is_left(bench: Bench, environment: dict[str, str]) -> None:
    count = iter(range(100))

    def answer(exchange: Exchange) -> None:
        exchange.send(301, b"<Error/>", x_amz_bucket_region=f"eu-west-{next(count)}")

    with FaultServer(lambda path: answer) as server:
        assert refused(bench, environment, server.url, "s3://bucket/k").why is Why.BAD_ANSWER
        assert len(server.seen) == 4  # two tries of two requests


@pytest.mark.parametrize(
    ("code", "body", "why"),
    [
        (503, b"<Error><Code>SlowDown</Code></Error>", Why.THROTTLED),
        (400, b"<Error><Code>RequestTimeout</Code></Error>", Why.SERVER_ERROR),
        (500, b"<Error><Code>InternalError</Code></Error>", Why.SERVER_ERROR),
        (503, b"", Why.THROTTLED),
    ],
)
def test_s3_that_is_busy_is_asked_again(
    code: int, body: bytes, why: Why, bench: Bench, environment: dict[str, str]
) -> None:
    answers = in_turn(status(code, body, Content_Type="application/xml"), Thing(DATA))
    with FaultServer(lambda path: answers) as server:
        ask(bench, environment, server.url, "s3://bucket/k")
    assert (bench.target.read_bytes(), bench.whys()) == (DATA, [why])


def test_damage_on_the_way_is_found_by_the_etag(bench: Bench, environment: dict[str, str]) -> None:
    answers = in_turn(corrupt(Thing(DATA)), Thing(DATA))
    with FaultServer(lambda path: answers) as server:
        fetched = ask(bench, environment, server.url, "s3://bucket/k")
    assert (bench.target.read_bytes(), bench.whys()) == (DATA, [Why.CHECKSUM])
    assert fetched.digests == (("md5", MD5),)


def test_an_error_in_archive_class_is_said_in_words(bench: Bench, environment: dict[str, str]) -> None:
    with FaultServer(lambda path: status(403, b"<Error><Code>InvalidObjectState</Code></Error>")) as server:
        failure = refused(bench, environment, server.url, "s3://bucket/k")
    assert "restored" in str(failure)


# --- Secrets ------------------------------------------------------------------------------------------------


def test_signatures_go_to_their_endpoint_and_to_nobody_else(
    bench: Bench, environment: dict[str, str]
) -> None:
    environment.update({**CREDENTIALS, "AWS_SESSION_TOKEN": SESSION})
    with FaultServer(lambda path: Thing(DATA)) as canary, FaultServer(lambda path: status(404)) as mirror:

        def elsewhere(exchange: Exchange) -> None:
            exchange.send(307, Location=f"{canary.url}/k")

        with FaultServer(lambda path: elsewhere) as server:
            settings = {"mirrors": (mirror.url,)}
            ask(bench, environment, server.url, "s3://bucket/k", settings=settings)
            assert "authorization" in server.seen[0].headers
        assert canary.seen and mirror.seen
        for seen in (*canary.seen, *mirror.seen):
            assert not {"authorization", "x-amz-security-token"} & seen.headers.keys()
            assert KEY_ID not in f"{seen}"
    told = f"{bench.events}{bench.journal.read_text()}"
    assert not any(secret in told for secret in (KEY_ID, SECRET, SESSION))


def test_a_key_that_s3_repeats_in_its_error_is_not_repeated_by_us(
    bench: Bench, environment: dict[str, str]
) -> None:
    environment.update(CREDENTIALS)
    body = f"<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId></Error>".encode()
    with FaultServer(lambda path: status(403, body)) as server:
        failure = refused(bench, environment, server.url, "s3://bucket/k")
    assert KEY_ID not in f"{failure}{failure.hint}{bench.events}"


def test_without_the_extra_it_says_that_it_asks_anonymously(
    bench: Bench, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.update(CREDENTIALS)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with FaultServer(lambda path: Thing(DATA)) as server:
        ask(bench, environment, server.url, "s3://bucket/k")
        assert "authorization" not in server.seen[0].headers
    notes = [event.text for event in bench.events if event.kind == "note"]
    assert notes == [
        "AWS credentials are set, but S3 is asked anonymously: pip install 'datafetch[s3]' signs"
    ]


def test_half_of_the_credentials_is_said(bench: Bench, environment: dict[str, str]) -> None:
    environment["AWS_ACCESS_KEY_ID"] = KEY_ID
    with FaultServer(lambda path: Thing(DATA)) as server:
        failure = refused(bench, environment, server.url, "s3://bucket/k")
        assert not server.seen
    assert (failure.why, failure.exit_code) == (Why.FORBIDDEN, 7)
    assert "AWS_SECRET_ACCESS_KEY" in str(failure)
