"""A merchant's server that takes notifications and answers as the test says."""

import contextlib
import http.server
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import parse_qsl

from tests.servers import Server


class Receiver:
    """
    `received` holds what came, as `read` reads it, in order. `answers` are given in turn, `success` when they are
    used up. While `answering` is not set, it stays silent.
    """

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.times: list[float] = []
        self.answers: list[tuple[int, bytes]] = []
        self.answering = threading.Event()
        self.answering.set()
        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/notify"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.answering.set()
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, count: int) -> list[Any]:
        """What came, once at least `count` deliveries did."""
        eventually(lambda: len(self.received) >= count, what=f"{count} deliveries, came {len(self.received)}")
        return self.received

    def read(self, headers: Mapping[str, str], body: bytes) -> Any:
        """What to keep of a delivery; here, a form."""
        return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))

    def take(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        with self._lock:
            self.times.append(time.monotonic())
            self.received.append(self.read(headers, body))
            answer = self.answers.pop(0) if self.answers else (200, b"success")
        self.answering.wait()
        return answer

    def _handler(receiver) -> type[http.server.BaseHTTPRequestHandler]:  # noqa: N805  (two selves in one body)
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status, answer = receiver.take(dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])))
                with contextlib.suppress(ConnectionError):  # the caller was killed
                    self.answer(status, answer)

            def answer(self, status: int, answer: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def eventually(holds: Callable[[], Any], *, within_s: float = 60, what: str = "it") -> Any:
    deadline = time.monotonic() + within_s
    while not (result := holds()):
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.02)
    return result
