"""Document 003's page: any order of any family, by its number alone."""

import datetime

import pytest
from django.test import Client
from django.utils import timezone

from payments.cashier import limits
from payments.cashier.scenes import scene_of
from payments.direct import operations as direct
from payments.direct.operations import Booking, OrderCommand
from payments.models import Charge
from payments.orders.models import OrderKind
from tests.world import make_customer, owe_from_balance, pay_from_balance


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


class TestPaidFromTheBalance:
    """The shop has the customer's balance pay it by a call of its own: the page has nothing to offer but the news."""

    @pytest.fixture
    def owed(self, shop, account):
        payer = make_customer(client=shop, user_id="u1", ee_no="e1", balance_fen=20_000)
        return owe_from_balance(customer=payer, total_fen=12_345)

    def test_it_says_so_and_offers_no_way_to_pay(self, stranger, owed):
        shown = stranger.get(f"/app/payment/wpay/{owed.number}")

        body = shown.content.decode()
        assert (shown.status_code, shown.context["scene"].state) == (200, "from_balance")
        assert "To be paid from the balance" in body
        assert "123.45" in body
        assert 'name="way"' not in body
        assert shown.context["scene"].deadline == owed.expires_at

    def test_a_form_of_before_is_refused_and_starts_nothing(self, stranger, owed):
        chosen = stranger.post(f"/app/payment/wpay/{owed.number}", {"way": "memory:qr"})

        assert chosen.status_code == 409
        assert "There is no other way to pay it." in chosen.content.decode()
        assert not owed.charges.exists()

    def test_an_open_page_notices_by_itself_when_it_is_paid(self, stranger, owed):
        live = f"/app/payment/wpay/{owed.number}/status"
        before = stranger.get(live).json()

        pay_from_balance(owed)

        after = stranger.get(live).json()
        assert ((before["state"], before["is_final"]), after["state"]) == (("from_balance", False), "paid")
        assert before["mark"] != after["mark"]
        assert "123.45" in stranger.get(f"/app/payment/wpay/{owed.number}").content.decode()

    def test_in_its_last_moments_it_can_be_paid_and_then_it_has_expired(self, owed):
        last = owed.expires_at - datetime.timedelta(microseconds=1)

        assert scene_of(order=owed, at=last).state == "from_balance"
        assert scene_of(order=owed, at=owed.expires_at).state == "expired"

    def test_inside_wechat_nobody_is_introduced_for_it(self, owed):
        visitor = Client(HTTP_USER_AGENT="MicroMessenger/8.0", HTTP_ACCEPT_LANGUAGE="en")

        shown = visitor.get(f"/app/payment/wpay/{owed.number}")

        assert (shown.status_code, shown.context["scene"].state) == (200, "from_balance")


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
