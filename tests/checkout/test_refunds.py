"""`refund` and `refund-detail` over HTTP: what a client is told of money that goes back, and what it never gets."""

import contextlib

import pytest
from django.utils import timezone

from payments.closing import operations as closing
from payments.gateways import memory, registry
from payments.models import AuditRow, Charge, Order, OrderTransition, Refund, RefundLeg, Transfer
from payments.refunds import operations as refunds
from tests.calls import Text, body, post, signed
from tests.checkout.test_documents import PAY
from tests.payments.api.test_direct_orders import GOODS
from tests.payments.refunds.shop import book, paid_order, recharge, statuses, sweep
from tests.world import make_client, make_customer, place_order, points_fen

pytestmark = pytest.mark.django_db

REFUND, DETAIL = "/api/checkout/refund/", "/api/checkout/refund-detail/"
BACK = {
    "refund_no": "R1", "out_trade_no": "T1", "goods_amount": Text("30"), "shipping_amount": Text("5.00"),
    "reason": "少发一件",
}  # fmt: skip
TOLD = {
    "status": "partly_refund", "client_pay_id": "", "out_trade_no": "T1", "point_amount": 30, "cash_amount": 70,
    "cash_pay_url": "", "total_amount": 100, "shipping_fee": 10, "refund_no": "R1", "refund_status": "succeeded",
    "goods_amount": 30, "shipping_amount": 5, "point_refund_amount": 0, "cash_refund_amount": 35, "refunded_amount": 35,
}  # fmt: skip


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


def refund(client, **changes):
    return post(client, REFUND, signed(BACK | changes))


def told(client, refund_no="R1"):
    status, answer = post(client, DETAIL, signed({"refund_no": refund_no}))
    assert (status, answer["success"], answer["result_code"]) == (200, True, "refund_detail")
    return answer["result"]


def moved():
    """All that a refund may leave behind."""
    models = (Order, Charge, Refund, RefundLeg, Transfer, OrderTransition, AuditRow)
    return [list(model.objects.order_by("pk").values()) for model in models], list(memory.book("memory-app").refunds)


def refused(client, params, *, status, code, field="", path=REFUND, **how):
    """Make a call that must be refused, with nothing moved."""
    before = moved()
    answered, answer = post(client, path, params, **how)
    assert (answered, answer["success"], answer["result_code"], answer["result"]) == (status, False, code, {})
    assert answer["result_message"].startswith(f"{field}: " if field else "")
    assert len(answer["result_message"]) > len(field) + 5
    assert moved() == before


# --- what is answered


@pytest.mark.parametrize("path", ["/api/checkout/refund/", "/api/checkout/refund"])
def test_a_refund_tells_of_the_order_and_of_itself(client, path):
    order = paid_order()

    status, answer = post(client, path, signed(BACK))

    numbers = {"bb_trade_no": order.number, "refund_number": f"{order.number}_R1"}
    assert status == 200
    assert answer == {
        "result_message": "", "result_code": "order_refund_requested", "result": TOLD | numbers, "success": True,
    }  # fmt: skip
    assert book().refunded_fen(f"{order.number}_2") == 3_500


@pytest.mark.parametrize("path", ["/api/checkout/refund-detail/", "/api/checkout/refund-detail"])
def test_its_detail_tells_the_same(client, path):
    paid_order()
    asked = refund(client)[1]["result"]

    status, answer = post(client, path, signed({"refund_no": "R1"}))

    assert status == 200
    assert answer == {"result_message": "", "result_code": "refund_detail", "result": asked, "success": True}


def test_the_order_may_be_named_by_the_payments_number(client):
    shop = make_client()
    make_customer(client=shop, points_fen=100)
    paid = {"out_trade_no": "", "client_pay_id": "P1", "total_amount": "1", "shipping_fee": "0"}
    number = post(client, "/api/checkout/pay/", signed(PAY | paid))[1]["result"]["bb_trade_no"]

    status, answer = post(client, REFUND, signed({"refund_no": "R1", "client_pay_id": "P1", "goods_amount": "1"}))

    assert (status, answer["result"]["bb_trade_no"], answer["result"]["status"]) == (200, number, "total_refund")


