"""A book of orders and charges written as rows, and the calls that look into it."""

import datetime
import itertools
from urllib.parse import parse_qs, urlsplit

from django.test import Client

from payments.models import Charge, Customer, Order
from tests.world import NOW, TOKEN

ORDERS, CHARGES = "/api/orders/", "/api/charges/"
DEFAULTS = {
    "family": "checkout", "total_fen": 100, "shipping_fen": 0, "points_fen": 0, "cash_fen": 100, "created_at": NOW,
    "expires_at": NOW + datetime.timedelta(minutes=30),
}  # fmt: skip
_numbers = itertools.count(2018061530000001)


def make_order(*, client, user_id="442090", **fields):
    """Return an order as it may stand in the book. It is written as a row: how it came there is not looked at here."""
    customer, _made = Customer.objects.get_or_create(client=client, user_id=user_id)
    number = fields.pop("number", str(next(_numbers)))
    total_fen = fields.get("total_fen", 100)
    return Order.objects.create(
        client=client, customer=customer, number=number, **{**DEFAULTS, "cash_fen": total_fen, **fields}
    )


def make_charge(*, order, attempt=1, **fields):
    given = {"tender": "points", "amount_fen": order.total_fen, "created_at": order.created_at, **fields}
    return Charge.objects.create(order=order, attempt=attempt, number=f"{order.number}_{attempt}", **given)


def get(path, *, token=TOKEN, **params):
    return Client().get(path, params, headers={"Authorization": f"Token {token}"} if token else {})


def data(answer):
    body = answer.json()
    assert (answer.status_code, body["status_code"]) == (200, 0), body
    return body["data"]


def refusal(answer):
    body = answer.json()
    assert (body["status_code"], body["data"]) == (1, {})
    return answer.status_code, body["error_code"], body["message"].partition(":")[0]


def found(path, **params):
    """Return the numbers of a list, as it has them."""
    return numbers(path, data(get(path, **params)))


def numbers(path, page):
    return [row["charge_number" if path == CHARGES else "order_number"] for row in page["results"]]


def cursor(link):
    return parse_qs(urlsplit(link).query)["cursor"][0]


def pages(path, **params):
    """Yield the pages of a list, each with its numbers, following `next`."""
    at = {}
    while True:
        page = data(get(path, **params, **at))
        yield numbers(path, page)
        if page["next"] is None:
            return
        at = {"cursor": cursor(page["next"])}
