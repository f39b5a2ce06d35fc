"""`POST /rest/refund`, `/rest/refund_detail` and `/rest/close`: any order of the client, whatever family made it."""

import pytest
from django.utils import timezone

from payments.customers import grants
from payments.customers.grants import GrantCommand
from payments.customers.queries import Direction
from payments.gateways import memory
from payments.ledger.accounts import Kind
from payments.models import AuditRow, Charge, Order, OrderTransition, Refund, RefundLeg, Transfer
from payments.refunds import operations as refunds
from tests.calls import Text, post, signed
from tests.payments.api.look_ups import data, get
from tests.payments.api.test_direct_orders import GOODS
from tests.payments.refunds.shop import balance_fen, book, paid_order, recharge
from tests.world import make_client, make_customer, place_by_balance, place_order

pytestmark = pytest.mark.django_db

REFUND, DETAIL, CLOSE = "/rest/refund", "/rest/refund_detail", "/rest/close"
BACK = {"refund_no": "R1", "goods_amount": Text("30"), "shipping_amount": Text("5.00"), "reason": "少发一件"}


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


def refund(client, order, **changes):
    return post(client, REFUND, signed({"order_number": order.number, **BACK, **changes}))


def moved():
    models = (Order, Charge, Refund, RefundLeg, Transfer, OrderTransition, AuditRow)
    return [list(model.objects.order_by("pk").values()) for model in models], list(book().refunds)


def refused(client, path, params, *, status, code, field="", **how):
    """Make a call that must be refused, with nothing moved."""
    before = moved()
    answered, answer = post(client, path, params, **how)
    assert (answered, answer["status_code"], answer["data"], answer["error_code"]) == (status, 1, {}, code)
    assert answer["message"].startswith(f"{field}: " if field else "")
    assert moved() == before


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_checkout_order_is_refunded_by_our_number_and_its_detail_tells_the_same(client, slash):
    order = paid_order()

    status, answer = post(client, REFUND + slash, signed({"order_number": order.number, **BACK}))

    assert status == 200
    assert answer == {
        "status_code": 0,
        "data": {
            "order_number": order.number, "status": "partly_refund", "refund_no": "R1",
            "refund_number": f"{order.number}_R1", "refund_status": "succeeded", "goods_amount": 30,
            "shipping_amount": 5, "point_refund_amount": 0, "balance_refund_amount": 0, "cash_refund_amount": 35,
            "refunded_amount": 35,
        },
    }  # fmt: skip
    assert post(client, DETAIL + slash, signed({"refund_no": "R1"})) == (200, answer)
    assert book().refunded_fen(f"{order.number}_2") == 3_500


def test_what_the_balance_paid_goes_back_into_it_and_is_told_apart(client):
    order = place_by_balance(customer=make_customer(client=make_client(), balance_fen=10_000))

    status, answer = refund(client, order)

    told = answer["data"]
    assert status == 200
    assert [told[f"{tender}_refund_amount"] for tender in ("point", "balance", "cash")] == [0, 35, 0]
    assert balance_fen(order) == 3_500


def test_a_recharge_is_taken_out_of_the_balance_again(client):
    order = recharge()

    status, answer = refund(client, order, goods_amount="50", shipping_amount=None)

    assert (status, answer["data"]["status"], answer["data"]["cash_refund_amount"]) == (200, "total_refund", 50)
    assert balance_fen(order) == 0


def test_a_recharge_that_was_spent_is_not_refunded(client):
    order = recharge()
    spent = GrantCommand(grant_no="g1", kind=Kind.BALANCE, direction=Direction.OUT, amount_fen=1)
    grants.grant(client_id=order.client_id, user_id="442090", command=spent, actor="test")

    params = signed({"order_number": order.number, **BACK, "goods_amount": "50", "shipping_amount": None})
    refused(client, REFUND, params, status=422, code="not_enough")


def test_the_same_refund_no_again_is_the_same_answer_and_nothing_more(client):
    order = paid_order()
    first = refund(client, order)
    before = moved()

    assert refund(client, order) == first
    assert moved() == before


@pytest.mark.parametrize("change", [{"goods_amount": "29"}, {"shipping_amount": ""}], ids=str)
def test_the_same_refund_no_with_other_amounts_is_a_conflict(client, change):
    order = paid_order()
    refund(client, order)

    params = signed({"order_number": order.number, **BACK, **change})
    refused(client, REFUND, params, status=409, code="refund_no_reused", field="refund_no")


def test_a_refund_no_counts_for_both_families(client):
    order = paid_order()
    refund(client, order)

    checkout = {"out_trade_no": "T1", **BACK}
    status, answer = post(client, "/api/checkout/refund/", signed(checkout))

    assert (status, answer["result"]["refund_number"]) == (200, f"{order.number}_R1")
    assert Refund.objects.count() == 1


WRONG = {
    "order_number": ["4" * 65, ["1"], Text("4.5"), True],
    "goods_amount": [Text("-1"), Text("0.001"), "1e2", "NaN", "１", " 1", True, [], Text("1234567890123")],
    "shipping_amount": [Text("-1"), Text("0.001"), "1e2", "Infinity", True],
    "refund_no": ["R" * 65, "R&1", "R 1", "退1", "R\n1", Text("1.5"), True, ["R1"]],
    "reason": ["x" * 201, "two\nlines", ["x"]],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in WRONG.items() for value in values],
    ids=lambda value: repr(value)[:40],
)
def test_what_makes_no_sense_is_refused_by_name(client, field, value):
    order = paid_order()

    params = signed({"order_number": order.number, **BACK, field: value})
    refused(client, REFUND, params, status=400, code="invalid_field", field=field)


