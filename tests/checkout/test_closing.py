"""`close` over HTTP, and for how long an order waits otherwise (`expires_in`)."""

import pytest
from django.utils import timezone

from payments.charges import operations as charges
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.models import AuditRow, Charge, Order, OrderTransition, Transfer
from tests.calls import Text, post, signed
from tests.checkout.test_documents import PAY
from tests.world import make_client, make_customer, make_memory_account, place_order, points_fen

pytestmark = pytest.mark.django_db

PAY_PATH, CLOSE = "/api/checkout/pay/", "/api/checkout/close/"


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


@pytest.fixture
def shop():
    shop = make_client()
    shop.customer = make_customer(client=shop, points_fen=30)
    make_memory_account()
    return shop


def attempt(order):
    return charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.PAGE, actor="test", at=timezone.now())


def moved():
    models = (Order, Charge, Transfer, OrderTransition, AuditRow)
    return [list(model.objects.order_by("pk").values()) for model in models]


def refused(client, params, *, status, code, field="", path=CLOSE, **how):
    """Make a call that must be refused, with nothing moved."""
    before = moved()
    answered, answer = post(client, path, params, **how)
    assert (answered, answer["success"], answer["result_code"], answer["result"]) == (status, False, code, {})
    assert answer["result_message"].startswith(f"{field}: " if field else "")
    assert moved() == before


@pytest.mark.parametrize("path", ["/api/checkout/close/", "/api/checkout/close"])
def test_an_unpaid_order_is_closed_and_its_points_are_back(client, shop, path):
    order = place_order(client=shop, total_fen=100, shipping_fen=10)

    status, answer = post(client, path, signed({"out_trade_no": "T1", "reason": "顾客不要了"}))

    assert status == 200
    assert answer == {
        "result_message": "",
        "result_code": "order_closed",
        "result": {
            "status": "closed", "client_pay_id": "", "out_trade_no": "T1", "point_amount": 0.3, "cash_amount": 0.7,
            "cash_pay_url": "", "total_amount": 1, "bb_trade_no": order.number, "shipping_fee": 0.1,
        },
        "success": True,
    }  # fmt: skip
    assert points_fen(shop.customer) == 30
    move = OrderTransition.objects.get(target="closed")
    assert (move.actor, move.reason) == ("client:shop", "顾客不要了")


def test_it_may_be_named_by_the_payments_number_and_needs_no_reason(client, shop):
    post(client, PAY_PATH, signed(PAY))

    status, answer = post(client, CLOSE, signed({"client_pay_id": PAY["client_pay_id"]}))

    assert (status, answer["result"]["status"]) == (200, "closed")


def test_an_open_attempt_is_closed_at_the_gateway_first(client, shop):
    charge = attempt(place_order(client=shop, total_fen=100))

    assert post(client, CLOSE, signed({"out_trade_no": "T1"}))[0] == 200

    charge.refresh_from_db()
    assert charge.status == "closed"
    assert ("close_payment", charge.number) in memory.book("memory-app").calls


def test_closing_again_is_the_same_answer_and_nothing_more(client, shop):
    place_order(client=shop, total_fen=100)
    first = post(client, CLOSE, signed({"out_trade_no": "T1"}))
    before = moved()

    assert post(client, CLOSE, signed({"out_trade_no": "T1", "reason": "again"})) == first
    assert moved() == before


def test_an_order_that_points_paid_is_not_closed(client, shop):
    place_order(client=shop, total_fen=30)

    refused(client, signed({"out_trade_no": "T1"}), status=409, code="order_paid")


def test_an_order_that_turns_out_to_be_paid_is_not_closed(client, shop):
    order = place_order(client=shop, total_fen=100)
    memory.book("memory-app").pay(attempt(order).number)

    status, answer = post(client, CLOSE, signed({"out_trade_no": "T1"}))

    order.refresh_from_db()
    assert (status, answer["result_code"], order.status) == (409, "order_paid", "pay_finished")


