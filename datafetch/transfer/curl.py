"""What libcurl is told, and what its errors mean in our words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import pycurl

from datafetch.model import Why

BUFFER = 512 << 10
_SUPPRESS_CONNECT_HEADERS = 265  # CURLOPT_SUPPRESS_CONNECT_HEADERS, which pycurl has no name for


@dataclass(frozen=True, slots=True)
class Limits:
    """Every wait and every size has an end. Times are seconds."""

    connect: float = 15.0
    low_speed: int = 1024  # bytes per second …
    low_speed_time: int = 30  # … over this many seconds
    total: float | None = None
    header_bytes: int = 64 << 10
    body_bytes: int | None = None


class Ask(msgspec.Struct, frozen=True):
    """One request. `url` is clean already; redirects are not followed."""

    url: str
    headers: tuple[str, ...] = ()  # "Name: value"
    method: str = "GET"
    body: bytes = b""
    permit_private: bool = False
    proxy: str = ""
    login: str = ""  # "user:password" for this host
    limits: Limits = Limits()


class Fault(Exception):
    """A transfer that libcurl or one of our limits ended."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why


@dataclass(frozen=True, slots=True)
class Trust:
    """Where the certificates lie that TLS peers are checked against."""

    file: str = ""
    folder: str = ""


def fixed(trust: Trust, user_agent: str) -> Mapping[int, object]:
    """What is the same for every request of a run."""
    fixed: dict[int, object] = {
        pycurl.NOSIGNAL: 1,
        pycurl.NOPROGRESS: 1,
        pycurl.USERAGENT: user_agent,
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        pycurl.HTTP09_ALLOWED: 0,
        pycurl.HTTP_CONTENT_DECODING: 0,
        pycurl.FOLLOWLOCATION: 0,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.BUFFERSIZE: BUFFER,
        pycurl.TCP_KEEPALIVE: 1,
        pycurl.NOPROXY: "",  # that was decided before: libcurl must not decide again
        pycurl.SSL_VERIFYPEER: 1,
        pycurl.SSL_VERIFYHOST: 2,
        _SUPPRESS_CONNECT_HEADERS: 1,
    }
    if trust.file:
        fixed[pycurl.CAINFO] = os.fsencode(trust.file)
    if trust.folder:
        fixed[pycurl.CAPATH] = os.fsencode(trust.folder)
    return fixed


def limiting(limits: Limits) -> Mapping[int, object]:
    return {
        pycurl.CONNECTTIMEOUT_MS: int(limits.connect * 1000),
        pycurl.LOW_SPEED_LIMIT: limits.low_speed,
        pycurl.LOW_SPEED_TIME: limits.low_speed_time,
        pycurl.TIMEOUT_MS: int((limits.total or 0) * 1000),
        pycurl.MAXFILESIZE_LARGE: limits.body_bytes or 0,
    }


_BAD = (Why.BAD_ANSWER, "the server does not speak proper HTTP")
_TLS = (Why.TLS, "the server's certificate cannot be trusted")
_FAULTS: Mapping[int, tuple[Why, str]] = {
    pycurl.E_COULDNT_RESOLVE_HOST: (Why.DNS, "the name of the host is not known"),
    pycurl.E_COULDNT_RESOLVE_PROXY: (Why.DNS, "the name of the proxy is not known"),
    pycurl.E_COULDNT_CONNECT: (Why.CONNECTION, "no connection to the server"),
    pycurl.E_OPERATION_TIMEDOUT: (Why.TIMEOUT, "the server did not answer in time"),
    pycurl.E_PARTIAL_FILE: (Why.SHORT, "the connection ended before the file did"),
    pycurl.E_GOT_NOTHING: (Why.CONNECTION, "the server closed the connection without an answer"),
    pycurl.E_RECV_ERROR: (Why.CONNECTION, "the connection broke"),
    pycurl.E_SEND_ERROR: (Why.CONNECTION, "the connection broke"),
    pycurl.E_FILESIZE_EXCEEDED: (Why.TOO_LARGE, "the answer is longer than allowed"),
    pycurl.E_UNSUPPORTED_PROTOCOL: _BAD,  # an answer in HTTP/0.9
    pycurl.E_FTP_WEIRD_SERVER_REPLY: _BAD,  # the number is shared with HTTP
    pycurl.E_BAD_CONTENT_ENCODING: _BAD,
    pycurl.E_URL_MALFORMAT: (Why.BAD_URL, "the address cannot be read"),
    pycurl.E_PEER_FAILED_VERIFICATION: _TLS,
    pycurl.E_SSL_ISSUER_ERROR: _TLS,
    pycurl.E_SSL_CACERT_BADFILE: (Why.TLS, "the file of trusted certificates cannot be read"),
    pycurl.E_OUT_OF_MEMORY: (Why.UNKNOWN, "not enough memory"),
}


def fault_of(code: int, message: str) -> Fault:
    """The Fault for an error of libcurl."""
    if code == pycurl.E_OPERATION_TIMEDOUT and "too slow" in message:
        return Fault(Why.TOO_SLOW, "the server sends too slowly")
    why, text = _FAULTS.get(code, (Why.CONNECTION, "the connection failed"))
    return Fault(why, f"{text} ({message})" if message else text)
