"""
A crossing between us and the simulator: calls pass on, and what comes back is spoilt on its way, as the test says.

Each step is used up by one call. It is given the handler and what carries the call over, and writes what we get to see;
without steps everything passes.
"""

import collections
import gzip
import http.server
import socket
import struct
import threading
from urllib.parse import urlsplit

import httpx

from tests.servers import Server

HOP = {"connection", "content-length", "transfer-encoding", "keep-alive", "date", "server", "host", "accept-encoding"}


class Crossing:
    def __init__(self, url):
        self.steps, self.passed = collections.deque(), 0
        self.dripping = threading.Event()  # set: what drips comes to an end
        parts = urlsplit(url)
        self._http = httpx.Client(base_url=f"{parts.scheme}://{parts.netloc}", timeout=30, trust_env=False)
        crossing = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                step = crossing.steps.popleft() if crossing.steps else as_it_is
                try:
                    step(self, lambda: crossing._pass(self, body))
                except OSError:  # the caller has left: that is what some steps are for
                    self.close_connection = True

            def do_POST(self):
                self.do_GET()

            def log_message(self, *args):
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.crossing = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def lead(self, account):
        """Have an account's calls go this way."""
        account.base_url = self.url + urlsplit(account.base_url).path
        account.save()
        return account

    def then(self, *steps):
        self.steps.extend(steps)

    def stop(self):
        self.dripping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._http.close()

    def _pass(self, handler, body):
        self.passed += 1
        headers = {name: text for name, text in handler.headers.items() if name.lower() not in HOP}
        answer = self._http.request(handler.command, handler.path, headers=headers, content=body)
        kept = {name: text for name, text in answer.headers.items() if name.lower() not in HOP}
        return answer.status_code, kept, answer.content


def _write(handler, status, headers, body, *, length=None):
    handler.send_response(status)
    for name, text in headers.items():
        handler.send_header(name, text)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def as_it_is(handler, carry):
    _write(handler, *carry())


def under(status):
    """The genuine answer, its signature and all, under another status."""

    def step(handler, carry):
        _status, headers, body = carry()
        _write(handler, status, headers, body)

    return step


def spoilt(spoil, *, status=None, **added):
    """The genuine headers over a body that was spoilt."""

    def step(handler, carry):
        was, headers, body = carry()
        _write(handler, status or was, headers | added, spoil(body))

    return step


def instead(body, *, status=200, **headers):
    """Nothing passes: somebody on the way answers."""
    return lambda handler, carry: _write(handler, status, headers, body)


def kept(answers):
    """The genuine answer, a copy of which is kept: `instead(body, status=…, **headers)` gives it to another call."""

    def step(handler, carry):
        answers.append(carry())
        _write(handler, *answers[-1])

    return step


def half(handler, carry):
    status, headers, body = carry()
    _write(handler, status, headers, body[: len(body) // 2], length=len(body) + 1)
    handler.close_connection = True


def endless(handler, carry):
    """100 MB behind the genuine headers, as fast as they are taken."""
    status, headers, _body = carry()
    _write(handler, status, headers, b"", length=100_000_000)
    for _megabyte in range(100):
        handler.wfile.write(b" " * 1_000_000)


def reset(handler, carry):
    """Cut the line before anything has passed."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def reset_afterwards(handler, carry):
    carry()
    reset(handler, carry)


def drip(handler, carry):
    """The genuine answer, a byte a second."""
    status, headers, body = carry()
    _write(handler, status, headers, b"", length=len(body) or 1)
    for at in range(len(body) or 1):
        if handler.server.crossing.dripping.wait(1):
            break
        handler.wfile.write(body[at : at + 1])
    handler.close_connection = True


def silence(handler, carry):
    carry()
    handler.server.crossing.dripping.wait(60)
    handler.close_connection = True


# What is no answer, though some of it passed: the call was carried out at the gateway.
PASSED = {
    "half of it": half,
    "reset afterwards": reset_afterwards,
    "100 MB": endless,
    "gzip": spoilt(gzip.compress, **{"Content-Encoding": "gzip"}),
    "gzip unsaid": spoilt(gzip.compress),
    "a bomb": spoilt(lambda _body: gzip.compress(bytes(10_000_000)), **{"Content-Encoding": "gzip"}),
    "utf-16": spoilt(lambda body: body.decode().encode("utf-16") or b"\xff\xfe"),
    "twice": spoilt(lambda body: body + body if body else b"{}"),
    "a byte more": spoilt(lambda body: body[: len(body) // 2] + b"x" + body[len(body) // 2 :]),
    "500": under(500),
    "502": under(502),
    "429": under(429),
    "a redirect": under(302),
}
# Those of them that strike an answer without a body, as APIv3 gives one to a close.
WITHOUT_BODY = ("reset afterwards", "500", "502", "429", "a redirect")
# What somebody else answered: the gateway has heard of nothing.
STOPPED = {
    "a page": instead(b"<html>502 Bad Gateway</html>", status=502),
    "a page under 200": instead(b"<html>Log in to the network</html>"),
    "nothing": instead(b""),
    "no content": instead(b"", status=204),
    "text": instead(b"success"),
    "json": instead(b'{"trade_state":"SUCCESS"}'),
    "gbk": instead("<xml><return_msg>签名错误</return_msg></xml>".encode("gbk")),
    "429": instead(b"slow down", status=429),
    "503": instead(b"", status=503),
    "a redirect": instead(b"", status=302, Location="http://127.0.0.1:9/"),
    "reset": reset,
}
