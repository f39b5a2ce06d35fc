"""Orders paid at the simulated WeChat Pay, v2 and APIv3, over real HTTP in both directions, while things go wrong."""

from collections import Counter

import pytest
from django.utils import timezone

from payments.charges import operations as charges
from payments.gateways.base import Mode
from payments.ledger.queries import balance_fen
from tests.faults.gateways import (
    CASH_FEN,
    SIDES,
    WECHAT,
    ask,
    booked,
    is_finished,
    place,
    start,
    status_of,
    sweep_everything,
    verdicts,
)
from tests.web_process import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=WECHAT.values(), ids=list(WECHAT))
def side(request):
    return request.param


@pytest.fixture
def order(site, simulator, side):
    side.connect(simulator, notify_base=site.url)
    return place()


@pytest.mark.parametrize("mode", [Mode.QR, Mode.WAP])
def test_a_payment_is_notified_and_finishes_the_order(order, side, simulator, mode):
    charge = start(order, side, mode)

    simulator.pay(charge.number)

    eventually(lambda: is_finished(order))
    charge.refresh_from_db()
    assert (charge.status, charge.paid_fen) == ("succeeded", CASH_FEN)
    assert charge.gateway_trade_no == simulator.trade(charge.number)["trade_no"]
    eventually(lambda: verdicts() == {"accepted": 1})
    assert balance_fen(code="escrow") == 0


@pytest.mark.parametrize("mode", ["certificate", "grey"])
def test_a_merchant_of_certificates_is_paid_all_the_same(site, simulator, mode):
    """In `grey` the notices come signed now with a certificate and now with the public key."""
    account = SIDES["v3"].connect(simulator, notify_base=site.url, mode=mode)
    known = simulator.call("POST", "merchants/", _registered(simulator, account, mode))
    account.options |= {"platform_certificates": "".join(known["platform_certificates"])}
    account.save()
    order = place()
    charge = start(order, SIDES["v3"])

    simulator.pay(charge.number)

    eventually(lambda: is_finished(order))
    (told,) = simulator.notifications(charge.number)
    deliveries = simulator.resend(told["id"], times=10, at_once=5)
    assert {delivery["accepted"] for delivery in deliveries} == {True}
    assert set(verdicts()) == {"accepted", "repeat"}


def _registered(simulator, account, mode):
    (known,) = [merchant for merchant in simulator.merchants() if merchant["app_id"] == account.app_id]
    return {
        "gateway": "wechat", "app_id": account.app_id, "mch_id": account.merchant_id, "mode": mode,
        "app_certificate": known["app_certificate"],
    }  # fmt: skip


# --- notices: lost, many, false


def test_a_lost_notification_is_made_good_by_the_query_sweep_alone(order, side, simulator):
    simulator.arm("lost")
    charge = start(order, side)
    simulator.pay(charge.number)

    sweep_everything()

    assert is_finished(order)
    assert verdicts() == {}
    assert booked() == [("escrow", CASH_FEN)]


def test_a_hundred_repeats_fifty_at_once_book_once_and_are_all_acknowledged(order, side, simulator):
    charge = start(order, side)
    simulator.pay(charge.number)
    eventually(lambda: is_finished(order))
    (notification,) = simulator.notifications(charge.number)

    deliveries = simulator.resend(notification["id"], times=100, at_once=50)

    assert Counter((each["status"], each["answer"].encode()) for each in deliveries) == {side.yes: 100}
    assert booked() == [("escrow", CASH_FEN)]
    assert order.transitions.count() == 2
    eventually(lambda: verdicts()["accepted"] == 1)


def test_fifty_first_deliveries_at_once_book_once(order, side, simulator):
    simulator.arm("late", delay_ms=600_000)
    charge = start(order, side)
    simulator.pay(charge.number)
    (notification,) = simulator.notifications(charge.number)

    deliveries = simulator.resend(notification["id"], times=50, at_once=50)

    assert {(each["status"], each["answer"].encode()) for each in deliveries} == {side.yes}
    assert is_finished(order)
    assert booked() == [("escrow", CASH_FEN)]
    assert verdicts() == {"accepted": 1, "repeat": 49}


