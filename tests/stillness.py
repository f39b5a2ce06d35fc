"""The end of what a test set going: no call under way at a server, no statement under way in the database."""

import time
from pathlib import Path

from django.db import connection

STILL_WITHIN_S = 60
ESTABLISHED, SYN_RECV, CLOSE_WAIT = "01", "03", "08"

_BUSY = """
    SELECT pid, application_name, state, left(query, 200) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
        AND (state <> 'idle' OR xact_start IS NOT NULL)
"""


def wait_until_all_have_left(port):
    """
    Wait until the server at `port` holds no connection: whoever called has hung up, and it has done with the call.

    A server reads to the end what was sent before the other side hung up; until it has, its own side stays open.
    """
    _wait(lambda: _callers(port), what=f"connections at port {port}")


def wait_until_it_has_left(caller, port):
    """Wait until the server at `port` has done with the one connection that came from the port `caller`."""
    _wait(lambda: {caller} & _callers(port), what=f"the connection from {caller} at port {port}")


def wait_until_the_database_rests():
    """Wait until no other session in the database of the running test has a statement or a transaction under way."""
    _wait(_sessions_at_work, what="statements in the database")


def _callers(port):
    """The ports from which connections to `port` come, as long as the server has not closed its side of them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = f":{port:04X}"
    return {
        int(row[2].rpartition(":")[2], 16)
        for row in rows
        if row[1].endswith(ours) and row[3] in {ESTABLISHED, SYN_RECV, CLOSE_WAIT}
    }


def _sessions_at_work():
    with connection.cursor() as cursor:
        cursor.execute(_BUSY)
        return cursor.fetchall()


def _wait(find, *, what):
    deadline = time.monotonic() + STILL_WITHIN_S
    while found := find():
        assert time.monotonic() < deadline, f"after {STILL_WITHIN_S} s there are still {what}: {found}"
        time.sleep(0.01)
