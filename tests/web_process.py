"""Our own web server for tests: gunicorn as `make run` starts it, on the database of the running test."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
START_WITHIN_S = 120
STOP_WITHIN_S = 60


@contextlib.contextmanager
def held_port():
    """
    A socket with a port of its own on which nobody listens: callers are refused.

    A server that is started with it listens there. A port that is picked and let go may be another's by then.
    """
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held


class Web:
    """`url`, and a client that keeps its connections."""

    def __init__(self, *, url, process):
        self.url, self._process = url, process
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def stop(self):
        self.http.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=STOP_WITHIN_S)


@pytest.fixture
def web(transactional_db):
    """
    Two workers with eight threads each. Whatever they wrote is there for the test to read.

    They are gone before the tables are cleared: this fixture asks for the database, so it ends first.
    """
    with held_port() as held:
        url = "http://{}:{}".format(*held.getsockname())
        command = [sys.executable, "-m", "gunicorn", "tests.faults.wsgi:application", "-b", f"fd://{held.fileno()}"]
        command += ["--workers", "2", "--worker-class", "gthread", "--threads", "8", "--log-level", "error"]
        command += ["--no-control-socket", "--graceful-timeout", "8"]
        environment = os.environ | {"ONETILL_ENV": "test", "DATABASE_URL": _test_database_url(), "BASE_URL": url}
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, pass_fds=[held.fileno()]
        )  # fmt: skip
    _wait(url, process)
    running = Web(url=url, process=process)
    yield running
    running.stop()


def _test_database_url():
    """DATABASE_URL names the server; the tests have a database of their own on it."""
    given = os.environ["DATABASE_URL"]
    name = connection.settings_dict["NAME"]
    head, _question, query = given.partition("?")
    return head.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")


def _wait(url, process):
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "gunicorn ended"
        try:
            if httpx.get(f"{url}/healthz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    process.kill()
    raise AssertionError(f"nothing answers at {url} with {settings.DATABASES['default']['NAME']}")


def eventually(check, *, within_s=60):
    """Wait until `check()` is true and return what it returned; fail when it never is, which only then takes long."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {within_s} s: {check}")