FALSE = {
    "wrong_amount": "wrong_amount",
    "wrong_app_id": "wrong_merchant",
    "wrong_seller_id": "wrong_merchant",
    "wrong_merchant": "wrong_merchant",
    "forged": "bad_signature",
    "tampered": "bad_signature",
    "no_sign": "bad_signature",
}
FALSE_V3 = dict.fromkeys(["signtest", "stale", "unknown_serial"], "bad_signature")


@pytest.mark.parametrize(
    ("side", "fault", "verdict"),
    [(side, *false) for side in WECHAT.values() for false in (FALSE | (FALSE_V3 if side.name == "v3" else {})).items()],
    indirect=["side"],
    ids=lambda value: getattr(value, "name", value),
)
def test_what_is_not_genuinely_ours_books_nothing_and_is_kept_with_its_verdict(order, side, simulator, fault, verdict):
    simulator.arm(fault, times=1_000)
    charge = start(order, side)

    simulator.pay(charge.number)

    eventually(lambda: verdicts()[verdict] >= 1)
    deliveries = eventually(lambda: simulator.notifications(charge.number)[0]["deliveries"])
    assert {(each["status"], each["answer"].encode()) for each in deliveries} == {side.no}
    assert set(verdicts()) == {verdict}
    assert booked() == []
    assert status_of(order) == ("point_paid", "")


def test_a_new_key_of_the_gateways_is_not_believed_until_staff_hand_it_in(site, simulator):
    side = SIDES["v3"]
    account = side.connect(simulator, notify_base=site.url)
    order = place()
    charge = start(order, side)
    simulator.arm("key_switch", match=charge.number)
    simulator.pay(charge.number)
    eventually(lambda: verdicts()["bad_signature"] >= 1)
    assert ask(charge).status == "pending"
    assert booked() == []

    known = simulator.call("POST", "merchants/", _registered(simulator, account, "public_key"))
    account.options = {
        "serial_no": known["app_cert_sn"],
        "public_key_id": known["platform_public_key_id"],
        "public_key": known["platform_public_key"],
    }
    account.save()
    ask(charge)

    assert is_finished(order)


# --- answers: lost, garbled, unproven

# What was armed for one call: those after which the gateway has done nothing, and those after which it has.
UNDONE, DONE = ["timeout_before", "http_500", "unsigned_success"], [
    "timeout_after", "garbage", "bad_signature", "system_error_but_done",
]  # fmt: skip
SHORTLY = {"timeout_before": {"delay_ms": 50}, "timeout_after": {"delay_ms": 50}}


def arm(simulator, fault, number=""):
    simulator.arm(fault, match=number, **SHORTLY.get(fault, {}))


def test_a_start_whose_answer_was_lost_is_repeated_under_the_same_number(order, side, simulator):
    for fault in UNDONE + DONE:
        arm(simulator, fault)
        assert start(order, side).status == "unknown", fault
        assert not simulator.faults(), f"{fault} was to strike"
    charge = start(order, side)

    assert (charge.status, order.charges.exclude(tender="points").count()) == ("pending", 1)
    assert [trade["out_trade_no"] for trade in simulator.trades()] == [charge.number]
    simulator.pay(charge.number)
    eventually(lambda: is_finished(order))
    assert booked() == [("escrow", CASH_FEN)]


def test_a_start_that_was_done_but_not_answered_is_paid_and_found(order, side, simulator):
    arm(simulator, "timeout_after")
    simulator.arm("lost")
    charge = start(order, side)
    simulator.pay(charge.number)

    assert charge.status == "unknown"
    ask(charge)

    assert is_finished(order)


def test_no_query_whose_answer_proves_nothing_is_believed(order, side, simulator):
    """Of a trade that is paid, so that each of them hides a yes; and a lie about one that is not."""
    simulator.arm("lost")
    charge = start(order, side)
    arm(simulator, "unsigned_success", charge.number)
    assert ask(charge).status == "pending"
    simulator.pay(charge.number)

    for fault in UNDONE + DONE:
        arm(simulator, fault, charge.number)
        assert ask(charge).status == "pending", fault
        assert not [each for each in simulator.faults() if each["fault"] == fault], f"{fault} was to strike"
        assert booked() == []

    assert ask(charge).status == "succeeded"
    assert booked() == [("escrow", CASH_FEN)]


