"""`POST /rest/order` over HTTP: what makes an order of document 003, and every call that makes none."""

import datetime

import pytest
from django.utils import timezone

from payments.models import Appointment, AuditRow, Order, Transfer
from tests.calls import Text, body, post, signed
from tests.world import make_client, make_customer, place_order

pytestmark = pytest.mark.django_db

PATH = "/rest/order"
GOODS = {"order_type": "Order", "user_id": "442090", "title": "DEMO", "total_amount": Text("11.1")}
WALLET = {**GOODS, "order_type": "Wallet"}
APPOINTMENT = {
    **GOODS,
    "order_type": "Appointment",
    "appointment_time": "2018-08-03 09:30:00",
    "appointment_for": "林小满",
}
EACH = pytest.mark.parametrize("params", [GOODS, WALLET, APPOINTMENT], ids=lambda params: params["order_type"])


@pytest.fixture(autouse=True)
def shop():
    shop = make_client()
    make_customer(client=shop, points_fen=13_128)
    return shop


def made(client, params):
    """Make an order and return it."""
    status, answer = post(client, PATH, params)
    assert status == 200, answer
    return Order.objects.get(number=answer["data"]["order_number"])


def refused(client, params, *, status, code, field="", **how):
    """Send a call that must be refused, with nothing written."""
    before = books()
    answered, answer = post(client, PATH, params, **how)
    assert (answered, answer["status_code"], answer["data"], answer["error_code"]) == (status, 1, {}, code)
    assert answer["message"].startswith(f"{field}: " if field else "")
    assert len(answer["message"]) > len(field) + 5
    assert books() == before


def books():
    return [model.objects.count() for model in (Order, Appointment, AuditRow, Transfer)]


@EACH
@pytest.mark.parametrize("path", ["/rest/order", "/rest/order/"])
def test_the_answer_is_the_number_and_nothing_else(client, path, params):
    status, answer = post(client, path, params)

    assert status == 200
    assert answer == {"status_code": 0, "data": {"order_number": Order.objects.get().number}}


@pytest.mark.parametrize(
    ("params", "kind"), [(GOODS, "goods"), (WALLET, "recharge"), (APPOINTMENT, "appointment")], ids=str
)
def test_the_order_is_what_was_asked_for(client, shop, params, kind):
    order = made(client, params)

    assert (order.kind, order.family, order.status, order.title) == (kind, "payments", "unpaid", "DEMO")
    assert (order.total_fen, order.cash_fen, order.client) == (1_110, 1_110, shop)


@pytest.mark.parametrize("time", ["2018-08-03 09:30:00", "1533259800", Text("1533259800"), Text("1533259800000")])
def test_the_time_of_an_appointment_comes_in_any_form(client, time):
    order = made(client, {**APPOINTMENT, "appointment_time": time})

    assert order.appointment.appointment_time == datetime.datetime(2018, 8, 3, 1, 30, tzinfo=datetime.UTC)
    assert order.appointment.appointment_for == "林小满"


@pytest.mark.parametrize(("seconds", "waits_s"), [(Text("300"), 300), ("604800", 604_800), (None, 1_800), ("", 1_800)])
def test_it_waits_as_long_as_it_is_told_or_as_the_clients_orders_do(client, seconds, waits_s):
    order = made(client, {**GOODS, "expires_in": seconds})

    assert abs((order.expires_at - timezone.now()).total_seconds() - waits_s) < 30


def test_optional_parameters_may_be_empty(client):
    empty = dict.fromkeys(("appointment_time", "appointment_for", "notify_url", "expires_in", "out_trade_no"), "")

    order = made(client, {**GOODS, **empty})

    assert (order.notify_url, order.client_order_no) == ("", "")


def test_the_same_number_again_is_the_same_order(client):
    params = {**WALLET, "out_trade_no": "A1", "notify_url": "https://www.example.com/paid?x=1"}

    first, again = made(client, params), made(client, {**params, "total_amount": "11.10"})

    assert first == again
    assert (first.client_order_no, first.notify_url) == ("A1", "https://www.example.com/paid?x=1")


def test_the_same_number_with_other_contents_is_a_conflict(client):
    made(client, {**GOODS, "out_trade_no": "A1"})

    params = {**GOODS, "out_trade_no": "A1", "total_amount": Text("11.11")}
    refused(client, params, status=409, code="number_reused", field="out_trade_no")


def test_a_number_of_a_checkout_order_is_a_conflict(client, shop):
    place_order(client=shop, number="A1")

    refused(client, {**GOODS, "out_trade_no": "A1"}, status=409, code="number_reused", field="out_trade_no")


@EACH
def test_an_unknown_customer_is_told(client, params):
    refused(client, {**params, "user_id": "7"}, status=404, code="customer_unknown", field="user_id")


def test_a_customer_of_another_client_is_unknown(client):
    make_customer(client=make_client(name="mall"), user_id="7")

    refused(client, {**GOODS, "user_id": "7"}, status=404, code="customer_unknown", field="user_id")


def test_a_frozen_customer_is_refused(client, shop):
    shop.customer_set.update(is_frozen=True)

    refused(client, GOODS, status=422, code="customer_frozen")


@pytest.mark.parametrize("field", ["order_type", "user_id", "title", "total_amount"])
@pytest.mark.parametrize("empty", ["left out", None, ""])
def test_what_is_missing_is_named(client, field, empty):
    params = {name: value for name, value in GOODS.items() if name != field}

    refused(
        client, params if empty == "left out" else {**params, field: empty},
        status=400, code="missing_field", field=field,
    )  # fmt: skip


