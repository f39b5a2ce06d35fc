"""`make run`: one house per tree, on ports that are free, with nothing left when it stops and nothing lost."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from dotenv import dotenv_values

from config import launcher, servers
from tests.config.processes_seen import eventually, is_alive

TREE = Path(__file__).resolve().parent.parent.parent
OURS = {"DATABASE_URL", "REDIS_URL", "BASE_URL", "SIMULATOR_URL", "ONETILL_ENV", "DJANGO_SETTINGS_MODULE"}
STOP_WITHIN_S = 60
HUNDREDS = range(18_000, 32_000, launcher.PORTS_TRIED)


@contextlib.contextmanager
def listener():
    """
    Somebody who listens at the first of a hundred ports that no other test uses, of any run on this machine.

    Below the ports that the kernel gives to callers: there, one that is free now may be taken before a server binds it.
    """
    with socket.socket() as taken:
        for port in HUNDREDS:
            with contextlib.suppress(OSError):
                taken.bind(("127.0.0.1", port))
                taken.listen()
                break
        else:
            pytest.fail("all hundreds of ports are in use")
        yield port


def test_a_port_that_is_taken_is_passed_over():
    with listener() as taken:
        assert launcher.free_port_from(taken) > taken


def test_two_servers_that_begin_at_one_port_get_two():
    with listener() as taken:
        first = launcher.free_port_from(taken)

        assert launcher.free_port_from(taken, other_than=first) > first


def test_data_lives_in_the_tree(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "server_account", lambda: None)

    assert launcher.data_home(tmp_path) == tmp_path


@pytest.fixture
def deep(tmp_path, monkeypatch):
    """A var/ whose path no socket can have, and somewhere else to go."""
    monkeypatch.setattr(servers, "server_account", lambda: None)
    monkeypatch.setattr(servers, "SPARE_ROOM", tmp_path)
    var = tmp_path / ("deep" * 30) / "var"
    var.mkdir(parents=True)
    return var


def test_data_lives_outside_where_the_path_is_too_long_and_is_found_again(deep, tmp_path):
    home = launcher.data_home(deep)

    assert home.parent == tmp_path
    assert home.is_dir()
    assert (deep / "data-directory").read_text() == f"{home}\n"
    assert launcher.data_home(deep) == home


def test_a_copy_of_a_tree_and_a_new_clone_have_data_of_their_own(deep):
    home = launcher.data_home(deep)
    copy = shutil.copytree(deep, deep.parent / "copy")
    (deep / "data-directory").unlink()

    assert len({home, launcher.data_home(copy), launcher.data_home(deep)}) == 3


def test_the_second_launcher_is_told_where_the_first_one_is(tmp_path):
    with launcher.sole(tmp_path) as write_down:
        write_down("4711 http://127.0.0.1:8000")

        with (
            pytest.raises(launcher.AlreadyRunning, match=r"process 4711.*at http://127\.0\.0\.1:8000"),
            launcher.sole(tmp_path),
        ):
            pass

    with launcher.sole(tmp_path):
        pass


@pytest.fixture
def tree(tmp_path):
    """A copy of this tree under a name with a space and Chinese in it."""
    ignored = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", "*_cache", ".hypothesis", "tests")
    copy = shutil.copytree(TREE, tmp_path / "my 收银台", ignore=ignored)
    yield copy
    assert run_launcher(copy, "clean").returncode == 0


def run_launcher(tree, *arguments):
    command = [sys.executable, "-m", "config.launcher", *arguments]
    return subprocess.run(command, cwd=tree, env=environment(), capture_output=True, text=True, check=False)


def environment(**extra):
    return {name: value for name, value in os.environ.items() if name not in OURS} | extra


class House:
    """A house that was started in `tree` and is ready."""

    def __init__(self, tree, **env):
        self.tree = tree
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.launcher"],
            cwd=tree, env=environment(**env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if "Ctrl-C stops everything" in line:
                break
        else:
            pytest.fail(f"the house did not start:\n{self.said}")
        self.env = dotenv_values(tree / "var" / "onetill.env")
        self.pids = descendants(self.process.pid)

    def ask(self, sql):
        with psycopg.connect(self.env["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else None

    def end(self, signum):
        self.process.send_signal(signum)
        return self.status()

    def status(self):
        """What it ends with; what it said until then is in `said`."""
        with self.process.stdout as pipe:
            self.said += pipe.read()
        return self.process.wait(STOP_WITHIN_S)

    def is_gone(self):
        return not any(is_alive(pid) for pid in self.pids)


def descendants(pid):
    listing = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in map(str.split, listing.splitlines())}
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def answer(url):
    with launcher.DIRECTLY.open(url, timeout=60) as response:
        return response.status


def test_a_house_stands_alone_stops_leaving_nothing_and_keeps_its_book(tree):
    with listener() as taken:
        house = House(tree, WEB_PORT=str(taken), SIMULATOR_PORT=str(taken))
        second = run_launcher(tree)
        base_url, simulator_url = house.env["BASE_URL"], house.env["SIMULATOR_URL"]
        answers = [answer(f"{base_url}/readyz"), answer(f"{simulator_url}/")]
        house.ask("CREATE TABLE kept AS SELECT 1 AS seen")
        stopped = house.end(signal.SIGINT)

    assert len({f"http://127.0.0.1:{taken}", base_url, simulator_url}) == 3
    assert answers == [200, 200]
    assert second.returncode == 1
    assert base_url in second.stderr
    assert stopped == 0
    assert len(house.pids) > 10
    assert house.is_gone()
    assert not (tree / "var" / "onetill.env").exists()

    with listener() as taken:
        killed = House(tree, WEB_PORT=str(taken), SIMULATOR_PORT=str(taken))
        seen = killed.ask("SELECT seen FROM kept")
        killed.end(signal.SIGKILL)

    assert seen == [(1,)]
    assert eventually(killed.is_gone)


def test_a_program_that_dies_takes_the_house_down_and_is_named(tree):
    with listener() as taken:
        house = House(tree, WEB_PORT=str(taken), SIMULATOR_PORT=str(taken))
        (redis,) = [pid for pid in house.pids if "redis-server" in _command(pid)]

        os.kill(redis, signal.SIGKILL)

        assert house.status() == 1
    assert "Redis ended with status -9" in house.said
    assert house.is_gone()


def _command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):  # one of those that come and go
        return ""
