"""Our own web server for tests: gunicorn as `make run` starts it, on the database of the running test."""

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
START_WITHIN_S = 30


class Web:
    """`url`, and a client that keeps its connections."""

    def __init__(self, *, url, process):
        self.url, self._process = url, process
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def stop(self):
        self.http.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=30)


@pytest.fixture
def web(transactional_db):
    """Two workers with eight threads each. Whatever they wrote is there for the test to read."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "gunicorn", "tests.faults.wsgi:application", "-b", f"127.0.0.1:{port}"]
    command += ["--workers", "2", "--worker-class", "gthread", "--threads", "8", "--log-level", "error"]
    environment = os.environ | {"ONETILL_ENV": "test", "DATABASE_URL": _test_database_url(), "BASE_URL": url}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
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


def eventually(check, *, within_s=15):
    """Wait until `check()` is true and return what it returned; fail when it never is."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {within_s} s: {check}")
