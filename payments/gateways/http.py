"""
One HTTP call, one deadline.

httpx limits the time of each read, not of the whole answer: a peer that sends one byte a second holds a thread for
hours. So this sits on httpx's own engine, httpcore, where every use of the socket (connect, TLS, headers, body) can
be given what is left of the call's time. Looking a name up is the one step the deadline does not reach.
No redirects, no proxies from the environment, no decompression: an answer is what came, or it is GatewayUnavailable.
"""

import contextvars
import dataclasses
import os
import ssl
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from payments.gateways.base import GatewayUnavailable

TRANSPORT_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)

_deadline: contextvars.ContextVar[float] = contextvars.ContextVar("deadline")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    total_seconds: float = 8
    connect_seconds: float = 3
    body_bytes: int = 256 * 1024
    connections: int = 50


class HttpClient:
    """
    A connection pool for one gateway, opened with the first call in each process and thus never shared over a fork.
    Safe for threads.
    """

    def __init__(self, *, limits: Limits | None = None, ssl_context: ssl.SSLContext | None = None) -> None:
        self._limits = limits or Limits()
        self._ssl_context = ssl_context
        self._lock = threading.Lock()
        self._pool: httpcore.ConnectionPool | None = None
        self._pid = 0

    def call(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """
        Any complete answer, whatever its status.

        :raises GatewayUnavailable: no complete answer of bearable size in time. The request may have arrived.
        """
        token = _deadline.set(time.monotonic() + self._limits.total_seconds)
        try:
            return self._exchange(method, url, {**headers, "Accept-Encoding": "identity"}, body)
        except TRANSPORT_ERRORS as error:
            raise GatewayUnavailable(f"{urlsplit(url).hostname}: {type(error).__name__} {error}".rstrip()) from error
        finally:
            _deadline.reset(token)

    def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        extensions = {"timeout": {"pool": _time_left()}}
        host = urlsplit(url).netloc.rpartition("@")[2]
        fields: list[tuple[bytes | str, bytes | str]] = [("Host", host), ("Content-Length", str(len(body)))]
        fields += headers.items()
        with self._open_pool().stream(method, url, headers=fields, content=body, extensions=extensions) as response:
            received = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            if received.get("content-encoding", "identity") != "identity":
                raise GatewayUnavailable("an encoded answer, though none was asked for")
            return Answer(status=response.status, headers=received, body=self._read(response))

    def _read(self, response: httpcore.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > self._limits.body_bytes:
                raise GatewayUnavailable(f"an answer of more than {self._limits.body_bytes} bytes")
        return bytes(body)

    def _open_pool(self) -> httpcore.ConnectionPool:
        with self._lock:
            if self._pool is None or self._pid != os.getpid():
                self._pid = os.getpid()
                self._pool = httpcore.ConnectionPool(
                    ssl_context=self._ssl_context or httpx.create_ssl_context(trust_env=False),
                    max_connections=self._limits.connections,
                    keepalive_expiry=30,
                    network_backend=_DeadlineBackend(connect_seconds=self._limits.connect_seconds),
                )
                weakref.finalize(self, self._pool.close)
            return self._pool


def _time_left(most: float | None = None) -> float:
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline has passed")
    return left if most is None else min(left, most)


class _DeadlineBackend(httpcore.NetworkBackend):
    def __init__(self, *, connect_seconds: float) -> None:
        self._connect_seconds = connect_seconds
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        seconds = _time_left(self._connect_seconds)
        return _DeadlineStream(self._backend.connect_tcp(host, port, seconds, local_address, socket_options))


class _DeadlineStream(httpcore.NetworkStream):
    """Each use of the socket is given what is left of the call's time, not a time of its own."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _time_left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _time_left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, _time_left()))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
