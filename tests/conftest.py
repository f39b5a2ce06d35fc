"""
The world the tests run in: a real PostgreSQL and a real Redis, started by `python -m config.embedded exec`.
"""

import os

os.environ.setdefault("ONETILL_ENV", "test")

import pytest
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase, override_settings
from django.utils import translation

from tests.stillness import wait_until_the_database_rests

# Each xdist worker counts and clears in a Redis database of its own; the processes it starts inherit the address.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
if WORKER and os.environ.get("REDIS_URL", "").endswith("/0"):
    os.environ["REDIS_URL"] = os.environ["REDIS_URL"].removesuffix("0") + str(int(WORKER.removeprefix("gw")) + 1)

APPEND_ONLY = (
    "payments_transfer", "payments_ordertransition", "payments_auditrow", "payments_outboxevent",
    "payments_deliveryattempt", "payments_handconfirmation", "payments_valuerequest", "payments_export",
)  # fmt: skip


@pytest.fixture(autouse=True, scope="session")
def a_cache_of_ones_own():
    """Settings were read before this file: lead the cache to the worker's own database too."""
    default = settings.CACHES["default"] | {"LOCATION": os.environ.get("REDIS_URL", settings.REDIS_URL)}
    with override_settings(CACHES={"default": default}):
        yield


@pytest.fixture(autouse=True, scope="session")
def passwords_cost_nothing():
    """A million rounds for each person of a test are half a second; one is the same algorithm."""
    with override_settings(PASSWORD_HASHERS=["tests.world.OneRound"]):
        yield


@pytest.fixture(autouse=True)
def each_test_begins_in_the_shops_own_language():
    """The thread still speaks as the last request of the test before did; what one is told must not hang on that."""
    with translation.override(settings.LANGUAGE_CODE):
        yield


@pytest.fixture(autouse=True, scope="session")
def flush_may_truncate_the_books():
    """
    Lift the TRUNCATE triggers around the flush between transactional tests, as the tables' owner; only there.

    Not while somebody is at work: a flush beside a call that ends late is a deadlock, and rows in the next test's book.
    """
    flush = TransactionTestCase._fixture_teardown

    def lifted(self):
        wait_until_the_database_rests()
        triggers = [(table, f"{table.removeprefix('payments_')}_not_truncated") for table in APPEND_ONLY]
        with connection.cursor() as cursor:
            for table, trigger in triggers:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        try:
            flush(self)
        finally:
            with connection.cursor() as cursor:
                for table, trigger in triggers:
                    cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")

    TransactionTestCase._fixture_teardown = lifted
    yield
    TransactionTestCase._fixture_teardown = flush


pytest_plugins = ["tests.web_process", "tests.worker_process", "tests.simulator_process"]