@pytest.fixture
def closable(site, simulator, side):
    """An order at a merchant whose attempts may be closed at once."""
    side.connect(simulator, notify_base=site.url, closable_after_s=0)
    return place()


@pytest.mark.parametrize("fault", UNDONE + DONE)
def test_a_close_whose_answer_proves_nothing_leaves_the_attempt_open_and_the_next_look_tells(
    closable, side, simulator, fault
):
    first = start(closable, side)
    simulator.arm("slow", match=first.number, delay_ms=0)  # for the query that comes before the close
    arm(simulator, fault, first.number)

    second = start(closable, side, Mode.WAP)

    first.refresh_from_db()
    assert (first.status, first.is_replaced, second.status) == ("pending", True, "pending")
    assert simulator.trade(first.number)["status"] == ("closed" if fault in DONE else "waiting")
    sweep_everything()
    first.refresh_from_db()
    assert first.status == "closed"
    assert simulator.trade(first.number)["status"] == "closed"
    simulator.pay(second.number)
    eventually(lambda: is_finished(closable))


# --- closing


def test_within_five_minutes_nothing_is_closed_and_the_sweep_closes_it_afterwards(order, side, simulator):
    first = start(order, side)

    second = start(order, side, Mode.WAP)

    sweep_everything()
    assert {simulator.trade(charge.number)["status"] for charge in (first, second)} == {"waiting"}
    simulator.age(first.number)
    sweep_everything()
    first.refresh_from_db()
    assert (first.status, simulator.trade(first.number)["status"]) == ("closed", "closed")
    assert simulator.trade(second.number)["status"] == "waiting"


def test_a_close_that_comes_too_late_pays_the_order_and_nothing_else_is_begun(order, side, simulator):
    simulator.arm("lost")
    first = start(order, side)
    simulator.arm("order_paid", match=first.number)

    with pytest.raises(charges.OrderPaid):
        start(order, side, Mode.WAP)

    assert is_finished(order)
    assert len(simulator.trades()) == 1
    assert booked() == [("escrow", CASH_FEN)]


# --- between a yes and a no


def test_a_payer_who_is_typing_the_password_is_waited_for_and_never_closed_out(order, side, simulator):
    simulator.arm("lost")
    charge = start(order, side)
    simulator.arm("user_paying", match=charge.number, times=3)

    asked = [ask(charge) for _again in range(3)]

    assert [(each.status, each.last_answer) for each in asked] == [("pending", "USERPAYING")] * 3
    assert asked[-1].next_query_at > timezone.now()
    simulator.pay(charge.number)
    assert ask(charge).status == "succeeded"


def test_what_a_notice_has_paid_no_query_unpays(order, side, simulator):
    charge = start(order, side)
    simulator.pay(charge.number)
    eventually(lambda: is_finished(order))
    simulator.arm("user_paying", match=charge.number)

    ask(charge)
    simulator.disarm()
    simulator.clear()  # and then the gateway has not even heard of it
    ask(charge)

    charge.refresh_from_db()
    assert (charge.status, charge.next_query_at) == ("succeeded", None)
    assert status_of(order) == ("pay_finished", "")
    assert booked() == [("escrow", CASH_FEN)]


def test_what_the_query_has_paid_a_notice_pays_no_second_time(order, side, simulator):
    simulator.arm("late", delay_ms=600_000)
    charge = start(order, side)
    simulator.pay(charge.number)
    ask(charge)
    (notification,) = simulator.notifications(charge.number)

    (delivery,) = simulator.resend(notification["id"])

    assert (delivery["status"], delivery["answer"].encode()) == side.yes
    assert verdicts() == {"accepted": 1}
    assert booked() == [("escrow", CASH_FEN)]


def test_another_amount_than_was_asked_for_goes_to_suspense_and_the_order_waits_on(order, side, simulator):
    """The notice alone books nothing; the gateway's own book, asked, does."""
    charge = start(order, side)
    simulator.pay(charge.number, amount_fen=CASH_FEN - 1)
    eventually(lambda: verdicts()["wrong_amount"])
    assert booked() == []

    eventually(lambda: (sweep_everything(), booked())[1])  # a charge whose notice is still being dealt with is skipped

    assert booked() == [("suspense", CASH_FEN - 1)]
    assert status_of(order) == ("point_paid", "needs_attention")
