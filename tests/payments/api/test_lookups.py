"""Look-up over HTTP: a client finds its own orders and charges by any number, and nobody else's."""

import datetime

import pytest
from django.test import Client
from django.utils import timezone

from payments.charges import operations as charges
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.models import Charge, Customer, Order
from tests.calls import signed
from tests.payments.api.look_ups import CHARGES, ORDERS, cursor, data, found, get, make_charge, make_order, refusal
from tests.world import (
    NOW,
    TOKEN,
    make_client,
    make_customer,
    make_memory_account,
    owe_from_balance,
    place_by_balance,
    place_order,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_client()


@pytest.fixture
def paid(shop):
    """An order of 5 yuan, 2 of them points and 3 paid at the gateway in memory."""
    memory.forget_everything()
    make_memory_account()
    make_customer(client=shop, points_fen=200)
    order = place_order(client=shop, number="T1", total_fen=500, shipping_fen=50)
    charge = charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())
    memory.book("memory-app").pay(charge.number)
    charges.reconcile(charge_id=charge.pk, at=timezone.now())
    return Order.objects.get()


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_order_is_told_with_its_charges(paid, slash):
    shown = data(get(f"/api/orders/{paid.number}{slash}"))

    at_gateway = Charge.objects.get(attempt=2)
    clock = {name: shown.pop(name) for name in ("created_at", "expires_at", "paid_at")}
    attempts = shown.pop("charges")
    assert shown == {
        "order_number": paid.number, "family": "checkout", "kind": "goods", "status": "pay_finished", "money_flag": "",
        "user_id": "442090", "title": paid.title, "out_trade_no": "T1", "client_pay_id": "", "total_amount": 5,
        "shipping_fee": 0.5, "point_amount": 2, "balance_amount": 0, "cash_amount": 3, "refunded_amount": 0,
        "closed_at": "", "refunds": [],
    }  # fmt: skip
    assert clock == {
        "created_at": clock_of(paid.created_at),
        "expires_at": clock_of(paid.expires_at),
        "paid_at": clock_of(paid.finished_at),
    }
    assert [
        [charge[name] for name in ("charge_number", "tender", "mode", "status", "amount", "paid", "gateway_trade_no")]
        for charge in attempts
    ] == [
        [f"{paid.number}_1", "points", "", "succeeded", 2, 2, ""],
        [f"{paid.number}_2", "memory", "qr", "succeeded", 3, 3, at_gateway.gateway_trade_no],
    ]
    assert at_gateway.gateway_trade_no
    assert attempts[1]["paid_at"] == clock_of(at_gateway.paid_at)


def clock_of(at):
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}"


def test_a_list_tells_the_same_as_the_order_s_own_page(paid):
    shown = data(get(f"/api/orders/{paid.number}/"))
    attempts, _refunds = shown.pop("charges"), shown.pop("refunds")

    assert data(get(ORDERS)) == {"results": [shown], "next": None, "previous": None}
    assert data(get(CHARGES))["results"] == [{"order_number": paid.number, **charge} for charge in attempts]


def test_what_the_balance_paid_is_told_apart_and_its_charge_found(shop):
    order = place_by_balance(customer=make_customer(client=shop, balance_fen=10_000))
    place_order(client=shop)

    shown = data(get(f"/api/orders/{order.number}/"))

    assert [shown[f"{tender}_amount"] for tender in ("point", "balance", "cash")] == [0, 100, 0]
    assert found(CHARGES, tender="balance") == [f"{order.number}_1"]


def test_what_the_balance_is_still_to_pay_is_told_without_a_charge(shop):
    order = owe_from_balance(customer=make_customer(client=shop))

    shown = data(get(f"/api/orders/{order.number}/"))

    assert (shown["status"], shown["paid_at"], shown["charges"]) == ("unpaid", "", [])
    assert [shown[f"{tender}_amount"] for tender in ("point", "balance", "cash")] == [0, 100, 0]


def test_what_has_not_happened_is_empty_and_nothing_paid_is_0(shop):
    order = make_order(client=shop)
    account = make_memory_account()
    make_charge(order=order, tender="memory", gateway_account=account, status="pending", mode="qr", is_replaced=True)

    shown = data(get(f"/api/orders/{order.number}/"))

    assert (shown["paid_at"], shown["closed_at"], shown["created_at"]) == ("", "", "2018-06-15 12:00:00")
    [charge] = shown["charges"]
    assert (charge["paid"], charge["paid_at"], charge["expires_at"], charge["gateway_trade_no"]) == (0, "", "", "")
    assert charge["is_replaced"] is True


def test_nothing_is_told_of_who_pays(shop):
    order = make_order(client=shop, user_id="7")
    Customer.objects.update(phone="13800138000", real_name="李雷", ee_no="a09999")
    account = make_memory_account()
    make_charge(
        order=order, tender="memory", gateway_account=account, payer_id="openid-1", payer_address="203.0.113.9",
        return_url="https://www.example.com/?who=lilei", payload={"qr_code": "weixin://x"}, last_answer="SYSTEMERROR",
    )  # fmt: skip

    for path in (ORDERS, CHARGES, f"/api/orders/{order.number}/"):
        shown = get(path).content.decode()
        for personal in ("13800138000", "李雷", "a09999", "openid-1", "203.0.113.9", "lilei", "weixin", "SYSTEMERROR"):
            assert personal not in shown


