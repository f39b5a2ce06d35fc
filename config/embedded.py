"""
python -m config.embedded exec -- CMD…

Runs CMD beside a throwaway PostgreSQL and Redis and returns its exit status. DATABASE_URL and REDIS_URL, where set,
replace the embedded ones.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from config import processes, servers
from config.processes import Interruption, Process, ProcessFailed

PREFIX = "onetill-exec-"


def execute(command: list[str]) -> int:
    """Run `command` beside a throwaway pair. Its exit status; 128 + n when signal n ended it, as shells say it."""
    stopped = Interruption()
    try:
        with throwaway(os.environ) as urls:
            if stopped.signum:
                return 128 + stopped.signum
            environment = {"ONETILL_ENV": "test", **os.environ, **urls}
            child = subprocess.Popen(  # noqa: S603 -- the command is the caller's own
                command,
                env=environment,
                preexec_fn=processes.die_with_parent(signal.SIGTERM),  # noqa: PLW1509 -- we have no threads
            )
            status = stopped.wait_for(child)
    except (ProcessFailed, FileNotFoundError, PermissionError) as problem:
        print(problem, file=sys.stderr)  # noqa: T201
        return 127
    return status if status >= 0 else 128 - status


@contextlib.contextmanager
def throwaway(given: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The environment of a fresh pair; a server that `given` names already is not started."""
    started: list[Process] = []
    urls: dict[str, str] = {}
    with _throwaway_directory() as directory:
        try:
            for variable, name, start in (
                ("DATABASE_URL", "postgres", servers.start_postgres),
                ("REDIS_URL", "redis", servers.start_redis),
            ):
                if not given.get(variable):
                    server = start(data=directory / name, log=directory / f"{name}.log", durable=False)
                    started.append(server.process)
                    urls[variable] = server.url
            yield urls
        finally:
            processes.stop(started)


@contextlib.contextmanager
def _throwaway_directory() -> Iterator[Path]:
    room = _throwaway_room()
    _sweep(room)
    directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=room))
    directory.chmod(0o711)  # root's PostgreSQL runs as nobody and must pass through
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _throwaway_room() -> Path:
    room = Path(tempfile.gettempdir())
    fits = servers.fits_socket(room / f"{PREFIX}12345678" / "postgres")
    return room if fits and servers.can_enter(servers.server_account(), room) else servers.SPARE_ROOM


def _sweep(room: Path) -> None:
    """Remove what launchers that were killed could not."""
    for left in room.glob(f"{PREFIX}*/lock"):
        with contextlib.suppress(OSError), left.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left.parent, ignore_errors=True)


def main(arguments: list[str]) -> int:
    if arguments[:2] == ["exec", "--"] and arguments[2:]:
        return execute(arguments[2:])
    print("usage: python -m config.embedded exec -- CMD…", file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
