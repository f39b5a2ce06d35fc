"""Child processes that never outlive us: Linux tells each to stop when its parent dies, even by SIGKILL."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any

STOP_SECONDS = 10
TAIL_LINES = 15
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class ProcessFailed(Exception):
    """A child ended, or was not ready, when it should have been running. The message is for people."""


class Interrupted(Exception):
    """Somebody wants us to stop; the argument is the signal's number."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """The system user that a child runs as."""

    uid: int
    gid: int


def die_with_parent(signum: signal.Signals) -> Callable[[], None]:
    """What a child runs between fork and exec, so that it gets `signum` when this process is gone."""
    parent = os.getpid()

    def ask_the_kernel() -> None:
        if _prctl is None:
            return
        _prctl(_PR_SET_PDEATHSIG, int(signum))
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return ask_the_kernel


@dataclass(kw_only=True)
class Process:
    """One running child with its log file."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    stop_signal: signal.Signals

    @property
    def status(self) -> int | None:
        return self.popen.poll()

    def failure(self, what: str) -> ProcessFailed:
        """What to raise: what happened, where its log is, and how that ends."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        tail = "".join(f"\n    {line}" for line in lines[-TAIL_LINES:])
        return ProcessFailed(f"{self.name} {what}. The end of {self.log}:{tail}")

    def ask_to_stop(self) -> None:
        if self.status is None:
            self.popen.send_signal(self.stop_signal)

    def wait_stopped(self, *, seconds: float = STOP_SECONDS) -> int:
        """Wait for the end; after `seconds` make it one."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """:raises ProcessFailed: it ended, or `ready` was still false after `seconds`."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.status is not None:
                raise self.failure(f"ended with status {self.status}")
            if time.monotonic() > deadline:
                raise self.failure(f"was not ready after {seconds:.0f} s")
            time.sleep(0.05)


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path | str | None = None,
    account: Account | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
) -> Process:
    """Start a child in a session of its own: Ctrl-C reaches us alone, and we stop things in order."""
    with log.open("ab") as output:
        popen = subprocess.Popen(  # noqa: S603 -- commands are ours, no shell
            [str(part) for part in command],
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
            preexec_fn=die_with_parent(stop_signal),  # noqa: PLW1509 -- no thread is running when we fork
            **as_account(account),
        )
    return Process(name=name, popen=popen, log=log, stop_signal=stop_signal)


def as_account(account: Account | None) -> dict[str, Any]:
    """The arguments that make subprocess run as `account`."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def stop(processes: Sequence[Process]) -> None:
    """Ask all at once, then wait for each."""
    for process in processes:
        process.ask_to_stop()
    for process in processes:
        process.wait_stopped()


class Interruption:
    """Ctrl-C, SIGTERM and SIGHUP, taken as a wish to stop in good order."""

    def __init__(self) -> None:
        self.signum: int | None = None
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, self._note)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup means it
            signal.signal(signal.SIGHUP, self._note)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.signum = signum

    def check(self) -> None:
        """:raises Interrupted: somebody wants us to stop."""
        if self.signum is not None:
            raise Interrupted(self.signum)

    def wait_for(self, child: subprocess.Popen[bytes]) -> int:
        """Wait for the child's own end. Ctrl-C has reached it too, so it gets time; other signals are passed on."""
        while self.signum is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return child.wait(0.1)
        if self.signum != signal.SIGINT:
            child.terminate()
        for force in (child.terminate, child.kill):
            with contextlib.suppress(subprocess.TimeoutExpired):
                return child.wait(STOP_SECONDS)
            force()
        return child.wait()
