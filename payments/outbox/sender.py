"""
One POST to a stranger's address, which may lead anywhere: into our own network, to a server that never ends, to no one.

A name is looked up once, every address it has is judged, and the connection goes to a judged one, so that a name which
changes its mind meanwhile gains nothing. TLS and the Host header keep the name. No redirects, no proxies from the
environment, no more of an answer than is kept, one deadline over all, looking up included.
"""

import dataclasses
import functools
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Self
from urllib.parse import urlsplit

import httpcore
import httpx
import structlog

from payments import deadline
from payments.outbox import addresses
from payments.outbox.addresses import Address
from payments.transactions import outside_transaction

log = structlog.get_logger(__name__)

TOTAL_S = 10
CONNECT_S = 3
ANSWER_BYTES_MAX = 1_024
USER_AGENT = "Onetill-Webhooks/1.0"
LOOKUPS_MAX = 64  # at once in this process, those included that nobody waits for any more
_lookups = threading.BoundedSemaphore(LOOKUPS_MAX)

Lookup = Callable[[str, int], list[str]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one attempt: an HTTP status, or the reason why there is none."""

    status: int | None = None
    error: str = ""
    answer: str = ""
    retry_after: str = ""
    elapsed_ms: int = 0

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        return self.status == 410

    @property
    def complaint(self) -> str:
        """What was wrong, for people."""
        return self.error or f"HTTP {self.status}"


class Forbidden(httpcore.ConnectError):
    """
    The name resolves to an address that webhooks may not go to.

    Which one, the client is not told: it would learn what our own network looks like.
    """

    def __init__(self) -> None:
        super().__init__("the address is not public")


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for _family, _type, _protocol, _name, address in found]


class Sender:
    """Keeps its connections until it is closed. Safe for threads."""

    def __init__(self, *, lookup: Lookup = resolve, total_s: float = TOTAL_S, connections: int = 16) -> None:
        self._total_s = total_s
        self._pool = httpcore.ConnectionPool(
            ssl_context=_ssl_context(),
            max_connections=connections,
            keepalive_expiry=5,
            network_backend=_GuardedBackend(lookup=lookup),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    @outside_transaction
    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Result:
        """POST once and say what came of it. Never raises."""
        started = time.monotonic()
        try:
            with deadline.within(self._total_s):
                result = self._exchange(url, headers=headers, body=body)
        except Forbidden as error:
            result = Result(error=str(error))
        except (*deadline.TRANSPORT_ERRORS, OSError, ValueError) as error:
            result = Result(error=f"{type(error).__name__} {error}".rstrip())
        return dataclasses.replace(result, elapsed_ms=round((time.monotonic() - started) * 1_000))

    def _exchange(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Result:
        fields: list[tuple[bytes | str, bytes | str]] = [
            ("Host", urlsplit(url).netloc),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("User-Agent", USER_AGENT),
            ("Accept-Encoding", "identity"),
            *headers.items(),
        ]
        extensions = {"timeout": {"pool": deadline.time_left()}}
        with self._pool.stream("POST", url, headers=fields, content=body, extensions=extensions) as response:
            received = {name.lower(): value.decode("latin-1") for name, value in response.headers}
            return Result(
                status=response.status, answer=_beginning(response), retry_after=received.get(b"retry-after", "")
            )


def _beginning(response: httpcore.Response) -> str:
    """Return the beginning of an answer's body. Its status has said what counts: to break off here changes nothing."""
    body = bytearray()
    try:
        for chunk in response.iter_stream():
            body += chunk
            if len(body) >= ANSWER_BYTES_MAX:
                break
    except deadline.TRANSPORT_ERRORS:
        pass
    return body[:ANSWER_BYTES_MAX].decode(errors="replace").replace("\x00", "�")


@functools.cache
def _ssl_context() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


class _GuardedBackend(deadline.DeadlineBackend):
    def __init__(self, *, lookup: Lookup) -> None:
        super().__init__(connect_seconds=CONNECT_S)
        self._lookup = lookup

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of `host` that answers, if all of them may be connected to."""
        error: Exception = httpcore.ConnectError("the name has no address")
        for address in self._judged(host, port):
            try:
                return super().connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error

    def _judged(self, host: str, port: int) -> list[Address]:
        allowed = addresses.private_networks()
        found = [ipaddress.ip_address(text.partition("%")[0]) for text in _looked_up(self._lookup, host, port)]
        for address in found:
            if not addresses.is_allowed(address, allowed=allowed):
                log.warning("webhook_forbidden", host=host, address=str(address))
                raise Forbidden
        return found


def _looked_up(lookup: Lookup, host: str, port: int) -> list[str]:
    """
    Look a name up in the time that is left.

    In a thread of its own, for a resolver cannot be interrupted: one that hangs is left behind, and holds up neither
    the sender nor the end of the process.

    :raises httpcore.ConnectTimeout: if there is no answer in time, or if too many are waited for already
    """
    answer: Future[list[str]] = Future()
    room = _lookups

    def ask() -> None:
        try:
            answer.set_result(lookup(host, port))
        except BaseException as error:  # noqa: BLE001  it is raised where it is waited for
            answer.set_exception(error)
        finally:
            room.release()

    late = httpcore.ConnectTimeout("the name was not looked up in time")
    if not room.acquire(timeout=deadline.time_left()):
        raise late
    threading.Thread(target=ask, name=f"look up {host}", daemon=True).start()
    try:
        return answer.result(timeout=deadline.time_left())
    except TimeoutError as error:
        raise late from error