ONE = {
    "status": "unpaid", "kind": "recharge", "family": "payments", "money_flag": "paid_late", "user_id": "1",
    "number": "1111", "client_order_no": "T1", "client_pay_no": "P1", "total_fen": 1_000,
    "created_at": NOW, "finished_at": NOW + datetime.timedelta(hours=1),
}  # fmt: skip
TWO = {
    "status": "closed", "user_id": "2", "number": "2222", "client_order_no": "T2", "client_pay_no": "P2",
    "total_fen": 1_001, "created_at": NOW + datetime.timedelta(days=1),
    "finished_at": NOW + datetime.timedelta(days=1, hours=1),
}  # fmt: skip
SHARED = [
    {"family": "payments"}, {"kind": "recharge"}, {"money_flag": "paid_late"}, {"money_flag": "any"}, {"user_id": "1"},
    {"order_number": "1111"}, {"out_trade_no": "T1"}, {"client_pay_id": "P1"}, {"charge_number": "1111_1"},
    {"gateway_trade_no": "G1"},
    {"created_to": "2018-06-15 12:00:01"}, {"created_to": "1529121600"}, {"paid_to": "2018-06-15 13:00:01"},
    {"max_amount": "10.00"}, {"max_amount": "10"}, {"user_id": "1", "family": "payments", "created_from": "1529035200"},
]  # fmt: skip
OTHERS = [
    {"created_from": "1529035201"}, {"created_from": "1529121600000"}, {"paid_from": "2018-06-15 13:00:01"},
    {"min_amount": "10.01"}, {"user_id": "2"},
]  # fmt: skip


@pytest.fixture
def two(shop):
    account = make_memory_account()
    for fields, trade_no, status in ((ONE, "G1", "pending"), (TWO, "G2", "closed")):
        order = make_order(client=shop, **fields)
        make_charge(
            order=order, tender="memory", gateway_account=account, gateway_trade_no=trade_no, status=status,
            mode="qr" if order.number == "1111" else "app", paid_at=order.finished_at,
        )  # fmt: skip


@pytest.mark.parametrize("params", [*SHARED, {"status": "unpaid"}], ids=str)
def test_an_order_is_found_by_each_filter(two, params):
    assert found(ORDERS, **params) == ["1111"]


@pytest.mark.parametrize("params", [*SHARED, {"status": "pending"}, {"mode": "qr"}], ids=str)
def test_a_charge_is_found_by_each_filter(two, params):
    assert found(CHARGES, **params) == ["1111_1"]


@pytest.mark.parametrize("params", [*OTHERS, {"status": "closed"}], ids=str)
def test_a_filter_that_fits_the_other_one_finds_the_other_one(two, params):
    assert found(ORDERS, **params) == ["2222"]
    assert found(CHARGES, **params) == ["2222_1"]


