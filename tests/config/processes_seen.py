"""What the tests of launchers ask about processes that are not their children."""

import time
from pathlib import Path


def is_alive(pid: int) -> bool:
    """A process that has ended but that nobody has waited for is not alive."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def eventually(condition, *, seconds: float = 90) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