def test_each_tender_gives_back_its_share_and_says_how_much(client):
    paid_order(refund_policy="pro_rata")

    answer = refund(client, shipping_amount=None)[1]["result"]

    assert (answer["point_refund_amount"], answer["cash_refund_amount"]) == (9, 21)
    assert (answer["shipping_amount"], answer["refunded_amount"]) == (0, 30)


def test_the_rest_completes_the_order_s_refund(client):
    order = paid_order()
    refund(client)

    answer = refund(client, refund_no="R2", goods_amount=Text("60"), shipping_amount="5")[1]["result"]

    assert (answer["status"], answer["refund_number"]) == ("total_refund", f"{order.number}_R2")
    assert (answer["point_refund_amount"], answer["cash_refund_amount"], answer["refunded_amount"]) == (30, 35, 100)
    assert points_fen(order.customer) == 3_000


@pytest.mark.parametrize("amounts", [{"goods_amount": "0.01"}, {"shipping_amount": Text("0.01")}], ids=str)
@pytest.mark.parametrize("other", [{}, None, "", "0"], ids=repr)
def test_one_of_the_amounts_is_enough(client, amounts, other):
    paid_order()
    [sent] = amounts
    [left_out] = {"goods_amount", "shipping_amount"} - {sent}
    params = {"refund_no": "R1", "out_trade_no": "T1", **amounts} | ({} if other == {} else {left_out: other})

    status, answer = post(client, REFUND, signed(params))

    assert (status, answer["result"][sent], answer["result"][left_out]) == (200, 0.01, 0)


def test_a_refund_on_its_way_is_pending_until_the_gateway_says_so(client):
    order = paid_order()
    book().refunds_take_time = True

    asked = refund(client)[1]["result"]
    assert (asked["status"], asked["refund_status"], asked["refunded_amount"]) == ("pay_finished", "pending", 0)

    book().settle_refund(f"{order.number}_R1")
    sweep()
    later = told(client)
    assert (later["status"], later["refund_status"], later["refunded_amount"]) == ("partly_refund", "succeeded", 35)


def test_a_refund_that_the_gateway_refuses_has_failed_and_moves_nothing(client):
    order = paid_order(refund_policy="pro_rata")
    book().script(memory.Fault.REFUSED, verb="refund")

    answer = refund(client)[1]["result"]

    assert (answer["status"], answer["refund_status"], answer["refunded_amount"]) == ("pay_finished", "failed", 0)
    assert (points_fen(order.customer), told(client)) == (0, answer)


def test_above_the_limit_it_waits_for_a_second_person_and_their_no_is_a_failure(client):
    paid_order(approval_above_fen=3_000)

    assert refund(client)[1]["result"]["refund_status"] == "to_approve"

    refunds.refuse(refund_id=Refund.objects.get().pk, actor="user:lin", reason="no", at=timezone.now())
    assert told(client)["refund_status"] == "failed"


def test_while_too_many_calls_are_under_way_a_refund_is_kept_and_told_to_the_gateway_later(client):
    order = paid_order()

    with contextlib.ExitStack() as calls:
        with contextlib.suppress(registry.GatewayBusy):
            while True:
                calls.enter_context(registry.place_for_a_call())
        status, answer = refund(client)

    assert (status, answer["result"]["refund_status"], list(book().refunds)) == (200, "pending", [])
    sweep()
    assert told(client)["refund_status"] == "succeeded"
    assert book().refunded_fen(f"{order.number}_2") == 3_500


# --- the same call again


def test_the_same_refund_no_again_is_the_same_answer_and_nothing_more(client):
    paid_order()
    first = refund(client)
    before = moved()

    assert refund(client, goods_amount="30.00", reason="") == first
    assert moved() == before


@pytest.mark.parametrize(
    "change", [{"goods_amount": "29.99"}, {"shipping_amount": None}, {"shipping_amount": "6"}], ids=str
)
def test_the_same_refund_no_with_other_amounts_is_a_conflict(client, change):
    paid_order()
    refund(client)

    refused(client, signed(BACK | change), status=409, code="refund_no_reused", field="refund_no")