@pytest.mark.parametrize(
    "params",
    [
        {"user_id": "3"}, {"user_id": "1", "status": "closed"}, {"out_trade_no": "T"}, {"out_trade_no": " T1"},
        {"gateway_trade_no": "g1"}, {"min_amount": "10.02"}, {"created_from": "1529121601"}, {"money_flag": "overpaid"},
        {"created_from": "1529121600", "created_to": "1529121600"}, {"family": "checkout", "kind": "recharge"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("path", [ORDERS, CHARGES])
def test_what_nothing_fits_is_an_empty_list(two, path, params):
    assert data(get(path, **params)) == {"results": [], "next": None, "previous": None}


def test_charges_are_found_by_what_they_are_paid_with(paid):
    assert found(CHARGES, tender="points") == [f"{paid.number}_1"]
    assert found(CHARGES, tender="memory") == [f"{paid.number}_2"]


WRONG = [
    ({"stat": "paid"}, "stat"),
    ({"limit": "10"}, "limit"),
    ({"client": "2"}, "client"),
    ({"customer__phone": "138"}, "customer__phone"),
    ({"支付": "1"}, "支付"),
    ({"status": "paid"}, "status"),
    ({"status": "PAY_FINISHED"}, "status"),
    ({"status": ["unpaid", "closed"]}, "status"),
    ({"status": ""}, "status"),
    ({"family": "oscar"}, "family"),
    ({"kind": "gold"}, "kind"),
    ({"money_flag": ""}, "money_flag"),
    ({"money_flag": "none"}, "money_flag"),
    ({"user_id": ""}, "user_id"),
    ({"user_id": "a" * 65}, "user_id"),
    ({"user_id": "a\0b"}, "user_id"),
    ({"order_number": ""}, "order_number"),
    ({"gateway_trade_no": ""}, "gateway_trade_no"),
    ({"created_from": "2018-06-15"}, "created_from"),
    ({"created_to": "2018-06-31 12:00:00"}, "created_to"),
    ({"paid_from": "yesterday"}, "paid_from"),
    ({"paid_to": "-1"}, "paid_to"),
    ({"min_amount": "1e3"}, "min_amount"),
    ({"min_amount": "-1"}, "min_amount"),
    ({"max_amount": "1.234"}, "max_amount"),
    ({"max_amount": "1234567890123"}, "max_amount"),
    ({"max_amount": "１２"}, "max_amount"),
    ({"page_size": "0"}, "page_size"),
    ({"page_size": "201"}, "page_size"),
    ({"page_size": "x"}, "page_size"),
    ({"page_size": ""}, "page_size"),
    ({"page_size": "-1"}, "page_size"),
    ({"cursor": "x"}, "cursor"),
    ({"cursor": "cD1hYmM="}, "cursor"),  # p=abc
]


@pytest.mark.parametrize(("params", "field"), WRONG, ids=lambda value: str(value)[:30])
@pytest.mark.parametrize("path", [ORDERS, CHARGES])
def test_a_filter_that_cannot_be_meant_is_named(two, path, params, field):
    status, code, named = refusal(get(path, **params))

    assert (status, named) == (400, field)
    assert code in {"invalid_field", "duplicate_name", "unusable_text", "unreadable_cursor"}


def test_an_unknown_filter_is_told_which_ones_there_are(shop):
    assert "client_pay_id, created_from" in get(ORDERS, limit="10").json()["message"]


class TestWhose:
    @pytest.fixture
    def rival(self, two):
        return make_client(name="rival")

    @pytest.mark.parametrize("params", [{}, *SHARED], ids=str)
    @pytest.mark.parametrize("path", [ORDERS, CHARGES])
    def test_no_filter_leads_to_anothers_rows(self, rival, path, params):
        assert data(get(path, token="rival-token", **params))["results"] == []

    def test_a_number_of_another_s_finds_one_s_own_alone(self, rival):
        make_charge(order=make_order(client=rival, user_id="1", client_order_no="T1", number="3333"))

        for params in ({}, {"user_id": "1"}, {"out_trade_no": "T1"}):
            assert [row["order_number"] for row in data(get(ORDERS, token="rival-token", **params))["results"]] == [
                "3333"
            ]
            assert [row["order_number"] for row in data(get(CHARGES, token="rival-token", **params))["results"]] == [
                "3333"
            ]
        assert found(ORDERS, out_trade_no="T1") == ["1111"]

    @pytest.mark.parametrize("number", ["1111", "1111_1", "9999", "T1", "x" * 500, "支付", "1111 "])
    def test_another_s_number_is_unknown_as_one_that_is_nobody_s(self, rival, number):
        theirs = get(f"/api/orders/{number}/", token="rival-token")
        nobodys = get("/api/orders/9998/", token="rival-token")

        assert refusal(theirs)[:2] == (404, "order_unknown")
        assert theirs.content == nobodys.content

    def test_a_cursor_of_anothers_leads_to_one_s_own_rows(self, rival):
        link = data(get(ORDERS, page_size="1"))["next"]

        assert data(get(ORDERS, token="rival-token", cursor=cursor(link)))["results"] == []


@pytest.mark.parametrize("path", [ORDERS, CHARGES, "/api/orders/1111/"])
class TestWhoMayLook:
    @pytest.mark.parametrize(
        ("token", "expected"), [("", (401, "token_missing")), ("other", (401, "token_unknown"))], ids=str
    )
    def test_nobody_without_a_token(self, two, path, token, expected):
        assert refusal(get(path, token=token))[:2] == expected

    def test_nobody_from_another_family(self, two, shop, path):
        shop.families = ["checkout"]
        shop.save(update_fields=["families"])

        assert refusal(get(path))[:2] == (403, "family_not_served")

    def test_a_client_that_signs_every_call_is_answered_too(self, two, path):
        assert get(path, **signed({})).json() == get(path).json()

    def test_a_sign_that_is_sent_is_believed_only_if_it_is_right(self, two, path):
        assert refusal(get(path, **signed({}, secret="other")))[:2] == (401, "sign_wrong")

    @pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
    def test_nothing_can_be_done_here(self, two, path, method):
        before = list(Order.objects.order_by("pk").values())

        headers = {"Authorization": f"Token {TOKEN}"}
        answer = getattr(Client(), method)(path, "{}", content_type="application/json", headers=headers)

        assert refusal(answer)[:2] == (405, "method_not_allowed")
        assert list(Order.objects.order_by("pk").values()) == before


@pytest.mark.parametrize("path", ["/api/orders/1/2", "/api/orders//", "/api/charges/1", "/api/orders/a%00b/"])
def test_an_address_that_is_none_is_told_in_the_envelope(shop, path):
    assert refusal(get(path))[:2] == (404, "unknown_path")
