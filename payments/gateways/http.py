"""
One HTTP call, one deadline (`payments.deadline`), on httpx's own engine, httpcore.

No redirects, no proxies from the environment, no decompression: an answer is what came, or it is GatewayUnavailable.
"""

import dataclasses
import os
import ssl
import threading
import weakref
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpcore
import httpx

from payments.deadline import TRANSPORT_ERRORS, DeadlineBackend, time_left, within
from payments.gateways.base import GatewayUnavailable


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
        try:
            with within(self._limits.total_seconds):
                return self._exchange(method, url, {**headers, "Accept-Encoding": "identity"}, body)
        except TRANSPORT_ERRORS as error:
            raise GatewayUnavailable(f"{urlsplit(url).hostname}: {type(error).__name__} {error}".rstrip()) from error

    def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        extensions = {"timeout": {"pool": time_left()}}
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
                    network_backend=DeadlineBackend(connect_seconds=self._limits.connect_seconds),
                )
                weakref.finalize(self, self._pool.close)
            return self._pool
