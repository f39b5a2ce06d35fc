"""What went back, by our book and by the bill; and a refund that only the bill tells of."""

import dataclasses
import datetime

import pytest
from django.utils import timezone

from payments.gateways.base import Outcome, RefundState
from payments.models import Charge, Difference, GatewayAccount, GatewayBill, Refund, RefundLeg
from payments.reconciliation import days
from payments.reconciliation import operations as reconciliation
from payments.refunds import console, settlement
from tests.payments.refunds.shop import book, left, paid_order, refund

pytestmark = pytest.mark.django_db

DAY = days.day_of(timezone.now())
TOMORROW = datetime.datetime.combine(DAY + datetime.timedelta(days=1), datetime.time(11), days.SHANGHAI)


def reconcile(at=TOMORROW):
    return reconciliation.reconcile(account_id=GatewayAccount.objects.get().pk, day=DAY, at=at, again=True)


def differences():
    return list(Difference.objects.order_by("pk").values_list("kind", "entry", "refund_number", "status", "remedy"))


def cash_of(order):
    return order.charges.get(tender="memory")


def test_a_day_of_payments_and_refunds_agrees():
    order = paid_order()
    refund(order, goods_fen=1_000)
    refund(order, goods_fen=2_000, shipping_fen=500)

    bill = reconcile()

    assert (bill.status, bill.payments, bill.refunds, bill.refunds_fen) == ("matched", 1, 2, 3_500)
    assert differences() == []


def test_a_refund_of_ours_that_the_bill_lacks_is_missed():
    made = refund(paid_order(), goods_fen=1_000)
    book().bill_changes.append(lambda entries: [entry for entry in entries if entry.kind == "payment"])

    reconcile()

    assert [row[:3] for row in differences()] == [("theirs_missing", "refund", made.number)]


def test_a_refund_of_another_amount_is_told():
    made = refund(paid_order(), goods_fen=1_000)
    book().bill_changes.append(
        lambda entries: [
            dataclasses.replace(entry, amount_fen=999) if entry.kind == "refund" else entry for entry in entries
        ]
    )

    reconcile()

    assert [row[:3] for row in differences()] == [("amount", "refund", made.number)]


def test_a_refund_made_at_the_console_that_nobody_told_of_is_asked_about_and_booked_once():
    order = paid_order()
    book().refund_at_console(cash_of(order).number, 2_000)

    reconcile()
    reconcile(at=TOMORROW + datetime.timedelta(hours=1))

    made = Refund.objects.get()
    assert (made.kind, made.status, made.goods_fen) == ("console", "succeeded", 2_000)
    assert left(order) == (0, 0, 2_000, 0)
    assert (order.status, order.money_flag) == ("partly_refund", "needs_attention")
    assert [row[3] for row in differences()] == ["settled"]


def test_a_refund_of_the_console_is_found_in_the_bill_by_its_own_number():
    order = paid_order()
    book().refund_at_console(cash_of(order).number, 2_000)
    console.recognise(charge_id=cash_of(order).pk, number="console-1", at=timezone.now())

    reconcile()

    assert RefundLeg.objects.get().foreign_number == "console-1"
    assert differences() == []


def test_a_refund_of_ours_on_its_way_is_asked_about_when_the_bill_has_it():
    order = paid_order()
    book().refunds_take_time = True
    made = refund(order, goods_fen=1_000)
    book().settle_refund(made.number)

    reconcile()

    made.refresh_from_db()
    assert made.status == "succeeded"
    assert [row[:3] for row in differences()] == [("status", "refund", made.number)]


def test_the_fee_of_a_refund_is_judged_in_proportion():
    order = paid_order()
    account = GatewayAccount.objects.get()
    account.options = {"fee_per_mille": 6}
    account.save(update_fields=["options"])
    book().fee_per_mille = 6
    refund(order, goods_fen=1_000)

    reconcile()

    assert differences() == []
    assert GatewayBill.objects.get().fees_fen == 42 - 6


def test_a_stuck_refund_that_the_bill_has_is_led_to_its_end():
    order = paid_order()
    book().refunds_take_time = True
    made = refund(order, goods_fen=1_000)
    book().settle_refund(made.number)
    state = RefundState(outcome=Outcome.PENDING, number=made.number, is_stuck=True)
    settlement.settle(leg_id=made.legs.get().pk, state=state, at=timezone.now())
    assert made.legs.get().status == "stuck"

    reconcile()

    assert made.legs.get().status == "succeeded"
    assert Charge.objects.get(pk=cash_of(order).pk).refunded_fen == 1_000
