"""The one seam to HTTP: an httpx client over our engine, redirects by our rules, foreign errors made ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from datafetch.errors import DatafetchError, Offline, TransferFailed
from datafetch.model import Settings, Why
from datafetch.transfer.addresses import Policy, clean_url, origin, redirected
from datafetch.transfer.allowance import Allowance
from datafetch.transfer.engine import Engine, Fault, Limits, Reply
from datafetch.transfer.environment import Environment
from datafetch.transfer.failures import network_failure
from datafetch.transfer.lanes import Chunk
from datafetch.transfer.promise import Promise
from datafetch.transfer.retry import retry_after
from datafetch.transfer.rules import (
    DISCARD,
    MAX_REDIRECTS,
    REDIRECTS,
    USER_AGENT,
    asked,
    check_headers,
    check_never,
    too_many,
)

_OURS = frozenset(
    ("host", "connection", "content-length", "accept-encoding", "user-agent", "transfer-encoding")
)
_UNREAD = frozenset(
    ("set-cookie", "set-cookie2")
)  # none is kept, so nobody need read what a server wrote there


class CurlTransport(httpx2.AsyncBaseTransport):
    """An httpx transport: one request, one answer, no redirects; its httpx errors are caused by Faults."""

    def __init__(
        self,
        engine: Engine,
        policy: Policy,
        limits: Limits,
        environment: Environment,
        allowance: Allowance,
    ) -> None:
        self._engine = engine
        self._allowance = allowance
        self._policy = policy
        self._limits = limits
        self._environment = environment

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._allowance.check()
        ask = asked(
            clean_url(str(request.url)),
            self._policy,
            self._environment,
            request.extensions.get("limits", self._limits),
            tuple(f"{name}: {value}" for name, value in request.headers.items() if name not in _OURS),
            request.method,
            await request.aread(),
            login="authorization" not in request.headers,
        )
        try:
            reply = await self._engine.send(ask)
        except Fault as fault:
            raise _as_httpx(fault, request) from fault
        body = _Body(reply, request, self._allowance)
        response = httpx2.Response(
            reply.status,
            headers=[
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in reply.headers
                if name not in _UNREAD
            ],
            stream=body,
            extensions={"reason_phrase": reply.reason.encode("latin-1", "replace"), "body": body},
            request=request,
        )
        response.headers.encoding = "latin-1"  # a byte is a character, as the engine has them
        return response

    async def aclose(self) -> None:
        await self._engine.close()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, reply: Reply, request: httpx2.Request, allowance: Allowance) -> None:
        self._reply = reply
        self._request = request
        self._allowance = allowance

    async def read(self) -> list[Chunk]:
        """What has arrived since the last call, once there is something; empty at the end of a whole body.

        Raises TransferLimit when the run may take no more.
        """
        try:
            batch = await self._reply.read()
        except Fault as fault:
            raise _as_httpx(fault, self._request) from fault
        return await self._allowance.take(batch)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while batch := await self.read():
            for chunk in batch:
                yield bytes(chunk)

    async def aclose(self) -> None:
        self._reply.close()


def _as_httpx(fault: Fault, request: httpx2.Request) -> httpx2.TransportError:
    kind: type[httpx2.TransportError]
    match fault.why:
        case Why.TIMEOUT | Why.TOO_SLOW:
            kind = httpx2.ReadTimeout
        case Why.DNS | Why.TLS | Why.REFUSED:
            kind = httpx2.ConnectError
        case Why.BAD_ANSWER | Why.SHORT | Why.TOO_LARGE:
            kind = httpx2.RemoteProtocolError
        case Why.BAD_URL:
            kind = httpx2.UnsupportedProtocol
        case _:
            kind = httpx2.NetworkError
    return kind(str(fault), request=request)


@asynccontextmanager
async def client(
    settings: Settings, limits: Limits | None = None, allowance: Allowance | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """An httpx client on the running loop, for all transfers of a run. Raises Offline when that is asked.

    `allowance` is that of the settings, for those who share it with others than this client.
    """
    if settings.offline:
        raise Offline("the network is switched off", hint="leave out --offline")
    environment = Environment.read()
    allowance = allowance or Allowance.of(settings)
    limits = allowance.slowest(limits or Limits())
    engine = Engine(environment.trust, user_agent=USER_AGENT, held=allowance.held)
    policy = Policy.of(settings.mirrors, settings.allow_private)
    transport = CurlTransport(engine, policy, limits, environment, allowance)
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    async with httpx2.AsyncClient(
        transport=transport, follow_redirects=False, trust_env=False, cookies=no_cookies, timeout=None
    ) as made:
        yield made


class Answer:
    """The head of an answer after redirects; the body comes from `chunks`. Errors are TransferFailed."""

    def __init__(self, response: httpx2.Response, url: str) -> None:
        self._response = response
        self.url = url  # where the redirects led
        self.promise = Promise()  # what a provider states about the whole file
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    @property
    def later(self) -> float | None:
        """In how many seconds the server wants to be asked again; None when it does not say."""
        return retry_after(self.headers.get("retry-after", ""), datetime.now(UTC))

    async def batches(self) -> AsyncIterator[list[Chunk]]:
        """The body as it comes off the wire, never decoded: all that is there at a time."""
        body = self._response.extensions["body"]
        assert isinstance(body, _Body)
        try:
            while batch := await body.read():
                yield batch
        except httpx2.HTTPError as error:
            raise failure(error, self.url) from error

    async def chunks(self) -> AsyncIterator[Chunk]:
        """The same, chunk by chunk."""
        async for batch in self.batches():
            for chunk in batch:
                yield chunk

    async def start(self, most: int) -> bytes:
        """The body of an error or a page, the first `most` bytes of it or a little more.

        What breaks off is as long as it is: raises nothing but TransferLimit, when the run may take no more.
        """
        found = bytearray()
        try:
            async for chunk in self.chunks():
                found += chunk
                if len(found) >= most:
                    break
        except TransferFailed:
            pass  # what has arrived will do
        return bytes(found)

    async def close(self) -> None:
        """Lets go of the connection; what was not read is lost. May be called twice."""
        await self._response.aclose()

    async def discard(self) -> None:
        """Reads a short body to its end, so that the connection can serve again."""
        left = DISCARD
        try:
            async for chunk in self.chunks():
                left -= len(chunk)
                if left < 0:
                    break
        except TransferFailed:
            pass  # the head was what mattered


# Called with an answer that redirects and where to; returns where to go instead, or raises to refuse.
Follow = Callable[[Answer, str], str]


@asynccontextmanager
async def open_url(
    http: httpx2.AsyncClient,
    url: str,
    headers: tuple[tuple[str, str], ...] = (),
    *,
    secrets: tuple[tuple[str, str], ...] = (),
    never: frozenset[str] = frozenset(),
    limits: Limits | None = None,
    follow: Follow | None = None,
    method: str = "GET",
) -> AsyncIterator[Answer]:
    """The answer to GET `url`, or HEAD, redirects followed by our rules; closed on leaving.

    `secrets` are headers that only the origin of `url` may see; to origins in `never` no redirect may lead.
    Raises TransferFailed for everything that keeps an answer from coming; any status is an answer.
    """
    target = clean_url(url)
    check_headers(headers + secrets, target)
    home = origin(target)
    for _ in range(MAX_REDIRECTS + 1):
        sent = headers + (secrets if origin(target) == home else ())
        answer = await _ask(http, target, sent, limits, method)
        try:
            location = answer.headers.get("location")
            if answer.status not in REDIRECTS or location is None:
                yield answer
                return
            await answer.discard()
        finally:
            await answer._response.aclose()
        target = redirected(target, location)
        if follow is not None:
            target = clean_url(follow(answer, target))
        check_never(target, never)
    raise too_many(url)


async def _ask(
    http: httpx2.AsyncClient,
    url: str,
    headers: tuple[tuple[str, str], ...],
    limits: Limits | None,
    method: str,
) -> Answer:
    extensions = {} if limits is None else {"limits": limits}
    try:
        request = http.build_request(method, url, headers=list(headers), extensions=extensions)
        response = await http.send(request, stream=True)
    except DatafetchError:
        raise
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise failure(error, url) from error
    return Answer(response, url)


def failure(error: Exception, url: str) -> TransferFailed:
    """Our word for what httpx or the engine raised."""
    cause = error.__cause__
    if isinstance(cause, Fault):
        why = cause.why
    elif isinstance(error, httpx2.TimeoutException):
        why = Why.TIMEOUT
    elif isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol):
        why = Why.BAD_URL
    elif isinstance(error, httpx2.ProtocolError | httpx2.DecodingError):
        why = Why.BAD_ANSWER
    else:
        why = Why.CONNECTION
    return network_failure(why, str(error), url)
