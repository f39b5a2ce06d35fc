"""
One deadline for a whole HTTP call.

httpx and httpcore limit the time of each read, not of the whole answer: a peer that sends one byte a second holds a
thread for hours. With this network backend every use of the socket (connect, TLS, headers, body) is given what is left
of the call's time. Looking a name up is the one step the deadline does not reach: see `outbox.sender`.
"""

import contextlib
import contextvars
import ssl
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore

TRANSPORT_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)

_deadline: contextvars.ContextVar[float] = contextvars.ContextVar("deadline")


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give the calls made inside `seconds` altogether."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def time_left(most: float | None = None) -> float:
    """
    Return the seconds that are left, at most `most`.

    :raises httpcore.ReadTimeout: if none are
    """
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline has passed")
    return left if most is None else min(left, most)


class DeadlineBackend(httpcore.NetworkBackend):
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
        seconds = time_left(self._connect_seconds)
        return _DeadlineStream(self._backend.connect_tcp(host, port, seconds, local_address, socket_options))


class _DeadlineStream(httpcore.NetworkStream):
    """Each use of the socket is given what is left of the call's time, not a time of its own."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, time_left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, time_left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, time_left()))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
