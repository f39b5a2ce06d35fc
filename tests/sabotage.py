"""Books that are spoilt on purpose: behind the database's back, and thrown away afterwards."""

from contextlib import contextmanager

from django.db import connection
from django.db.transaction import atomic, set_rollback

from tests.conftest import APPEND_ONLY


def behind_its_back(*statements):
    """Do what the database refuses: without triggers and foreign keys. Rolled back with the test."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def rolled_back():
    """Like the transaction that a test wraps around itself: one that the operations do not see."""
    block = atomic()
    block._from_testcase = True
    with block:
        yield
        set_rollback(True)


@contextmanager
def afresh():
    """Books that a control has spoilt are thrown away."""
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for table in APPEND_ONLY:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(
                "TRUNCATE payments_customer, payments_transfer, partner_orders_giftpack, english_app_good CASCADE"
            )
            for table in APPEND_ONLY:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
