"""
What document 002's call asks PostgreSQL, statement by statement, as `tests/test_statement_counts.py` has it.

Exact on purpose: a statement more is a decision, not an accident.
"""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.partner_orders.calls import PAY_PATH, post, signed
from tests.partner_orders.world import PACK_UID, USER_ID
from tests.world import TOKEN

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def call(address):
    return {"user_id": USER_ID, "pay_type": 1, "gift_pos_id": PACK_UID, "address_id": address.pk}


def asked(client, params):
    """Return each statement of a call as its verb and the first table of ours that it names."""
    with CaptureQueriesContext(connection) as captured:
        status, answer = post(client, PAY_PATH, signed(params), token=TOKEN)
    assert (status, answer["code"]) == (200, 1), answer
    return [brief(query["sql"]) for query in captured]


def brief(sql):
    table = re.search(r"\b(?:payments|partner_orders)_\w+", sql)
    return " ".join([sql.split()[0].strip(";"), *([table[0]] if table else [])])


KNOWN = ["SELECT payments_apiclient", "SELECT payments_customer"]
WAIT = ["BEGIN", "SELECT payments_customer", "SELECT payments_order"]  # the customer's lock; was it sent before?
OFFER = ["SELECT partner_orders_giftpack", "SELECT partner_orders_address", "SELECT partner_orders_customerlevel"]
PLACE = ["WITH payments_order", "SELECT payments_order"]
FULFIL = [
    "SAVEPOINT", "SELECT partner_orders_partnerorder", "SELECT payments_charge", "UPDATE partner_orders_partnerorder",
    "INSERT partner_orders_customerlevel", "SELECT partner_orders_customerlevel", "SELECT partner_orders_userlevel",
    "RELEASE",
]  # fmt: skip
TOLD = ["SELECT partner_orders_partnerorder", "SELECT payments_charge"]


def test_a_pack_from_the_balance_is_22_statements_and_its_row_is_touched_last(client, pack, call):
    statements = asked(client, call)

    assert statements == [
        *KNOWN, *WAIT, *OFFER, *PLACE, *FULFIL, "UPDATE partner_orders_giftpack", "COMMIT", *TOLD,
    ]  # fmt: skip
    assert len(statements) == 22


def test_the_same_call_again_is_8_statements_and_writes_nothing(client, pack, call):
    asked(client, call)

    assert asked(client, call) == [*KNOWN, *WAIT, "COMMIT", *TOLD]
