"""`refund` and `refund-detail` over HTTP: what a client is told of money that goes back, and what it never gets."""

import pytest
from django.utils import timezone

from payments.gateways import memory
from payments.models import AuditRow, Charge, Order, OrderTransition, Refund, RefundLeg, Transfer
from payments.refunds import operations as refunds
from tests.calls import Text, post, signed
from tests.checkout.test_documents import PAY
from tests.payments.refunds.shop import book, paid_order, statuses, sweep
from tests.threads import all_lines_engaged
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
    "goods_amount": 30, "shipping_amount": 5, "point_refund_amount": 0, "balance_refund_amount": 0,
    "cash_refund_amount": 35, "refunded_amount": 35,
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

    with all_lines_engaged():
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


def test_an_audit_row_says_which_client_asked_and_for_what(client):
    order = paid_order()

    refund(client)

    row = AuditRow.objects.get(action="refund.request")
    assert (row.actor, row.subject, row.detail["reason"]) == ("client:shop", f"order:{order.number}", "少发一件")
    assert statuses(Refund.objects.get()) == ("succeeded", ["succeeded"])