def test_while_the_gateway_does_not_answer_the_order_stays(client, shop):
    order = place_order(client=shop, total_fen=100)
    attempt(order)
    memory.book("memory-app").script(memory.Fault.LOST_RESPONSE, verb="close_payment")

    status, answer = post(client, CLOSE, signed({"out_trade_no": "T1"}))

    order.refresh_from_db()
    assert (status, answer["result_code"], order.status) == (503, "gateway_unanswered", "point_paid")


def test_a_repeat_of_the_pay_call_of_a_closed_order_says_that_it_is_closed(client, shop):
    post(client, PAY_PATH, signed(PAY))
    post(client, CLOSE, signed({"out_trade_no": PAY["out_trade_no"]}))

    status, answer = post(client, PAY_PATH, signed(PAY))

    assert (status, answer["result"]["status"], answer["result"]["cash_pay_url"]) == (200, "closed", "")


@pytest.mark.parametrize("value", ["x" * 129, "two\nlines", ["x"], Text("1.5"), True], ids=repr)
def test_a_reason_is_one_line_of_128_at_most(client, shop, value):
    place_order(client=shop, total_fen=100)

    params = signed({"out_trade_no": "T1", "reason": value})
    refused(client, params, status=400, code="invalid_field", field="reason")


def test_the_longest_reason_is_kept(client, shop):
    place_order(client=shop, total_fen=100)

    assert post(client, CLOSE, signed({"out_trade_no": "T1", "reason": "长" * 128}))[0] == 200
    assert OrderTransition.objects.get(target="closed").reason == "长" * 128


def test_without_a_number_nothing_is_closed(client, shop):
    place_order(client=shop, total_fen=100)

    refused(client, signed({"out_trade_no": ""}), status=400, code="invalid_field", field="out_trade_no")


def test_the_order_of_another_client_is_unknown(client, shop):
    place_order(client=shop, total_fen=100)
    make_client(name="rival", secret="rival-secret")

    params = signed({"out_trade_no": "T1"}, secret="rival-secret")
    refused(client, params, token="rival-token", status=404, code="order_unknown")


def test_without_the_permission_nothing_is_closed(client, shop):
    place_order(client=shop, total_fen=100)
    shop.user.user_permissions.clear()

    refused(client, signed({"out_trade_no": "T1"}), status=403, code="permission_missing")


@pytest.mark.parametrize(("sign", "code"), [("", "sign_missing"), ("0" * 32, "sign_wrong")])
def test_an_unsigned_call_closes_nothing(client, shop, sign, code):
    place_order(client=shop, total_fen=100)

    refused(client, {**signed({"out_trade_no": "T1"}), "sign": sign}, status=401, code=code)


def test_refusals_answer_200_for_a_client_that_reads_only_the_body(client, shop):
    place_order(client=shop, total_fen=30)
    type(shop).objects.update(always_http_200=True)

    refused(client, signed({"out_trade_no": "T1"}), status=200, code="order_paid")


# --- expires_in


def waits_s():
    order = Order.objects.get()
    return (order.expires_at - order.created_at).total_seconds()


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [({}, 1_800), ({"expires_in": None}, 1_800), ({"expires_in": ""}, 1_800), ({"expires_in": Text("300")}, 300),
     ({"expires_in": "604800"}, 604_800)],
    ids=str,
)  # fmt: skip
def test_an_order_waits_as_long_as_it_is_told_or_as_the_clients_orders_do(client, shop, sent, seconds):
    assert post(client, PAY_PATH, signed(PAY | sent))[0] == 200

    assert waits_s() == seconds


@pytest.mark.parametrize(
    "value",
    [Text("299"), Text("604801"), Text("-300"), Text("300.0"), "３００", " 300", True, [], Text("3e2")],
    ids=repr,
)
def test_a_time_out_of_measure_is_refused(client, shop, value):
    refused(client, signed(PAY | {"expires_in": value}), path=PAY_PATH, status=400, code="invalid_field",
            field="expires_in")  # fmt: skip


def test_a_repeat_with_another_time_is_the_same_order_and_changes_nothing(client, shop):
    first = post(client, PAY_PATH, signed(PAY | {"expires_in": "600"}))[1]["result"]["bb_trade_no"]

    again = post(client, PAY_PATH, signed(PAY))[1]["result"]["bb_trade_no"]

    assert (again, waits_s()) == (first, 600)
