"""Gunicorn, for `make run` and for production alike: one process per core, few threads in each."""

import logging
import os
import subprocess
import sys
from typing import Any

from prometheus_client import multiprocess

wsgi_app = "config.wsgi:application"
bind = os.environ.get("WEB_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY") or len(os.sched_getaffinity(0)))
worker_class = "gthread"
threads = int(os.environ.setdefault("WEB_THREADS", "8"))
timeout = 30
graceful_timeout = 8  # a statement ends within 5 s
keepalive = 75  # longer than nginx keeps an idle connection, so that it is never nginx that finds one closed
max_requests = 20_000
max_requests_jitter = 2_000
accesslog = None  # the application logs requests itself, with their ids
control_socket_disable = True

os.environ.setdefault("STATEMENT_TIMEOUT_MS", "5000")
os.environ.setdefault("PROCESS_NAME", "web")


def on_starting(server: Any) -> None:
    """Refuse to serve with demonstration secrets, a simulator or DEBUG in production: Django's checks say which."""
    if os.environ.get("ONETILL_ENV", "production") != "production":
        return
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level=ERROR"]
    if subprocess.call(command, stdout=subprocess.DEVNULL):  # noqa: S603 -- our own command
        sys.exit(1)


def post_worker_init(worker: Any) -> None:
    """Send gunicorn's lines, which quote requests it cannot read, the application's way: as JSON, without secrets."""
    lines = logging.getLogger("gunicorn.error")
    lines.handlers.clear()
    lines.propagate = True


def child_exit(server: Any, worker: Any) -> None:
    """Let the metrics of a worker that is gone stop counting as alive."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(worker.pid)
