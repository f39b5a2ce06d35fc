"""A server that answers as it is told: Alipay with its signature, or anything that is not Alipay."""

import base64
import collections
import contextlib
import http.server
import json
import socket
import struct
import threading
import time
import typing
import urllib.parse

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.servers import Server


def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(key):
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*pem).decode()


def public_pem(key):
    public = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(*public).decode()


def rsa2(key, content: bytes) -> str:
    return base64.b64encode(key.sign(content, padding.PKCS1v15(), hashes.SHA256())).decode()


def signed_answer(key, member, content, **beside) -> bytes:
    """An answer as Alipay signs it: over the exact text of the member, slashes escaped as PHP does."""
    text = json.dumps(content, ensure_ascii=False).replace("/", "\\/")
    rest = "".join(f',"{name}":{json.dumps(value)}' for name, value in beside.items())
    return f'{{"{member}":{text},"sign":"{rsa2(key, text.encode())}"{rest}}}'.encode()


def signed_notification(key, fields, *, charset="utf-8") -> bytes:
    content = "&".join(f"{name}={value}" for name, value in sorted(fields.items())).encode(charset)
    sent = {**fields, "sign_type": "RSA2", "sign": rsa2(key, content)}
    return urllib.parse.urlencode(sent, encoding=charset).encode()


class Request(typing.NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedServer:
    """Each step is called with the handler and writes what the peer is to see. `requests` holds what came in."""

    def __init__(self, *, ssl_context=None):
        self.steps, self.requests, self.connections = collections.deque(), [], 0
        script = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                script.connections += 1

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                script.requests.append(Request(self.command, self.path, dict(self.headers), body))
                with contextlib.suppress(OSError):  # the client may well have left
                    script.steps.popleft()(self)

            def do_POST(self):
                self.do_GET()

            def log_message(self, *args):
                pass

        class Unmoved(Server):
            def handle_error(self, *args):
                """A connection that a step has broken is no news."""

        self._server = Unmoved(("127.0.0.1", 0), Handler)
        if ssl_context:
            self._server.socket = ssl_context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        scheme = "https" if ssl_context else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}/gateway.do"

    @property
    def forms(self):
        """What came in, where that was forms."""
        return [dict(urllib.parse.parse_qsl(each.body.decode(), strict_parsing=True)) for each in self.requests]

    def then(self, *steps):
        self.steps.extend(steps)

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def body(content: bytes, *, status=200, **headers):
    def step(handler):
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return step


def drip_body(handler):
    """A head at once and then a byte at a time, for ever: each read comes well within any read timeout."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    _drip(handler)


def drip_head(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(handler)


def _drip(handler):
    for _ in range(200):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)
    handler.close_connection = True


def silence(handler):
    time.sleep(30)
    handler.close_connection = True


def reset(handler):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def hang_up(handler):
    """A head that promises more than comes."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")
    handler.close_connection = True


def not_http(handler):
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    handler.close_connection = True
