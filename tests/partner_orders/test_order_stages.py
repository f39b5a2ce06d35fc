"""`order_info` as an order goes on: every status number of CONTRACTS, and what each stage fills in."""

import datetime

import pytest
from django.conf import settings
from django.utils import timezone

from partner_orders import operations
from partner_orders.answers import clock, stamp
from partner_orders.models import PayType
from payments.charges import settlement
from payments.closing import operations as closing
from payments.gateways.base import Outcome, PaymentState
from payments.models import Charge, Order
from tests.calls import Text
from tests.calls import post as post_003
from tests.calls import signed as stamped
from tests.partner_orders.calls import PAY_PATH, post, result, signed
from tests.partner_orders.calls import call as call_002
from tests.partner_orders.test_calls import CANCEL, ORDER, PARCEL, RECEIVE, SHIP, USER
from tests.partner_orders.world import (
    PACK_UID,
    USER_ID,
    balance_fen,
    buy,
    command,
    in_stock,
    make_alipay,
    make_coupon,
)
from tests.world import TOKEN

pytestmark = pytest.mark.django_db

NOT_YET = {
    "order_pay_time": "", "order_pay_time_stamp": 0, "order_express_time": "", "order_express_time_stamp": 0,
    "receive_time": "", "third_order_no": "", "order_express_name": "", "order_express_number": "",
    "order_express_no": "", "order_express_address": "", "platform_remark": "",
}  # fmt: skip
TRADE_NO = "2022010722001412341234123412"


@pytest.fixture
def call(address):
    return {"user_id": USER_ID, "pay_type": 2, "gift_pos_id": PACK_UID, "address_id": address.pk}


@pytest.fixture
def bought(pack, address):
    return buy(pack=pack, address=address)


def info(client, document):
    return result(client, ORDER, {**USER, "order_no": document.order.number})["order_info"]


def part(told, expected):
    """Return what `told` says of the keys of `expected`."""
    return {name: told[name] for name in expected}


def refund(client, document, yuan, refund_no):
    """Give back by document 003's family, as the same client."""
    asked = {"order_number": document.order.number, "refund_no": refund_no, "goods_amount": Text(yuan)}
    status, answer = post_003(client, "/rest/refund", stamped(asked))
    assert (status, answer["data"]["refund_status"]) == (200, "succeeded"), answer
    return answer["data"]


def test_an_order_that_waits_for_alipay_has_our_payment_number_and_none_of_theirs(client, pack, call):
    make_alipay()

    status, answer = post(client, PAY_PATH, signed(call), token=TOKEN)

    told, order = answer["result"]["order_info"], Order.objects.get()
    waiting = {**NOT_YET, "order_status": 0, "pay_type": 2, "bill_no": f"{order.number}_1", "order_price": 300}
    assert status == 200
    assert part(told, waiting) == waiting
    assert answer["result"]["ali_pay_url"].startswith("http://127.0.0.1:9/gateway.do?")
    assert told["order_time_stamp"] == stamp(order.created_at)


def test_an_order_for_alipay_can_be_paid_however_short_a_client_s_orders_wait(client_, pack, address):
    make_alipay()
    client_.order_ttl_seconds = 120
    client_.save(update_fields=["order_ttl_seconds"])
    asked, at = command(pack=pack, address=address, pay_type=PayType.ALIPAY), timezone.now()
    within_the_window = at + datetime.timedelta(seconds=settings.PARTNER_REPLAY_SECONDS - 1)

    first = operations.pay(client=client_, command=asked, at=at)
    again = operations.pay(client=client_, command=asked, at=within_the_window)

    assert first.pay_url.startswith("http://127.0.0.1:9/gateway.do?")
    assert (again.document, again.pay_url) == (first.document, first.pay_url)


def test_a_phone_is_led_to_the_phones_page(client, pack, call):
    make_alipay()

    desktop = post(client, PAY_PATH, signed(call), token=TOKEN)[1]["result"]
    phone = post(client, PAY_PATH, signed(call), token=TOKEN, headers={"user-agent": "iPhone Mobile"})[1]["result"]

    assert "alipay.trade.page.pay" in desktop["ali_pay_url"]
    assert "alipay.trade.wap.pay" in phone["ali_pay_url"]
    assert desktop["order_info"]["order_no"] == phone["order_info"]["order_no"]


