"""Running the same thing many times at once, on real connections."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress

import psycopg
from django.db import connection

from payments.gateways import registry
from payments.transactions import DATABASE_TROUBLE
from tests.web_process import _test_database_url, eventually

_HELD_UP = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def insist(call):
    """Call as a client does: told that the system is busy, it tries again."""
    while True:
        try:
            return call()
        except DATABASE_TROUBLE:
            connection.close()


@contextmanager
def all_lines_engaged():
    """As many calls to gateways are under way in this process as there may be."""
    with ExitStack() as calls:
        with suppress(registry.GatewayBusy):
            while True:
                calls.enter_context(registry.place_for_a_call())
        yield


def kinds(outcomes):
    return Counter(type(outcome).__name__ for outcome in outcomes)


def at_once(count, call):
    """Call `call(n)` in `count` threads that start together; return results and exceptions in order of n."""
    barrier = threading.Barrier(count)
    outcomes = [None] * count

    def run(n):
        barrier.wait()
        try:
            outcomes[n] = call(n)
        except Exception as error:  # noqa: BLE001  the outcome is what the test is about
            outcomes[n] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def meeting(count):
    """
    Return a function at which `count` threads wait for each other, each the first time it calls it.

    For controls: put where all have read and none has written, the race happens on a machine of any speed.
    """
    barrier, came = threading.Barrier(count), threading.local()

    def meet():
        if not getattr(came, "before", False):
            came.before = True
            barrier.wait(timeout=60)

    return meet


def at_once_behind(lock, *parameters, count, call, held_up):
    """
    As `at_once`, while another session holds `lock` (SQL) until at least `held_up` of them wait for it.

    For controls: those have read what they act on before any of them has acted, on a machine of any speed.
    """
    with ThreadPoolExecutor(1) as crowd, psycopg.connect(_test_database_url()) as gate:
        gate.execute(lock, parameters)
        outcomes = crowd.submit(at_once, count, call)
        eventually(lambda: waiters() >= held_up)
        gate.rollback()
        return outcomes.result()


def waiters():
    """How many sessions wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD_UP)
        return cursor.fetchone()[0]
