"""A kept connection is looked at before it is used, and asked nothing while its server lives."""

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kept():
    """A connection of its own that has served one request and waits for the next."""
    kept = connection.copy()
    kept.settings_dict["CONN_HEALTH_CHECKS"] = True
    _backend(kept)
    kept.close_if_unusable_or_obsolete()
    yield kept
    kept.close()


def _backend(of):
    with of.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def test_a_connection_that_the_server_closed_is_replaced_before_it_is_used(kept):
    lost = kept.connection.info.backend_pid
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [lost])

    assert _backend(kept) != lost


def test_a_connection_that_is_alive_is_asked_nothing_beyond_the_statement(kept, tmp_path):
    with (tmp_path / "wire").open("w+") as wire:
        kept.connection.pgconn.trace(wire.fileno())
        _backend(kept)
        kept.connection.pgconn.untrace()
        wire.seek(0)
        sent = [line.split("\t")[3] for line in wire if line.split("\t")[1] == "F"]

    assert sent.count("Execute") + sent.count("Query") == 1


def test_a_connection_that_has_something_to_say_is_asked_and_kept(kept):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
    with kept.cursor() as cursor:
        cursor.execute("LISTEN till")
    kept.close_if_unusable_or_obsolete()
    before = kept.connection.info.backend_pid
    with connection.cursor() as cursor:
        cursor.execute("NOTIFY till")

    assert _backend(kept) == before
