"""
python -m config.launcher [clean]

What `make run` and `make clean` do: the whole house on one machine. PostgreSQL, Redis, simulator, web, worker and beat,
all children of this process, all gone when it goes. The data stays: in var/, or where var/data-directory says.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from config import processes, servers
from config.processes import Interrupted, Interruption, Process, ProcessFailed

TREE = Path(__file__).resolve().parent.parent
VAR = TREE / "var"
ENV_FILE = VAR / "onetill.env"
WEB_PORT = 8000
SIMULATOR_PORT = 8100
# Idle connections live longer there than in our client's pool, as at the gateways: it never meets one that is closing.
SIMULATOR_SERVER = (
    "--worker-class=gthread", "--workers=1", "--threads=16", "--keep-alive=75", "--no-control-socket",
)  # fmt: skip
READY_SECONDS = 90
PORTS_TRIED = 100
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy leads to our own loopback


class AlreadyRunning(Exception):
    """Another launcher holds this tree's data. The message says where it is to be found."""


class House:
    """Everything that runs, in the order in which it was started."""

    def __init__(self, *, data: Path, interruption: Interruption) -> None:
        self.data = data
        self.logs = VAR / "log"
        self.interruption = interruption
        self.servers: list[Process] = []
        self.programs: list[Process] = []
        self.web_port = free_port_from(int(os.environ.get("WEB_PORT", WEB_PORT)))
        self.simulator_port = free_port_from(
            int(os.environ.get("SIMULATOR_PORT", SIMULATOR_PORT)), other_than=self.web_port
        )
        self.base_url = f"http://127.0.0.1:{self.web_port}"
        self.simulator_url = f"http://127.0.0.1:{self.simulator_port}"
        self.env = {
            "BASE_URL": self.base_url,
            "SIMULATOR_URL": self.simulator_url,
            **os.environ,
            "ONETILL_ENV": "sandbox",  # the demonstration's secrets are public: this command knows no other mode
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONUNBUFFERED": "1",
        }

    def start(self) -> str:
        """Start all of it. What demo_data has to say: how to log in, and a first order to paste."""
        self.start_servers()
        self.write_env_file()
        self.start_simulator()
        say("Preparing the database")
        self.manage("migrate", "--noinput", "--verbosity=0")
        say("Preparing the demonstration's customers, goods and keys")
        introduction = self.manage("demo_data")
        self.start_worker()
        self.start_web()
        return introduction

    def start_servers(self) -> None:
        for variable, name, start in (
            ("DATABASE_URL", "postgres", servers.start_postgres),
            ("REDIS_URL", "redis", servers.start_redis),
        ):
            if self.env.get(variable):
                say(f"Using the server that {variable} names")
                continue
            say(f"Starting {name}, data in {self.data / name}")
            server = start(data=self.data / name, log=self.logs / f"{name}.log", durable=True)
            self.servers.append(server.process)
            self.env[variable] = server.url
            self.interruption.check()

    def write_env_file(self) -> None:
        """Let `manage.py` in another shell talk to the system that runs."""
        names = ("ONETILL_ENV", "BASE_URL", "SIMULATOR_URL", "DATABASE_URL", "REDIS_URL")
        ENV_FILE.touch(mode=0o600)
        ENV_FILE.write_text("".join(f"{name}='{self.env[name]}'\n" for name in names))

    def start_simulator(self) -> None:
        directory = self.data / "simulator"
        directory.mkdir(exist_ok=True)
        address = f"127.0.0.1:{self.simulator_port}"
        say(f"Starting the gateways' simulator on {self.simulator_url}")
        process = self.python(
            "simulator",
            ["gunicorn", "payments.simulator.wsgi:application", *SIMULATOR_SERVER, f"--bind={address}"],
            SIMULATOR_DIR=str(directory),
        )
        self.wait_until(process, lambda: answers(f"http://{address}/"))

    def start_worker(self) -> None:
        say("Starting the worker and its clock")
        celery = ["celery", "--app=config.celery"]
        self.python(
            "worker",
            [*celery, "worker", "--pool=threads", "--concurrency=4", "--without-mingle", "--without-gossip"],
            PROCESS_NAME="worker",
            STATEMENT_TIMEOUT_MS="60000",
        )
        self.python("beat", [*celery, "beat", f"--schedule={self.data / 'beat-schedule'}"], PROCESS_NAME="beat")

    def start_web(self) -> None:
        metrics = VAR / "metrics"
        shutil.rmtree(metrics, ignore_errors=True)
        metrics.mkdir()
        say(f"Starting the web server on {self.base_url}")
        process = self.python(
            "web",
            ["gunicorn", "--config=deploy/gunicorn.conf.py"],
            WEB_BIND=f"127.0.0.1:{self.web_port}",
            PROMETHEUS_MULTIPROC_DIR=str(metrics),
        )
        self.wait_until(process, lambda: answers(f"http://127.0.0.1:{self.web_port}/readyz"))

    def python(self, name: str, module: Sequence[str], **env: str) -> Process:
        log = self.logs / f"{name}.log"
        command = [sys.executable, "-m", *module]
        process = processes.start(name, command, log=log, env={**self.env, **env}, cwd=TREE)
        self.programs.append(process)
        return process

    def manage(self, *arguments: str) -> str:
        """
        Run one management command to its end. What it printed.

        :raises ProcessFailed: it failed.
        """
        log = self.logs / f"{arguments[0]}.log"
        command = [sys.executable, "manage.py", *arguments]
        process = processes.start(f"manage.py {arguments[0]}", command, log=log, env=self.env, cwd=TREE)
        try:
            while process.status is None:
                self.interruption.check()
                time.sleep(0.05)
        finally:
            processes.stop([process])
        if process.status:
            raise process.failure(f"ended with status {process.status}")
        return log.read_text()

    def wait_until(self, process: Process, ready: Callable[[], bool]) -> None:
        def ready_or_interrupted() -> bool:
            self.interruption.check()
            return ready()

        process.wait_until(ready_or_interrupted, seconds=READY_SECONDS)

    def watch(self) -> None:
        """
        Return never.

        :raises ProcessFailed: one of them ended. :raises Interrupted: somebody wants us to stop.
        """
        parent = os.getppid()
        while True:
            self.interruption.check()
            if "MAKELEVEL" in os.environ and os.getppid() != parent:
                raise Interrupted  # whoever killed make meant us
            for process in self.servers + self.programs:
                if process.status is not None:
                    raise process.failure(f"ended with status {process.status}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Programs first, then the servers that they talk to."""
        ENV_FILE.unlink(missing_ok=True)
        processes.stop(self.programs)
        processes.stop(self.servers)


def say(sentence: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {sentence}", flush=True)  # noqa: T201 -- a launcher talks to its terminal


def free_port_from(first: int, *, other_than: int | None = None) -> int:
    """
    The first port from `first` on where nobody listens.

    :raises ProcessFailed: there is none within a hundred.
    """
    for port in range(first, first + PORTS_TRIED):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does: TIME_WAIT is no listener
            probe.bind(("127.0.0.1", port))
            if port != other_than:
                return port
    raise ProcessFailed(f"No port is free from {first} to {first + PORTS_TRIED - 1}.")


def answers(url: str) -> bool:
    """Whether somebody answers there, and not with a failure of their own."""
    try:
        with DIRECTLY.open(url, timeout=5):
            return True
    except urllib.error.HTTPError as answer:
        return answer.code < 500
    except OSError:
        return False


def data_home(var: Path) -> Path:
    """
    Where the data lives: var/ itself, unless the servers' user cannot reach it or its path is too long for a socket.

    Then a directory outside is named in var/. A copied tree gets one of its own, and so does a new clone.
    """
    note = var / "data-directory"
    prefix = servers.spare_home_name(var)
    if note.exists() and (named := Path(note.read_text().strip()).name).startswith(prefix):
        return servers.spare_home(named)
    if servers.can_enter(servers.server_account(), var) and servers.fits_socket(var / "postgres"):
        return var
    home = servers.spare_home(f"{prefix}-{secrets.token_hex(4)}")
    note.write_text(f"{home}\n")
    return home


@contextlib.contextmanager
def sole(data: Path) -> Iterator[Callable[[str], None]]:
    """
    Hold the data for one launcher. Yields what writes down where it is to be found.

    :raises AlreadyRunning: another one holds it.
    """
    with (data / "onetill.pid").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid, _, url = lock.read().strip().partition(" ")
            place = f"at {url}" if url else "and is about to be ready"
            raise AlreadyRunning(
                f"Onetill already runs here (process {pid}), {place}. Ctrl-C there stops it."
            ) from None

        def write_down(text: str) -> None:
            lock.truncate(0)
            lock.write(text)
            lock.flush()

        write_down(f"{os.getpid()}")
        yield write_down


def keep_last_logs() -> None:
    for log in (VAR / "log").glob("*.log"):
        log.replace(log.with_suffix(".log.1"))


def run() -> int:
    interruption = Interruption()
    VAR.mkdir(exist_ok=True)
    if VAR.stat().st_uid != os.geteuid():  # before anything there gets a second owner
        raise ProcessFailed(f"{VAR} belongs to another user: start as that user, or remove it.")
    (VAR / "log").mkdir(exist_ok=True)
    data = data_home(VAR)
    with sole(data) as write_down:
        keep_last_logs()
        house = House(data=data, interruption=interruption)
        try:
            introduction = house.start()
            write_down(f"{os.getpid()} {house.base_url}")
            say(f"Onetill runs at {house.base_url}, the simulator at {house.simulator_url}; logs are in var/log.")
            print(f"\n{introduction}\nCtrl-C stops everything.", flush=True)  # noqa: T201
            house.watch()
        except Interrupted:
            say("Stopping")
            return 0
        finally:
            house.stop()
            say("Everything has stopped.")
    return 0


def clean() -> int:
    """Remove the data. The next start begins with an empty book."""
    if VAR.exists():
        data = data_home(VAR)
        with sole(data):
            shutil.rmtree(data)
        shutil.rmtree(VAR, ignore_errors=True)
    return 0


def main(arguments: Sequence[str]) -> int:
    try:
        if arguments not in ([], ["clean"]):
            print("usage: python -m config.launcher [clean]", file=sys.stderr)  # noqa: T201
            return 2
        return clean() if arguments else run()
    except (AlreadyRunning, ProcessFailed) as problem:
        print(problem, file=sys.stderr)  # noqa: T201
    except PermissionError as problem:
        print(f"{problem.filename} belongs to another user: start as that user, or remove it.", file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
