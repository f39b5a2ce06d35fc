"""From `cash_pay_url` to the cashier and back to `redirect_url`."""

import datetime
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from checkout.models import CheckoutOrder
from payments.charges import operations as charges
from payments.charges import settlement
from payments.clients import login_codes, signing
from payments.gateways import memory
from payments.gateways.base import Mode, Outcome, PaymentState
from payments.models import Charge, Order
from tests.calls import post, signed
from tests.checkout.test_documents import PAY
from tests.world import SECRET, make_client, make_customer, make_memory_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(client):
    memory.forget_everything()
    make_memory_account()
    make_customer(client=make_client(), points_fen=13_128)
    return pay(client)


def pay(client, **changes):
    answer = post(client, "/api/checkout/pay/", signed(PAY | changes))[1]["result"]
    order = Order.objects.get(number=answer["bb_trade_no"])
    order.link = {name: values[0] for name, values in parse_qs(urlsplit(answer["cash_pay_url"]).query).items()}
    order.page = f"/checkout/pay/{order.number}/"
    return order


def log_in(client, link):
    return client.post("/api_login/", link)


def settle(order):
    charge = charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())
    state = PaymentState(
        outcome=Outcome.SUCCEEDED, number=charge.number, amount_fen=charge.amount_fen, trade_no="m1"
    )  # fmt: skip
    settlement.settle(charge_id=charge.pk, state=state, at=timezone.now())


def generation(order):
    return CheckoutOrder.objects.get(order=order).login_generation


class TestTheLoginLink:
    def test_opening_it_burns_nothing_and_posting_it_opens_the_cashier_once(self, client, order):
        for _scanner in range(3):
            assert client.get("/api_login/", order.link).status_code == 200
        assert generation(order) == 0

        first, again = log_in(client, order.link), log_in(client, order.link)

        assert (first.status_code, first.headers["Location"]) == (303, order.page)
        assert again.status_code == 403
        assert generation(order) == 1

    def test_it_logs_no_django_user_in(self, client, order):
        log_in(client, order.link)

        assert "sessionid" not in client.cookies
        assert client.cookies["cashier"]["httponly"]
        assert client.cookies["cashier"]["path"] == order.page.rstrip("/")

    def test_it_needs_the_csrf_token(self, order):
        assert Client(enforce_csrf_checks=True).post("/api_login/", order.link).status_code == 403
        assert generation(order) == 0

    def test_an_expired_code_is_refused(self, client, order):
        long_ago = timezone.now() - datetime.timedelta(seconds=601)
        code = login_codes.issue(number=order.number, generation=0, at=long_ago)

        assert log_in(client, order.link | {"code": code}).status_code == 403
        assert generation(order) == 0

    def test_the_code_of_another_order_is_refused(self, client, order):
        other = pay(client, out_trade_no="B", client_pay_id="b")

        assert log_in(client, order.link | {"code": other.link["code"]}).status_code == 403
        assert (generation(order), generation(other)) == (0, 0)

    @pytest.mark.parametrize(
        "elsewhere",
        [
            "https://evil.example/",
            "//evil.example/",
            "/admin/",
            "",
            "javascript:alert(1)",
            "/checkout/pay/../../admin/",
        ],
    )
    def test_next_leads_nowhere_but_to_the_orders_page(self, client, order, elsewhere):
        answer = log_in(client, order.link | {"next": elsewhere})

        assert answer.status_code == 400
        assert "Location" not in answer.headers
        assert generation(order) == 0

    def test_a_repeated_pay_gives_a_fresh_code_after_the_first_was_used(self, client, order):
        log_in(client, order.link)

        again = pay(client)

        assert log_in(client, again.link).status_code == 303


class TestTheWayBack:
    def test_it_tells_what_became_of_the_order_signed(self, client, order):
        log_in(client, order.link)
        settle(order)

        answer = client.get(f"{order.page}?return")

        parts = urlsplit(answer.headers["Location"])
        told = dict(parse_qsl(parts.query, keep_blank_values=True))
        assert answer.status_code == 302
        assert (parts.scheme, parts.netloc) == ("https", "www.example.com")
        sign = told.pop("sign")
        assert sign == signing.sign(params=told, secret=SECRET, sign_type="MD5")
        assert told | {"timestamp": ""} == {
            "out_trade_no": "20111111111",
            "client_pay_id": "0000010111135",
            "bb_trade_no": order.number,
            "status": "pay_finished",
            "total_amount": "2144.00",
            "timestamp": "",
        }

    def test_the_addresss_own_query_is_kept(self, client, order):
        other = pay(client, out_trade_no="B", client_pay_id="b", redirect_url="https://www.example.com/done?a=1&b=&a=2")
        log_in(client, other.link)
        settle(other)

        location = client.get(f"{other.page}?return").headers["Location"]

        assert location.startswith("https://www.example.com/done?a=1&b=&a=2&out_trade_no=B&")

    def test_without_a_session_nothing_is_signed_and_the_shops_own_query_is_not_told(self, client, order):
        other = pay(client, out_trade_no="B", client_pay_id="b", redirect_url="https://www.example.com/done?name=x#y")
        settle(other)

        location = client.get(f"{other.page}?return").headers["Location"]

        assert location == "https://www.example.com/done"

    def test_before_the_end_there_is_no_way_back(self, client, order):
        log_in(client, order.link)

        assert client.get(f"{order.page}?return").status_code == 200


class TestThePage:
    def test_without_a_session_it_shows_nothing_personal(self, client, order):
        page = client.get(order.page).content.decode()

        assert "2,012.72" in page
        assert "131.28" not in page
        assert "442090" not in page

    def test_with_a_session_it_shows_the_points_that_were_used(self, client, order):
        log_in(client, order.link)

        assert "131.28" in client.get(order.page).content.decode()

    def test_getting_it_starts_no_charge(self, client, order):
        log_in(client, order.link)
        client.get(order.page)
        client.get(f"{order.page}status")

        assert Charge.objects.filter(tender="memory").count() == 0

    def test_the_session_of_one_order_opens_no_other(self, client, order):
        other = pay(client, out_trade_no="B", client_pay_id="b", user_id="442090")
        log_in(client, order.link)
        client.cookies["cashier"]["path"] = "/"

        assert "131.28" not in client.get(other.page).content.decode()

    def test_an_order_of_nobody_is_a_page_of_404(self, client, order):
        assert client.get("/checkout/pay/9999999999999999/").status_code == 404
