"""A customer's statement where orders are among what moved: a payment bears its charge's number, no grant's."""

import pytest

from payments.ledger.accounts import Kind
from tests.payments.api.test_customers import give, make_shop, statement
from tests.world import make_customer, place_by_balance

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_tells_what_an_order_took_by_the_orders_number():
    customer = make_customer(client=(client := make_shop()))
    give(client, "money", kind=Kind.BALANCE, amount_fen=10_000)
    order = place_by_balance(customer=customer)

    entries = statement()["results"]

    assert [(entry["purpose"], entry["order_number"], entry["grant_no"]) for entry in entries] == [
        ("payment", order.number, ""), ("grant", "", "money"),
    ]  # fmt: skip