def test_what_alipay_was_paid_has_its_trade_number_and_the_time(client, pack, address):
    make_alipay()
    document = buy(pack=pack, address=address, pay_type=PayType.ALIPAY)
    charge = Charge.objects.get()
    paid = PaymentState(
        outcome=Outcome.SUCCEEDED, number=charge.number, amount_fen=charge.amount_fen, trade_no=TRADE_NO,
        paid_at=timezone.now(),
    )  # fmt: skip

    settlement.settle(charge_id=charge.pk, state=paid, at=timezone.now())

    order = Order.objects.get()
    expected = {
        "order_status": 1, "bill_no": charge.number, "third_order_no": TRADE_NO,
        "order_pay_time": clock(order.finished_at), "order_pay_time_stamp": stamp(order.finished_at),
    }  # fmt: skip
    assert part(info(client, document), expected) == expected
    assert stamp(order.finished_at) > 0


def test_what_the_balance_paid_has_neither_number(client, bought):
    expected = {"order_status": 1, "bill_no": "", "third_order_no": "", "pay_type": 1}

    assert part(info(client, bought), expected) == expected


def test_an_order_goes_on_from_paid_to_shipped_to_received(client, bought):
    paid = info(client, bought)

    result(client, SHIP, {"order_no": bought.order.number, **PARCEL})
    shipped = info(client, bought)
    result(client, RECEIVE, {**USER, "order_no": bought.order.number})
    received = info(client, bought)

    assert [told["order_status"] for told in (paid, shipped, received)] == [1, 2, 3]
    assert changed(paid, shipped) == {"order_status", *PARCEL, "order_express_time", "order_express_time_stamp"}
    assert changed(shipped, received) == {"order_status", "receive_time"}
    assert received["receive_time"] >= received["order_express_time"] >= received["order_pay_time"]


def changed(before, after):
    return {name for name, value in after.items() if before[name] != value}


def test_an_order_that_nobody_paid_in_time_is_closed(client, pack, address):
    make_alipay()
    document = buy(pack=pack, address=address, pay_type=PayType.ALIPAY)
    Charge.objects.update(status="closed", next_query_at=None)

    closing.close_due(at=timezone.now() + datetime.timedelta(hours=1))

    expected = {**NOT_YET, "order_status": 4, "bill_no": f"{document.order.number}_1"}
    assert part(info(client, document), expected) == expected


@pytest.mark.parametrize("is_shipped", [False, True], ids=["at once", "after it was shipped"])
def test_a_refund_is_document_003s_and_shows_here(client, customer, pack, address, is_shipped):
    document = buy(pack=pack, address=address, coupon=make_coupon(customer=customer))
    if is_shipped:
        result(client, SHIP, {"order_no": document.order.number, **PARCEL})
    before = info(client, document)

    refund(client, document, "100", "R1")
    partly = info(client, document)
    told = refund(client, document, "150", "R2")
    fully = info(client, document)

    assert [found["order_status"] for found in (partly, fully)] == [5, 6]
    assert changed(before, partly) == changed(partly, fully) == {"order_status"}
    assert (before["order_price"], before["deduct_price"], told["refunded_amount"]) == (300, 50, 250)
    assert (balance_fen(customer), in_stock(pack)) == (100_000, 10)


def test_what_was_paid_and_refunded_is_not_cancelled(client, bought):
    refund(client, bought, "300", "R1")

    status, answer = call_002(client, CANCEL, {**USER, "order_no": bought.order.number})

    assert (status, answer["error_code"]) == (409, "order_paid")
    assert Order.objects.get().status == "total_refund"


def test_no_more_is_refunded_than_the_customer_paid(client, customer, pack, address):
    document = buy(pack=pack, address=address, coupon=make_coupon(customer=customer))
    asked = {"order_number": document.order.number, "refund_no": "R1", "goods_amount": Text("300")}

    status, answer = post_003(client, "/rest/refund", stamped(asked))

    assert (status, answer["error_code"]) == (422, "refund_exceeds")
    assert info(client, document)["order_status"] == 1
    assert balance_fen(customer) == 75_000