def test_the_same_refund_no_for_another_order_is_a_conflict(client):
    order = paid_order()
    refund(client)
    place_order(client=order.client, number="T2", total_fen=100)

    refused(client, signed(BACK | {"out_trade_no": "T2"}), status=409, code="refund_no_reused", field="refund_no")


# --- what is refused


AMOUNTS_REFUSED = [
    Text("-1"), Text("21.441"), Text("1e2"), Text("1E400"), Text("1234567890123"), "NaN", "Infinity", "１２", " 5",
    "abc", "1,000", "+5", True, False, [], {}, "5.", ".5", "-0",
]  # fmt: skip


@pytest.mark.parametrize("value", AMOUNTS_REFUSED, ids=repr)
@pytest.mark.parametrize("field", ["goods_amount", "shipping_amount"])
def test_what_is_no_amount_of_yuan_is_refused(client, field, value):
    paid_order()

    refused(client, signed(BACK | {field: value}), status=400, code="invalid_field", field=field)


@pytest.mark.parametrize("nothing", [{"goods_amount": "0", "shipping_amount": "0.00"},
                                     {"goods_amount": None, "shipping_amount": ""}], ids=str)  # fmt: skip
def test_a_refund_of_nothing_is_refused(client, nothing):
    paid_order()

    refused(client, signed(BACK | nothing), status=400, code="malformed", field="goods_amount")


@pytest.mark.parametrize("empty", [None, ""])
@pytest.mark.parametrize("path", [REFUND, DETAIL])
def test_a_missing_refund_no_is_named(client, path, empty):
    paid_order()

    params = signed(BACK | {"refund_no": empty})
    refused(client, params, path=path, status=400, code="missing_field", field="refund_no")


@pytest.mark.parametrize(
    "value", ["R" * 65, "R&1", "R 1", " R1", "退1", "R\n1", "R\x7f", Text("1.5"), True, ["R1"], {}], ids=repr
)
@pytest.mark.parametrize("path", [REFUND, DETAIL])
def test_a_refund_no_that_could_be_read_in_two_ways_is_refused(client, path, value):
    paid_order()

    params = signed(BACK | {"refund_no": value})
    refused(client, params, path=path, status=400, code="invalid_field", field="refund_no")


@pytest.mark.parametrize("text", ["a\\u0000b", "\\ud800"])
@pytest.mark.parametrize("field", ["refund_no", "reason", "out_trade_no"])
def test_a_nul_and_half_a_pair_are_refused(client, field, text):
    paid_order()
    raw = body(signed(BACK | {field: "HERE"})).replace("HERE", text)

    refused(client, raw, status=400, code="unusable_text", field=field)


@pytest.mark.parametrize("value", ["x" * 201, "two\nlines", "a\u2028b", ["x"], Text("1.5"), True], ids=repr)
def test_a_reason_is_one_line_of_200_at_most(client, value):
    paid_order()

    refused(client, signed(BACK | {"reason": value}), status=400, code="invalid_field", field="reason")


def test_the_longest_refund_no_and_reason_are_kept(client):
    paid_order()

    status, _answer = refund(client, refund_no="~" * 64, reason="长" * 200)

    kept = Refund.objects.get()
    assert (status, kept.refund_no, kept.reason) == (200, "~" * 64, "长" * 200)


@pytest.mark.parametrize("empty", [None, ""])
def test_a_refund_of_no_order_is_refused(client, empty):
    paid_order()

    refused(client, signed(BACK | {"out_trade_no": empty}), status=400, code="invalid_field", field="out_trade_no")


@pytest.mark.parametrize(
    ("amounts", "field"),
    [
        ({"goods_amount": "90.01"}, "goods_amount"),
        ({"shipping_amount": "10.01"}, "shipping_amount"),
        ({"goods_amount": Text("999999999999")}, "goods_amount"),
    ],
)
def test_more_than_is_left_is_refused(client, amounts, field):
    paid_order()

    refused(client, signed(BACK | amounts), status=422, code="refund_exceeds", field=field)


