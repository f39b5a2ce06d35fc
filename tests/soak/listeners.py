"""
Where the shops are told of their orders: one server, a path for each of them, that sometimes has trouble itself.

Signatures are verified by the reference library of Standard Webhooks, which shares no line with ours.
"""

import contextlib
import http.server
import random
import threading
from collections import Counter, defaultdict

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.servers import Server

AILS = 0.1


class Listeners:
    """`heard` counts, for each shop, the events that it took, by id. Once `is_well`, nothing ails any more."""

    def __init__(self, *, seed, tally):
        self._rng, self._tally, self._lock = random.Random(f"{seed}-listeners"), tally, threading.Lock()
        self._secrets, self.heard, self.is_well = {}, defaultdict(Counter), False
        self._server = Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def expect(self, shops):
        self._secrets = {shop.name: shop.webhook_secret for shop in shops}

    def _take(self, name, headers, body):
        """The status to answer: no event that is not proven is taken, and none while the shop ails."""
        try:
            told = Webhook(self._secrets[name]).verify(body, headers)
        except (KeyError, WebhookVerificationError) as error:
            self._tally.trouble(f"a webhook to {name} is not proven ({error!r}): {body[:300]!r}")
            return 400
        with self._lock:
            if not self.is_well and self._rng.random() < AILS:
                self._tally.add("webhooks", "answered 500")
                return 500
            self.heard[name][headers["webhook-id"]] += 1
        self._tally.add("webhooks", told["type"])
        return 200

    def _handler(listeners):  # noqa: N805  two selves in one body
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): text for name, text in self.headers.items()}
                status = listeners._take(self.path.strip("/"), headers, body)
                with contextlib.suppress(ConnectionError):  # the worker was killed
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *args):
                pass

        return Handler
