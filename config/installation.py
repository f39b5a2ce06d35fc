"""
python3 -m config.installation run|dev

Makes .venv and fills it from the lock file, unless that is done already. Runs under whatever python3 there is, with
nothing installed: standard library only.
"""

from __future__ import annotations  # an old Python must be able to read this file, to be told that it is old

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

OLDEST = (3, 11)
VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"
BOOT = Path(".boot")
LOCK_FILES = {"run": Path("requirements.txt"), "dev": Path("requirements-dev.txt")}
BROWSER_PACKAGES = ["chromium", "fonts-noto-cjk"]


class CannotInstall(Exception):
    """The message says what to do."""


def install(kind: str) -> None:
    """:raises CannotInstall: with the sentence that helps."""
    lock_file = LOCK_FILES[kind]
    stamp = VENV / f"installed-{kind}"
    wanted = hashlib.sha256(lock_file.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted and works(PYTHON, "-c", ""):
        return
    if not works(PYTHON, "-m", "pip", "--version"):
        make_venv()
    say(f"Installing {lock_file} into {VENV} (a minute, the first time)")
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    if subprocess.call([*map(str, pip), "--require-hashes", "--requirement", str(lock_file)]):  # noqa: S603 -- ours
        raise CannotInstall(f"pip could not install {lock_file}: its own words are above.")
    stamp.write_text(wanted)


def make_venv() -> None:
    """The ways to a virtual environment, one after the other: a bare Debian lacks ensurepip, some lack pip too."""
    interpreter = suitable_python()
    say(f"Making {VENV} with {interpreter}")
    for attempt in (venv, virtualenv, venv_by_apt):
        shutil.rmtree(VENV, ignore_errors=True)
        if attempt(interpreter) and works(PYTHON, "-m", "pip", "--version"):
            return
    shutil.rmtree(VENV, ignore_errors=True)
    raise CannotInstall(
        "This Python can make no virtual environment. Install its venv package and try again"
        " (Debian, Ubuntu: sudo apt-get install python3-venv)."
    )


def suitable_python() -> str:
    """:raises CannotInstall: no Python here is new enough."""
    if sys.version_info >= OLDEST:
        return sys.executable
    for minor in range(20, OLDEST[1] - 1, -1):
        found = shutil.which(f"python{OLDEST[0]}.{minor}")
        if found:
            return found
    raise CannotInstall("Onetill needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info))


def venv(interpreter: str) -> bool:
    return works(interpreter, "-m", "venv", VENV)


def virtualenv(interpreter: str) -> bool:
    environment = {**os.environ, "PYTHONPATH": str(BOOT)}
    try:
        return works(interpreter, "-m", "pip", "install", "--quiet", "--target", BOOT, "virtualenv") and works(
            interpreter, "-m", "virtualenv", VENV, env=environment
        )
    finally:
        shutil.rmtree(BOOT, ignore_errors=True)


def venv_by_apt(interpreter: str) -> bool:
    return apt_install(["python3-venv"]) and venv(interpreter)


def install_browser() -> None:
    """What the browser tests need; without it they are skipped and say so, but not in CI."""
    if shutil.which("chromium") and list(Path("/usr/share/fonts").rglob("NotoSansCJK*")):
        return
    if not apt_install(BROWSER_PACKAGES):
        sentence = f"The browser tests need the Debian packages {' and '.join(BROWSER_PACKAGES)}"
        if os.environ.get("CI"):
            raise CannotInstall(f"{sentence}, and they could not be installed.")
        say(f"{sentence}: they are skipped.")


def apt_install(packages: list[str]) -> bool:
    """Install Debian packages where we may: as root, on a Debian."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    say(f"Installing {' '.join(packages)} with apt-get")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return works("apt-get", "update", "-q", env=environment) and works(
        "apt-get", "install", "-q", "-y", "--no-install-recommends", *packages, env=environment
    )


def works(*command: str | Path, env: Mapping[str, str] | None = None) -> bool:
    """Run it silently; when it fails the next way is tried."""
    try:
        done = subprocess.run(  # noqa: S603 -- our own commands
            [str(part) for part in command],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=env,
        )
    except OSError:
        return False
    return done.returncode == 0


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    Path("var").mkdir(exist_ok=True)
    with Path("var/installation.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(sentence: str) -> None:
    print(sentence, flush=True)  # noqa: T201 -- it talks to the terminal


def main(arguments: list[str]) -> int:
    try:
        with one_at_a_time():
            install(arguments[0])
            if "browser" in arguments:
                install_browser()
    except CannotInstall as problem:
        print(problem, file=sys.stderr)  # noqa: T201
        return 1
    except PermissionError as problem:
        print(f"{problem.filename} belongs to another user: work as that user, or remove it.", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
