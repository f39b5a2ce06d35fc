"""Celery's worker for tests, with its clock: as `make run` starts them, on the database of the running test."""

import os
import signal
import sys

import pytest

from config import processes
from tests.web_process import ROOT, START_WITHIN_S, _test_database_url


class Worker:
    """Not running until `start`, which forgets what was queued before: rows alone say what is due."""

    def __init__(self, *, home):
        self._home, self._log, self._process = home, home / "worker.log", None

    def start(self, *, with_clock=False):
        """With its clock it looks every few seconds for what is due; without, it does what it is woken for."""
        command = [sys.executable, "-m", "celery", "--app=config.celery", "worker", "--pool=threads", "--concurrency=2"]
        command += ["--without-mingle", "--without-gossip", "--purge", "--loglevel=DEBUG"]
        command += ["--beat", f"--schedule={self._home / 'schedule'}"] if with_clock else []
        given = {"ONETILL_ENV": "test", "DATABASE_URL": _test_database_url(), "PROCESS_NAME": "worker"}
        given |= {"LOG_LEVEL": "DEBUG", "DJANGO_SETTINGS_MODULE": "config.settings"}
        said = len(self.log())
        self._process = processes.start("worker", command, log=self._log, env=os.environ | given, cwd=ROOT)
        self._process.wait_until(lambda: " ready." in self.log()[said:], seconds=START_WITHIN_S)

    def kill(self):
        """As the machine would: nothing is said, nothing is put back."""
        os.killpg(self._process.popen.pid, signal.SIGKILL)  # the group is its own: nobody else is in it
        self._process.popen.wait()

    def stop(self):
        if self._process is not None:
            processes.stop([self._process])

    def log(self):
        return self._log.read_text(errors="replace") if self._log.exists() else ""


@pytest.fixture
def worker(transactional_db, tmp_path):
    """It is gone before the tables are cleared: this fixture asks for the database, so it ends first."""
    worker = Worker(home=tmp_path)
    yield worker
    worker.stop()
