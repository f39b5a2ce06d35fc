"""Document 003's page: any order of any family, by its number alone."""

import pytest
from django.test import Client
from django.utils import timezone

from payments.cashier import limits
from payments.direct import operations as direct
from payments.direct.operations import Booking, OrderCommand
from payments.models import Charge
from payments.orders.models import OrderKind


@pytest.fixture(autouse=True)
def whole_site(settings, fresh):
    settings.ROOT_URLCONF = "config.urls"


def ways_to_ask(number):
    return [
        f"/app/payment/wpay/{number}",
        f"/app/payment/wpay/{number}/",
        f"/app/payment/wpay/order-number?order_number={number}",
        f"/app/payment/wpay/order-number/?order_number={number}",
        f"/app/payment/wpay/order_number?order_number={number}",
        f"/app/payment/wpay/?order_number={number}",
    ]


def test_the_document_can_be_read_both_ways(stranger, order):
    for address in ways_to_ask(order.number):
        response = stranger.get(address)

        assert response.status_code == 200, address
        assert f'action="/app/payment/wpay/{order.number}/"' in response.content.decode()
        assert "2,012.72" in response.content.decode()


@pytest.mark.parametrize("kind", [OrderKind.GOODS, OrderKind.RECHARGE, OrderKind.APPOINTMENT])
def test_an_order_of_another_family_is_shown_too(stranger, shop, customer, account, kind):
    booking = Booking(time=timezone.now(), subject="体检") if kind == OrderKind.APPOINTMENT else None
    command = OrderCommand(kind=kind, user_id="442090", title="月饼", total_fen=12_345, booking=booking)
    number = direct.place_order(client=shop, command=command, at=timezone.now())

    shown = stranger.get(f"/app/payment/wpay/{number}")
    chosen = stranger.post(f"/app/payment/wpay/{number}", {"way": "memory:qr"})

    assert "123.45" in shown.content.decode()
    assert "月饼" not in shown.content.decode()
    assert (chosen.status_code, Charge.objects.get(order__number=number).status) == (303, "pending")


def test_it_shows_nothing_personal(stranger, order, customer):
    body = stranger.get(f"/app/payment/wpay/{order.number}").content.decode()

    for personal in ("131.28", "2,144.00", order.title, customer.real_name, customer.ee_no, customer.user_id):
        assert personal not in body


def test_looking_starts_nothing(stranger, order):
    for address in ways_to_ask(order.number):
        stranger.get(address)

    assert Charge.objects.exclude(tender="points").count() == 0


def test_the_form_starts_the_charge_and_comes_back_to_the_page(stranger, order):
    response = stranger.post(f"/app/payment/wpay/{order.number}/", {"way": "memory:qr"})

    charge = Charge.objects.exclude(tender="points").get()
    assert (response.status_code, response["Location"]) == (303, f"/app/payment/wpay/{order.number}/")
    assert charge.return_url.endswith(f"/app/payment/wpay/{order.number}/?returned=1")


def test_a_form_without_its_token_starts_nothing(order):
    response = Client(enforce_csrf_checks=True).post(f"/app/payment/wpay/{order.number}/", {"way": "memory:qr"})

    assert response.status_code == 403
    assert Charge.objects.exclude(tender="points").count() == 0


@pytest.mark.parametrize(
    "address",
    [
        "9999999999999999",
        "9999999999999999/",
        "order-number",
        "",
        "order-number?order_number=",
        "order-number?order_number=9999999999999999",
        "order-number?order_number=%00",
        "order-number?order_number=1%0A",
        "order-number?order_number=../../admin",
        "x%00y",
    ],
)
def test_an_unknown_order_is_a_page_of_its_own(stranger, account, address):
    response = stranger.get(f"/app/payment/wpay/{address}")

    assert response.status_code == 404
    assert "There is no such order" in response.content.decode()


def test_the_query_decides_whatever_stands_last_in_the_path(stranger, order):
    assert stranger.get(f"/app/payment/wpay/1?order_number={order.number}").context["order"] == order
    assert stranger.get(f"/app/payment/wpay/{order.number}?order_number=1").status_code == 404


def test_the_live_status_is_there(stranger, order):
    shown = stranger.get(f"/app/payment/wpay/order-number?order_number={order.number}")

    assert stranger.get(shown.context["live_path"]).json()["state"] == "choosing"


def test_guessing_numbers_is_made_slow(stranger, order, monkeypatch):
    monkeypatch.setattr(limits, "REQUESTS_A_MINUTE", 2)

    statuses = [stranger.get(address).status_code for address in ways_to_ask(order.number)[:4]]

    assert statuses == [200, 200, 429, 429]
