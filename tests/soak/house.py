"""
Everything that runs, on servers that are thrown away: web, worker and beat as `make run` starts them, the simulator.

Only the main thread starts and kills: a child stops when the thread that started it ends (`config.processes`).
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import httpx
import redis

from config import launcher, processes
from tests.simulator_process import Simulator, SimulatorProcess

TREE = Path(__file__).resolve().parent.parent.parent
FIRST_PORT = 20_000  # below what the kernel gives to callers: ours must still be free after a kill
TIME_SCALE = 7_200  # the gateways' day of repetitions passes in twelve seconds
READY_SECONDS = 120
WEB_WORKERS = 2

COMMANDS = {
    "web": ["gunicorn", "--config=deploy/gunicorn.conf.py", "--max-requests=0"],
    "worker": [
        "celery", "--app=config.celery", "worker", "--pool=threads", "--concurrency=4", "--without-mingle",
        "--without-gossip",
    ],
    "beat": ["celery", "--app=config.celery", "beat"],
}  # fmt: skip


class Gateways(Simulator):
    """The control, asked again where an idle connection was closed in the very moment that it was used."""

    def call(self, method, path, fields=None):
        try:
            return super().call(method, path, fields)
        except httpx.TransportError:
            return super().call(method, path, fields)


class House:
    """`url` is our own, `simulator` the gateways' control. Logs and the gateways' book are in `room`."""

    def __init__(self, *, room, database_url, redis_url):
        self.room, self._redis_url = room, redis_url
        self._port = launcher.free_port_from(FIRST_PORT + os.getpid() % 10_000)
        self.url = f"http://127.0.0.1:{self._port}"
        self._env = os.environ | {
            "ONETILL_ENV": "test",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "BASE_URL": self.url,
            "WEB_BIND": f"127.0.0.1:{self._port}",
            "WEB_CONCURRENCY": str(WEB_WORKERS),
            "TRUSTED_PROXIES": "127.0.0.0/8",  # payers come from addresses of their own
        }
        self._running = {}

    def __enter__(self):
        self.room.mkdir(parents=True, exist_ok=True)
        self._gateways = SimulatorProcess(self.room / "simulator", time_scale=TIME_SCALE)
        self.simulator = Gateways(self._gateways.url)
        try:
            for name in COMMANDS:
                self._start(name)
            self.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        processes.stop(list(self._running.values()))
        self.simulator.__exit__()
        self._gateways.stop()

    def _start(self, name):
        command = [sys.executable, "-m", *COMMANDS[name]]
        command += [f"--schedule={self.room / 'beat-schedule'}"] if name == "beat" else []
        env = self._env | {"PROCESS_NAME": name}
        env |= {"STATEMENT_TIMEOUT_MS": "60000"} if name == "worker" else {}
        self._running[name] = processes.start(name, command, log=self.room / f"{name}.log", env=env, cwd=TREE)

    def wait_ready(self):
        self._running["web"].wait_until(self._answers, seconds=READY_SECONDS)

    def _answers(self):
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self, what):
        """SIGKILL; what is gone starts again at once. `web worker` is one of two, `redis` is emptied instead."""
        if what == "redis":
            with contextlib.closing(redis.Redis.from_url(self._redis_url)) as server:
                server.flushdb()
        elif what == "web worker":
            self._kill_a_web_worker()
        else:
            process = self._running[what]
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.popen.pid, signal.SIGKILL)  # the group is its own: nobody else is in it
            process.popen.wait()
            self._start(what)

    def _kill_a_web_worker(self):
        """Gunicorn starts another one by itself."""
        master = self._running["web"].popen.pid
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
            if workers:
                os.kill(int(workers[0]), signal.SIGKILL)

    def revive(self):
        """Start again whatever has ended by itself; what that was."""
        ended = [name for name, process in self._running.items() if process.status is not None]
        for name in ended:
            self._start(name)
        return ended


def until(check, *, seconds, pause=0.2):
    """Wait until `check()` is true, at most so long; whether it became so."""
    deadline = time.monotonic() + seconds
    while not (done := check()) and time.monotonic() < deadline:
        time.sleep(pause)
    return done