@pytest.mark.parametrize("field", ["title", "appointment_for", "out_trade_no"])
@pytest.mark.parametrize("blank", [" ", "　", " \u00a0 "], ids=repr)
def test_a_text_of_spaces_is_none(client, field, blank):
    refused(client, {**APPOINTMENT, field: blank}, status=400, code="missing_field", field=field)


@pytest.mark.parametrize("field", ["appointment_time", "appointment_for"])
def test_an_appointment_without_its_time_or_for_whom_is_refused(client, field):
    refused(client, {**APPOINTMENT, field: None}, status=400, code="missing_field", field=field)


@pytest.mark.parametrize("params", [GOODS, WALLET], ids=lambda params: params["order_type"])
@pytest.mark.parametrize("field", ["appointment_time", "appointment_for"])
def test_no_other_order_has_them(client, params, field):
    refused(client, {**params, field: APPOINTMENT[field]}, status=400, code="invalid_field", field=field)


WRONG = {
    "order_type": ["order", "ORDER", "Goods", Text("1"), ["Order"], {}, True],
    "user_id": ["4" * 65, ["442090"], Text("4.5"), True],
    "title": ["a" * 129, "two\nlines", "a\u007f", "a\u0085b", "a\u2028b", "\ufffe", ["DEMO"], {"a": 1}],
    "total_amount": [
        Text("0"), "0.00", Text("0.001"), Text("-1"), "1e2", "NaN", "１", " 1", True, [], Text("1234567890123")
    ],
    "appointment_time": [
        "tomorrow", "2018-02-30 09:00:00", "2018-08-03", "0001-01-01 00:00:00", "1999-12-31 23:59:59", Text("1"),
        Text("1.5e9"), True, [],
    ],
    "appointment_for": ["a" * 129, "two\nlines", []],
    "notify_url": [
        "paid", "/paid", "//www.example.com/", "ftp://www.example.com/", "https://", "https://u:p@www.example.com/",
        "https://www.example.com:x/", "https://www.example.com\\@other", "https://www.example.com/\n", "javascript:1",
        "http://10.0.0.1/", "http://169.254.169.254/", "https://[fd00::1]/", "http://0xa9fea9fe/",
        "https://www.example.com/" + "a" * 240, Text("5"), [],
    ],
    "expires_in": [
        Text("299"), Text("604801"), Text("-300"), Text("300.0"), "３００", "3_00", " 300", "+300", True, [],
        Text("9999999999"), Text("3e2"),
    ],
    "out_trade_no": ["a" * 65, "two\nlines", [], Text("1.5")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in WRONG.items() for value in values],
    ids=lambda value: repr(value)[:40],
)
def test_what_makes_no_sense_is_refused_by_name(client, field, value):
    refused(client, {**APPOINTMENT, field: value}, status=400, code="invalid_field", field=field)


def test_the_largest_title_and_the_smallest_amount_are_fine(client):
    order = made(client, {**GOODS, "title": "长" * 128, "total_amount": Text("0.01")})

    assert (order.title, order.total_fen) == ("长" * 128, 1)


class TestWhoCalls:
    @pytest.mark.parametrize("header", ["shop-token", "Token shop-token", "Bearer shop-token", "token  shop-token "])
    def test_the_token_alone_is_enough_in_each_of_its_forms(self, client, header):
        answer = client.post(PATH, data=body(GOODS), content_type="application/json", headers={"authorization": header})

        assert answer.status_code == 200

    @pytest.mark.parametrize(("token", "code"), [("", "token_missing"), ("other", "token_unknown")])
    def test_without_it_nothing_is_made(self, client, token, code):
        refused(client, GOODS, token=token, status=401, code=code)

    def test_a_client_of_another_family_makes_nothing(self, client):
        make_client(name="mall", families=["checkout"])

        refused(client, GOODS, token="mall-token", status=403, code="family_not_served")

    def test_a_sign_that_is_sent_is_checked(self, client):
        assert post(client, PATH, signed(GOODS))[0] == 200

        wrong = {**signed(GOODS), "title": "OTHER"}
        refused(client, wrong, status=401, code="sign_wrong", field="sign")

    def test_a_timestamp_that_is_sent_is_checked(self, client):
        refused(client, {**GOODS, "timestamp": "1529035200"}, status=401, code="timestamp_expired", field="timestamp")

    @pytest.mark.parametrize("empty", [None, ""])
    def test_an_empty_sign_is_none(self, client, empty):
        assert post(client, PATH, {**GOODS, "sign": empty, "timestamp": empty})[0] == 200

    def test_a_client_whose_errors_are_answered_200_gets_the_same_body(self, client, shop):
        shop.always_http_200 = True
        shop.save()

        refused(client, {**GOODS, "user_id": "7"}, status=200, code="customer_unknown", field="user_id")

    @pytest.mark.parametrize(("language", "sentence"), [("en", "This field is required."), ("", "该字段是必填项。")])
    def test_sentences_follow_the_language_of_the_caller(self, client, language, sentence):
        answer = client.post(
            PATH, data="{}", content_type="application/json",
            headers={"authorization": "shop-token", "accept-language": language},
        )  # fmt: skip

        assert answer.json()["message"] == f"order_type: {sentence}"


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_other_methods_are_refused_in_the_envelope(client, method):
    answer = getattr(client, method)(PATH, headers={"authorization": "shop-token"})

    assert (answer.status_code, answer.json()["error_code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/rest/", "/rest/orders", "/rest/pub/", "/rest/wx/"])
def test_other_paths_are_unknown_in_the_envelope(client, path):
    status, answer = post(client, path, GOODS)

    assert (status, answer["status_code"], answer["error_code"]) == (404, 1, "unknown_path")
