"""
python -m tests.screenshots

Makes the pictures of the back-office in docs/images, in English and Chinese, beside a throwaway PostgreSQL and Redis
(`make screenshots`). Needs Debian's chromium.
"""

import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path

import django
import httpx
from django.core.management import call_command

from config import launcher, processes
from config.installation import BROWSER_PACKAGES
from tests.simulator_process import ROOT, Simulator, SimulatorProcess

CHROMIUM = Path("/usr/bin/chromium")
FIRST_PORT = 21_000
READY_SECONDS = 120
TIME_SCALE = 600  # WeChat takes seconds for a refund


def main():
    if not CHROMIUM.exists():
        print(f"The pictures need the Debian packages {' and '.join(BROWSER_PACKAGES)}.", file=sys.stderr)  # noqa: T201
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that whatever runs is stopped
    with tempfile.TemporaryDirectory() as room, _gateways(Path(room)) as simulator:
        site = f"http://127.0.0.1:{launcher.free_port_from(FIRST_PORT + os.getpid() % 10_000)}"
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings", "ONETILL_ENV": "sandbox", "LOG_LEVEL": "CRITICAL",
            "BASE_URL": site, "SIMULATOR_URL": simulator.url,
        }  # fmt: skip
        django.setup()
        from config import demo  # noqa: PLC0415  models can be imported once Django is set up
        from tests.screenshots import history, pictures  # noqa: PLC0415

        say("Making the history")
        call_command("migrate", verbosity=0)
        demo.build()
        with _web(site, log=Path(room) / "web.log"):
            shown = history.build(simulator=simulator)
            pictures.take(site=site, shown=shown, executable=CHROMIUM, say=say)
    return 0


@contextlib.contextmanager
def _gateways(room):
    process = SimulatorProcess(room / "simulator", time_scale=TIME_SCALE)
    try:
        with Simulator(process.url) as simulator:
            yield simulator
    finally:
        process.stop()


@contextlib.contextmanager
def _web(site, *, log):
    command = [sys.executable, "-m", "gunicorn", "--config=deploy/gunicorn.conf.py"]
    env = os.environ | {"WEB_BIND": site.removeprefix("http://"), "WEB_CONCURRENCY": "1"}
    web = processes.start("web", command, log=log, env=env, cwd=ROOT)
    try:
        web.wait_until(lambda: _answers(f"{site}/healthz"), seconds=READY_SECONDS)
        yield
    finally:
        processes.stop([web])


def _answers(url):
    try:
        return httpx.get(url, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def say(text):
    print(text, flush=True)  # noqa: T201  whoever started it reads it at a terminal


if __name__ == "__main__":
    sys.exit(main())
