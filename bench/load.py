"""
Load: ready-made HTTP requests over a fixed number of kept connections, one outstanding on each.

One thread and epoll, nothing parsed but status and length, so that the generator takes little of the two cores that
it shares with what it measures.
"""

import dataclasses
import selectors
import socket
import statistics
import time
from collections.abc import Iterator, Sequence

STALLED_SECONDS = 20
CONNECT_PAUSE_SECONDS = 0.01  # so that both workers get to accept


class LoadFailed(Exception):
    """The server said something else than 200, or nothing. The message shows what."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Load:
    seconds: float
    latencies_ms: Sequence[float]

    @property
    def rate(self) -> float:
        return len(self.latencies_ms) / self.seconds

    @property
    def p99_ms(self) -> float:
        return statistics.quantiles(self.latencies_ms, n=100)[98]


def post(*, path: str, body: str, token: str = "") -> bytes:
    """Return the bytes of one POST."""
    data = body.encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Token {token}\r\n" if token else ""
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=STALLED_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def is_answered(self) -> bool:
        chunk = self.socket.recv(65536)
        self.received += chunk
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not chunk or (end and not head.startswith(b"HTTP/1.1 200")):
            raise LoadFailed(self.received.decode(errors="replace") or "the connection was closed")
        if not end:
            return False
        _before, _name, rest = head.lower().partition(b"content-length:")
        return len(body) >= int(rest.split(b"\r\n", 1)[0])


def fire(*, port: int, requests: Iterator[bytes], clients: int, seconds: float) -> Load:
    """
    Keep `clients` connections busy for `seconds`, or until there are no more requests.

    :raises LoadFailed: at the first answer that is not 200
    """
    latencies_ms: list[float] = []
    connections = []
    with selectors.DefaultSelector() as selector:
        for _client in range(clients):
            connection = _Connection(port)
            connections.append(connection)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            time.sleep(CONNECT_PAUSE_SECONDS)
        started = time.perf_counter()
        busy = 0
        for connection, request in zip(connections, requests, strict=False):
            connection.send(request)
            busy += 1
        while busy:
            ready = selector.select(STALLED_SECONDS)
            if not ready:
                raise LoadFailed("no answer")
            for key, _events in ready:
                if not key.data.is_answered():
                    continue
                now = time.perf_counter()
                latencies_ms.append((now - key.data.sent_at) * 1000)
                request = next(requests, None) if now - started < seconds else None
                if request is None:
                    busy -= 1
                else:
                    key.data.send(request)
        ended = time.perf_counter()
    for connection in connections:
        connection.socket.close()
    return Load(seconds=ended - started, latencies_ms=latencies_ms)