def test_an_unpaid_a_closed_and_a_refunded_order_each_say_why_not(client):
    order = paid_order()
    unpaid = place_order(client=order.client, number="T2", total_fen=100)
    closed = place_order(client=order.client, number="T3", total_fen=100)
    closing.close(order_id=closed.pk, actor="test", at=timezone.now())
    refund(client, refund_no="R0", goods_amount="90", shipping_amount="10")

    for of, code in ((unpaid, "order_not_paid"), (closed, "order_closed"), (order, "order_refunded")):
        params = BACK | {"out_trade_no": of.client_order_no, "goods_amount": "0.01", "shipping_amount": None}
        refused(client, signed(params), status=409, code=code)


def test_the_order_and_the_refund_of_another_client_are_unknown(client):
    paid_order()
    refund(client)
    make_client(name="rival", secret="rival-secret")

    other = signed(BACK | {"refund_no": "R2"}, secret="rival-secret")
    refused(client, other, token="rival-token", status=404, code="order_unknown")
    theirs = signed({"refund_no": "R1"}, secret="rival-secret")
    refused(client, theirs, token="rival-token", path=DETAIL, status=404, code="refund_unknown", field="refund_no")


def test_two_clients_may_have_the_same_refund_no(client):
    paid_order()
    refund(client)
    rival = make_client(name="rival", secret="rival-secret")
    make_customer(client=rival, points_fen=100)
    place_order(client=rival, total_fen=100)

    params = signed(BACK | {"goods_amount": "1", "shipping_amount": None}, secret="rival-secret")
    status, answer = post(client, REFUND, params, token="rival-token")

    assert (status, answer["result"]["point_refund_amount"]) == (200, 1)
    assert Refund.objects.filter(refund_no="R1").count() == 2


def test_an_order_and_a_refund_of_another_family_are_unknown_here(client):
    order = recharge()
    post(client, "/rest/order", GOODS | {"out_trade_no": "W1"})
    command = refunds.RefundCommand(goods_fen=100, refund_no="R1")
    refunds.refund(order_id=order.pk, command=command, actor="client:shop", at=timezone.now())

    refused(client, signed(BACK | {"refund_no": "R2", "out_trade_no": "W1"}), status=404, code="order_unknown")
    refused(client, signed({"refund_no": "R1"}), path=DETAIL, status=404, code="refund_unknown", field="refund_no")


# --- who calls


@pytest.mark.parametrize("path", [REFUND, DETAIL])
def test_without_the_permission_nothing_goes_back(client, path):
    order = paid_order()
    order.client.user.user_permissions.clear()

    refused(client, signed(BACK), path=path, status=403, code="permission_missing")


@pytest.mark.parametrize("path", [REFUND, DETAIL])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sign": ""}, "sign_missing"),
        ({"sign": "0" * 32}, "sign_wrong"),
        ({"timestamp": "1529035200"}, "timestamp_expired"),
        ({"goods_amount": "90"}, "sign_wrong"),
    ],
    ids=str,
)
def test_an_unsigned_call_gives_nothing_back(client, path, change, code):
    paid_order()

    refused(client, {**signed(BACK), **change}, path=path, status=401, code=code)


def test_without_a_token_nothing_goes_back(client):
    paid_order()

    refused(client, signed(BACK), token="", status=401, code="token_missing")


@pytest.mark.parametrize(
    ("params", "path", "code"),
    [
        (BACK | {"goods_amount": "x"}, REFUND, "invalid_field"),
        (BACK | {"goods_amount": "91"}, REFUND, "refund_exceeds"),
        ({"refund_no": "R9"}, DETAIL, "refund_unknown"),
    ],
)
def test_refusals_answer_200_for_a_client_that_reads_only_the_body(client, params, path, code):
    paid_order(always_http_200=True)

    refused(client, signed(params), path=path, status=200, code=code)


def test_an_audit_row_says_which_client_asked_and_for_what(client):
    order = paid_order()

    refund(client)

    row = AuditRow.objects.get(action="refund.request")
    assert (row.actor, row.subject, row.detail["reason"]) == ("client:shop", f"order:{order.number}", "少发一件")
    assert statuses(Refund.objects.get()) == ("succeeded", ["succeeded"])
