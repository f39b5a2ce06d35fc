"""`python -m config.embedded exec`: servers for one command, and nothing left when it ends."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.config.processes_seen import eventually, is_alive

EXEC = [sys.executable, "-m", "config.embedded", "exec", "--"]
WITHOUT_SERVERS = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
LOOK_AROUND = """
import json, os, psycopg, redis
connection = psycopg.connect(os.environ["DATABASE_URL"])
directory, version = connection.execute(
    "SELECT current_setting('data_directory'), current_setting('server_version_num')::int"
).fetchone()
pids = [int(open(directory + "/postmaster.pid").readline())]
pids.append(redis.Redis.from_url(os.environ["REDIS_URL"]).info()["process_id"])
print(json.dumps({"directory": directory, "version": version, "pids": pids}), flush=True)
"""


def run(*command, env=WITHOUT_SERVERS, **extra):
    return subprocess.run(
        [*EXEC, *command], check=False, env={**env, **extra}, capture_output=True, text=True, timeout=300
    )


def start(command, **extra):
    return subprocess.Popen(
        [*EXEC, sys.executable, "-c", LOOK_AROUND + command],
        env={**WITHOUT_SERVERS, **extra}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_command_finds_both_servers_and_they_are_gone_when_it_ends():
    done = run(sys.executable, "-c", LOOK_AROUND)

    seen = json.loads(done.stdout)
    assert seen["version"] >= 180000
    assert not any(is_alive(pid) for pid in seen["pids"])
    assert not Path(seen["directory"]).parent.exists()


def test_the_exit_status_is_the_commands_own():
    assert run("sh", "-c", "exit 7").returncode == 7


def test_a_command_that_a_signal_ended_is_told_as_shells_tell_it():
    assert run("sh", "-c", "kill -9 $$").returncode == 128 + 9


def test_a_command_that_does_not_exist_is_127():
    assert run("no-such-command").returncode == 127


def test_servers_that_are_given_are_used_and_none_is_started():
    done = run(
        "sh", "-c", "echo $DATABASE_URL $REDIS_URL", DATABASE_URL="postgresql://there/x", REDIS_URL="redis://there"
    )

    assert done.stdout == "postgresql://there/x redis://there\n"


def test_no_settings_are_imported():
    assert run("true", DJANGO_SETTINGS_MODULE="no.such.settings").returncode == 0


def test_sigterm_ends_the_command_and_the_servers():
    with start("import time; time.sleep(600)") as launcher:
        seen = json.loads(launcher.stdout.readline())

        launcher.terminate()

        assert launcher.wait(90) == 128 + signal.SIGTERM
    assert not any(is_alive(pid) for pid in seen["pids"])
    assert not Path(seen["directory"]).parent.exists()


def test_a_launcher_that_is_killed_takes_its_command_and_servers_along():
    with start("print(os.getpid(), flush=True); import time; time.sleep(600)") as launcher:
        pids = json.loads(launcher.stdout.readline())["pids"] + [int(launcher.stdout.readline())]

        launcher.kill()

    assert eventually(lambda: not any(is_alive(pid) for pid in pids))


@pytest.fixture
def room():
    """A directory for launchers of one test alone, where nobody else's removes what is left. All may pass through."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as room:
        Path(room).chmod(0o711)
        yield room


def test_what_a_killed_launcher_left_is_removed_by_the_next(room):
    with start("import time; time.sleep(600)", TMPDIR=room) as launcher:
        seen = json.loads(launcher.stdout.readline())
        launcher.kill()
    assert eventually(lambda: not any(is_alive(pid) for pid in seen["pids"]))
    left = Path(seen["directory"]).parent
    assert left.exists()
    assert left.is_relative_to(room)

    run("true", TMPDIR=room)

    assert not left.exists()