@pytest.mark.parametrize("field", ["order_number", "refund_no"])
@pytest.mark.parametrize("empty", [None, ""])
def test_what_is_missing_is_named(client, field, empty):
    order = paid_order()

    params = signed({"order_number": order.number, **BACK, field: empty})
    refused(client, REFUND, params, status=400, code="missing_field", field=field)


def test_a_refund_of_nothing_and_of_too_much_is_refused(client):
    order = paid_order()
    asked = {"order_number": order.number, **BACK}

    nothing = asked | {"goods_amount": "0", "shipping_amount": None}
    refused(client, REFUND, signed(nothing), status=400, code="malformed", field="goods_amount")
    too_much = signed(asked | {"goods_amount": "90.01"})
    refused(client, REFUND, too_much, status=422, code="refund_exceeds", field="goods_amount")


# --- closing


@pytest.fixture
def shop():
    shop = make_client()
    shop.customer = make_customer(client=shop, points_fen=50)
    return shop


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_order_of_each_family_is_closed_by_our_number(client, shop, slash):
    direct = post(client, "/rest/order", GOODS)[1]["data"]["order_number"]
    checkout = place_order(client=shop, total_fen=100).number

    for number in (direct, checkout):
        status, answer = post(client, CLOSE + slash, signed({"order_number": number, "reason": "顾客不要了"}))

        assert (status, answer) == (200, {"status_code": 0, "data": {"order_number": number, "status": "closed"}})
        assert OrderTransition.objects.get(order__number=number, event="closed").reason == "顾客不要了"
        assert post(client, CLOSE, signed({"order_number": number}))[1] == answer


def test_a_paid_order_is_not_closed(client):
    order = paid_order()

    refused(client, CLOSE, signed({"order_number": order.number}), status=409, code="order_paid")


@pytest.mark.parametrize("value", ["x" * 129, "two\nlines", True], ids=repr)
def test_a_reason_for_closing_is_one_short_line(client, shop, value):
    number = place_order(client=shop, total_fen=100).number

    params = signed({"order_number": number, "reason": value})
    refused(client, CLOSE, params, status=400, code="invalid_field", field="reason")


# --- who calls

CALLS = pytest.mark.parametrize("path", [REFUND, DETAIL, CLOSE])


@CALLS
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sign": ""}, (401, "sign_missing", "sign")),
        ({"sign": "0" * 32}, (401, "sign_wrong", "sign")),
        ({"timestamp": None}, (400, "missing_field", "timestamp")),
        ({"timestamp": "1529035200"}, (401, "timestamp_expired", "timestamp")),
    ],
    ids=str,
)
def test_the_token_alone_is_not_enough(client, path, change, code):
    order = paid_order()
    refund(client, order)

    params = {**signed({"order_number": order.number, **BACK}), **change}
    status, code, field = code
    refused(client, path, params, status=status, code=code, field=field)


@CALLS
def test_what_is_another_clients_is_unknown(client, path):
    order = paid_order()
    refund(client, order)
    make_client(name="rival", secret="rival-secret")

    params = signed({"order_number": order.number, **BACK}, secret="rival-secret")
    code, field = ("refund_unknown", "refund_no") if path == DETAIL else ("order_unknown", "")
    refused(client, path, params, token="rival-token", status=404, code=code, field=field)


def test_refusals_answer_200_for_a_client_that_reads_only_the_body(client):
    order = paid_order(always_http_200=True)

    refused(client, CLOSE, signed({"order_number": order.number}), status=200, code="order_paid")


# --- the look-up


def test_the_look_up_tells_of_an_orders_refunds_and_how_much_went_back(client):
    order = paid_order(approval_above_fen=3_500)
    refund(client, order)
    refund(client, order, refund_no="R2", shipping_amount=None)
    refunds.refuse(refund_id=Refund.objects.get(refund_no="R2").pk, actor="user:lin", reason="no", at=timezone.now())

    shown = data(get(f"/api/orders/{order.number}/"))

    assert shown["refunded_amount"] == 35
    times = [(told.pop("requested_at"), told.pop("settled_at")) for told in shown["refunds"]]
    assert shown["refunds"] == [
        {
            "refund_number": f"{order.number}_R1", "refund_no": "R1", "kind": "order", "status": "succeeded",
            "amount": 35, "goods_amount": 30, "shipping_amount": 5, "reason": "少发一件",
        },
        {
            "refund_number": f"{order.number}_R2", "refund_no": "R2", "kind": "order", "status": "failed",
            "amount": 30, "goods_amount": 30, "shipping_amount": 0, "reason": "少发一件",
        },
    ]  # fmt: skip
    assert all(len(time) == len("2018-06-15 12:00:00") for pair in times for time in pair)
    assert data(get("/api/orders/"))["results"][0]["refunded_amount"] == 35


def test_what_staff_wrote_is_not_told(client):
    order = paid_order()
    command = refunds.RefundCommand(goods_fen=100, reason="a friend of the boss")
    refunds.refund(order_id=order.pk, command=command, actor="user:lin", at=timezone.now())

    answer = get(f"/api/orders/{order.number}/")

    assert data(answer)["refunds"][0]["reason"] == ""
    assert "boss" not in answer.content.decode()
