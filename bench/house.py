"""The servers that are measured: a durable PostgreSQL of our own, and gunicorn as `make run` starts it."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

from config import processes, servers

TREE = Path(__file__).resolve().parent.parent
READY_SECONDS = 30


@contextlib.contextmanager
def postgres() -> Iterator[tuple[str, Path]]:
    """
    Start a durable PostgreSQL: fsync, full-page writes and synchronous commit as in `make run`. Yields URL and room.

    Always a fresh one, whatever DATABASE_URL says: it is filled, counted in and thrown away. Autovacuum is off so
    that no round has it and another not; `vacuum` runs between rounds.
    """
    room = Path(tempfile.mkdtemp(prefix="onetill-bench-", dir=servers.SPARE_ROOM))
    room.chmod(0o711)  # root's PostgreSQL runs as nobody and must pass through
    try:
        server = servers.start_postgres(data=room / "postgres", log=room / "postgres.log", durable=True)
        try:
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET autovacuum = off")
                connection.execute("SELECT pg_reload_conf()")
            yield server.url, room
        finally:
            processes.stop([server.process])
    finally:
        shutil.rmtree(room, ignore_errors=True)


def another_database(name: str) -> str:
    """Make a database beside the one of DATABASE_URL. Returns its URL."""
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{url.rpartition('/')[0]}/{name}"


def manage(*command: str, url: str) -> None:
    """Run one of our commands on a database, without the web's time limit. What it tells goes to our stderr."""
    environment = {**os.environ, "DATABASE_URL": url, "STATEMENT_TIMEOUT_MS": "0"}
    subprocess.run([sys.executable, "manage.py", *command], env=environment, cwd=TREE, check=True, stdout=sys.stderr)


def vacuum() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


@contextlib.contextmanager
def gunicorn(*, name: str, app: str, room: Path) -> Iterator[int]:
    """Serve a WSGI application with the settings of `make run`. Yields its port."""
    port = servers.free_port()
    metrics = room / f"{name}-metrics"
    metrics.mkdir()
    env = {
        **os.environ,
        "WEB_BIND": f"127.0.0.1:{port}",
        "PROCESS_NAME": name,
        "LOG_LEVEL": "INFO",
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
    }
    command = [sys.executable, "-m", "gunicorn", "--config=deploy/gunicorn.conf.py", "--max-requests=0", app]
    process = processes.start(name, command, log=room / f"{name}.log", env=env, cwd=TREE)
    try:
        process.wait_until(lambda: servers.listens(port), seconds=READY_SECONDS)
        yield port
    finally:
        processes.stop([process])
