"""`manage.py audit`, and the check behind it, as a task runs it."""

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection

from payments import invariants
from payments.invariants.table import TABLE
from payments.models import Charge
from tests.payments.books import EVERY, FAMILIES, make_books, number

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_command_tells_that_all_hold_and_keeps_the_result(capsys):
    cache.delete(invariants.LAST_BREACHES_KEY)
    make_books()

    call_command("audit")

    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"All {len(EVERY)} hold."
    assert [line.split()[0] for line in lines[1:-1]] == [*(invariant.name for invariant in TABLE), *FAMILIES]
    assert invariants.last_breaches() == dict.fromkeys(EVERY, 0)


def test_the_command_fails_and_lists_the_numbers_of_a_breach(capsys):
    make_books()
    Charge.objects.filter(status="started").update(next_query_at=None)

    with pytest.raises(CommandError, match=r"^Broken: I12\.$"):
        call_command("audit")

    assert f"{number('waiting')}_1" in capsys.readouterr().out
    assert invariants.last_breaches()["I12"] == 1


def test_it_runs_on_one_snapshot_and_can_change_nothing():
    make_books()
    seen = []

    def look(_finding):
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            isolation = cursor.fetchone()
            cursor.execute("SHOW transaction_read_only")
            seen.append((*isolation, *cursor.fetchone()))

    invariants.check(tell=look)

    assert seen == [("repeatable read", "on")] * len(EVERY)


def test_a_cache_that_is_down_spoils_nothing(settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
    make_books()

    assert not [finding for finding in invariants.check() if finding.breaches]
    assert invariants.last_breaches() == {}
