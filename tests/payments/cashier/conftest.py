import itertools

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from checkout import operations as checkout
from checkout.operations import PayCommand
from payments.cashier import sessions
from payments.gateways import memory
from payments.models import Order
from tests.world import make_client, make_customer, make_memory_account

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def fresh(settings):
    settings.ROOT_URLCONF = "tests.payments.cashier.urls"
    memory.forget_everything()
    cache.clear()


@pytest.fixture
def shop(db):
    return make_client()


@pytest.fixture
def account(db):
    return make_memory_account()


@pytest.fixture
def customer(shop):
    return make_customer(client=shop, points_fen=13_128, real_name="王小明", phone="13800000000")


@pytest.fixture
def order(shop, customer, account):
    return place(shop)


def place(shop, *, total_fen=214_400):
    placed = checkout.pay(
        client=shop,
        command=PayCommand(
            out_trade_no=f"T{next(_numbers)}", client_pay_id="", total_fen=total_fen, shipping_fen=500,
            user_id="442090", ee_no="a09999", redirect_url="https://www.example.com/",
        ),
        at=timezone.now(),
    )  # fmt: skip
    return Order.objects.get(pk=placed.order_id)


@pytest.fixture
def stranger():
    """A browser without a session."""
    return Client(HTTP_ACCEPT_LANGUAGE="en")


@pytest.fixture
def browser(order):
    """The browser of the order's customer, who came through the login link."""
    client = Client(HTTP_ACCEPT_LANGUAGE="en")
    log_in(client, order)
    return client


def log_in(client, order):
    response = HttpResponse()
    sessions.begin(response=response, order=order, path=f"/till/{order.number}/", at=timezone.now())
    client.cookies.update(response.cookies)
