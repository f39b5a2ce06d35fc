"""One call in this process, and what it sent to PostgreSQL: counted at the wire, by libpq's own trace."""

import dataclasses
import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.wsgi import get_wsgi_application
from django.db import connection

BRACKETS = ("BEGIN", "COMMIT")


@dataclasses.dataclass
class Traffic:
    """`statements` beside BEGIN and COMMIT; `transactions` that were opened by a BEGIN."""

    statements: int = 0
    transactions: int = 0


class App:
    def __init__(self) -> None:
        self.application = get_wsgi_application()

    def post(self, *, path: str, body: str, token: str) -> str:
        data = body.encode()
        environ = {
            "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1", "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(data)),
            "HTTP_AUTHORIZATION": f"Token {token}", "wsgi.input": io.BytesIO(data), "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr, "wsgi.version": (1, 0), "wsgi.multithread": False, "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }  # fmt: skip
        response = self.application(environ, lambda _status, _headers, _error=None: None)
        answer = b"".join(response).decode()
        response.close()
        return answer


@contextmanager
def traffic() -> Iterator[Traffic]:
    """Count what this thread's connection is asked inside the block, health checks and all."""
    counted = Traffic()
    connection.ensure_connection()
    with tempfile.TemporaryFile("w+") as trace:
        pgconn = connection.connection.pgconn
        pgconn.trace(trace.fileno())
        yield counted
        pgconn.untrace()
        trace.seek(0)
        for line in trace:
            _at, side, _length, message, *rest = [*line.split("\t"), "", "", ""]  # SQL goes on over many lines
            if side == "F" and message.strip() in {"Query", "Execute"}:
                text = rest[0].strip(' "\n')
                counted.transactions += text == "BEGIN"
                counted.statements += text not in BRACKETS
