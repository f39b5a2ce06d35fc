"""Notices of refunds: of ours, and of those that somebody made in the gateway's own console."""

import datetime

import pytest
from django.utils import timezone
from structlog.testing import capture_logs

from payments.charges import operations as charges
from payments.closing import late_money
from payments.customers import grants
from payments.customers.grants import Direction, GrantCommand
from payments.gateways.base import Mode
from payments.gateways.memory import Fault
from payments.inbox import operations as inbox
from payments.ledger.accounts import Kind
from payments.ledger.queries import balance_fen as account_fen
from payments.models import Charge, InboundNotification, Refund, Transfer
from payments.refunds import submission
from tests.payments.refunds.shop import (
    balance_fen,
    book,
    left,
    paid_order,
    posted,
    recharge,
    refund,
    refund_at_console,
    statuses,
    sweep,
    tell_of_refund,
)
from tests.world import make_client, make_customer, make_memory_account, place_order

pytestmark = pytest.mark.django_db


def cash(order):
    return order.charges.get(tender="memory")


# --- of ours ----------------------------------------------------------------------------------------------------------


def test_a_notice_of_a_refund_of_ours_has_the_gateway_asked_and_settles_it():
    order = paid_order()
    book().refunds_take_time = True
    made = refund(order, goods_fen=5_000)
    book().settle_refund(made.number)

    row = tell_of_refund(cash(order), made.number)

    assert statuses(made) == ("succeeded", ["succeeded"])
    assert left(order) == (0, 0, 5_000, 0)
    assert (order.money_flag, Refund.objects.count()) == ("", 1)
    assert row.processed_at is not None


def test_a_notice_of_a_refund_of_ours_that_the_gateway_does_not_confirm_moves_nothing():
    order = paid_order()
    book().refunds_take_time = True
    made = refund(order, goods_fen=5_000)

    tell_of_refund(cash(order), made.number)

    assert statuses(made) == ("pending", ["pending"])
    assert (left(order), posted(order)) == ((5_000, 0, 0, 0), [])


def test_a_repeated_notice_of_a_refund_of_ours_changes_nothing():
    order = paid_order()
    made = refund(order, goods_fen=5_000)
    booked = Transfer.objects.count()

    for _again in range(3):
        tell_of_refund(cash(order), made.number)

    assert (Transfer.objects.count(), Refund.objects.count()) == (booked, 1)
    assert left(order) == (0, 0, 5_000, 0)


# --- made at the console ----------------------------------------------------------------------------------------------


def test_a_refund_made_at_the_console_is_booked_once_however_often_it_is_told():
    order = paid_order()
    refund_at_console(cash(order), 2_000)

    rows = [tell_of_refund(cash(order)) for _again in range(3)]

    made = Refund.objects.get()
    leg = made.legs.get()
    assert (made.kind, made.status, made.requested_by) == ("console", "succeeded", "gateway:memory")
    assert (leg.number, leg.foreign_number) == (f"{order.number}_R1", "console-1")
    assert posted(order) == [("sales", "clearing", 2_000, "refund")]
    assert left(order) == (0, 0, 2_000, 0)
    assert (order.status, order.money_flag) == ("partly_refund", "needs_attention")
    assert len({row.pk for row in rows}) == 1
    assert list(InboundNotification.objects.order_by("pk").values_list("verdict", flat=True)) == [
        "accepted", "repeat", "repeat",
    ]  # fmt: skip


def test_two_refunds_at_the_console_are_two():
    order = paid_order()
    for number in ("console-1", "console-2"):
        refund_at_console(cash(order), 1_000, number)
        tell_of_refund(cash(order), number)

    assert left(order) == (0, 0, 2_000, 0)
    assert list(Refund.objects.values_list("number", flat=True)) == [f"{order.number}_R1", f"{order.number}_R2"]


def test_a_refund_of_everything_at_the_console_refunds_the_order_in_full_with_its_shipping():
    order = paid_order(points_fen=0)
    refund_at_console(cash(order), 10_000)

    tell_of_refund(cash(order))

    assert posted(order) == [
        ("sales", "clearing", 9_000, "refund"), ("shipping", "clearing", 1_000, "shipping_refund"),
    ]  # fmt: skip
    assert left(order) == (0, 0, 9_000, 1_000)
    assert (order.status, order.money_flag) == ("total_refund", "needs_attention")


def test_what_the_console_gave_back_beyond_what_was_left_is_out_of_suspense():
    order = paid_order(points_fen=0)
    refund(order, goods_fen=9_000)
    refund_at_console(cash(order), 1_500)

    tell_of_refund(cash(order))

    assert posted(order)[1:] == [
        ("shipping", "clearing", 1_000, "shipping_refund"), ("suspense", "clearing", 500, "excess"),
    ]  # fmt: skip
    assert left(order) == (0, 0, 9_000, 1_000)
    assert (order.status, order.money_flag) == ("total_refund", "needs_attention")


def test_what_the_console_gave_back_of_an_order_that_is_refunded_in_full_is_out_of_suspense():
    order = paid_order(points_fen=0)
    refund(order, goods_fen=9_000, shipping_fen=1_000)
    refund_at_console(cash(order), 700)

    tell_of_refund(cash(order))

    assert posted(order)[-1] == ("suspense", "clearing", 700, "excess")
    assert left(order) == (0, 0, 9_000, 1_000)
    assert (order.status, order.money_flag) == ("total_refund", "needs_attention")


@pytest.mark.parametrize("takes_it_too", [False, True])
def test_a_refund_on_its_way_gives_way_to_one_that_the_console_made(takes_it_too):
    order = paid_order()
    book().refunds_take_time = True
    made = refund(order, goods_fen=5_000)
    refund_at_console(cash(order), 6_000)

    tell_of_refund(cash(order))

    assert left(order) == (3_000, 0, 6_000, 0)
    assert cash(order).refunding_fen == 1_000
    if takes_it_too:
        book().settle_refund(made.number)
        sweep()
        assert posted(order)[1:] == [
            ("sales", "clearing", 1_000, "refund"), ("suspense", "clearing", 4_000, "excess"),
        ]  # fmt: skip
        assert left(order) == (0, 0, 7_000, 0)
    else:
        book().trouble_refund(made.number, "CLOSED")
        sweep()
        assert statuses(made) == ("failed", ["failed"])
        assert left(order) == (0, 0, 6_000, 0)
    assert order.status == "partly_refund"


@pytest.mark.parametrize(("ours", "theirs_fen"), [({"goods_fen": 5_000}, 5_000), ({"shipping_fen": 1_000}, 9_000)])
def test_of_an_order_that_we_and_the_console_refunded_the_whole_nothing_is_in_suspense(ours, theirs_fen):
    order = paid_order(points_fen=0)
    book().refunds_take_time = True
    made = refund(order, **ours)
    refund_at_console(cash(order), theirs_fen)
    tell_of_refund(cash(order))

    book().settle_refund(made.number)
    sweep()

    assert left(order) == (0, 0, 9_000, 1_000)
    assert (order.status, account_fen(code="suspense")) == ("total_refund", 0)


def test_a_recharge_refunded_at_the_console_is_taken_out_of_the_balance():
    order = recharge()
    refund_at_console(cash(order), 2_000)

    tell_of_refund(cash(order))

    assert posted(order) == [("balance", "clearing", 2_000, "refund")]
    assert balance_fen(order) == 3_000
    order.refresh_from_db()
    assert (order.status, order.money_flag) == ("partly_refund", "needs_attention")


def test_a_recharge_refunded_at_the_console_that_is_spent_is_out_of_suspense():
    order = recharge()
    spend = GrantCommand(grant_no="g1", kind=Kind.BALANCE, direction=Direction.OUT, amount_fen=4_000)
    grants.grant(client_id=order.client_id, user_id="442090", command=spend, actor="test")
    refund_at_console(cash(order), 5_000)

    tell_of_refund(cash(order))

    assert posted(order) == [("suspense", "clearing", 5_000, "refund")]
    assert balance_fen(order) == 1_000
    order.refresh_from_db()
    assert (order.status, order.money_flag) == ("total_refund", "needs_attention")


def test_a_refund_at_the_console_that_is_heard_of_before_its_payment_books_both():
    client = make_client()
    make_customer(client=client)
    make_memory_account()
    order = place_order(client=client, total_fen=10_000)
    charge = charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.PAGE, actor="test", at=timezone.now())
    book().pay(charge.number)
    refund_at_console(charge, 4_000)

    tell_of_refund(charge)

    order.refresh_from_db()
    assert (order.status, order.money_flag) == ("partly_refund", "needs_attention")
    assert left(order) == (0, 0, 4_000, 0)
    assert account_fen(code="sales") == 6_000


def paid_twice():
    client = make_client()
    make_customer(client=client)
    make_memory_account()
    order = place_order(client=client, total_fen=7_000)
    attempts = [
        charges.pay_by(order_id=order.pk, channel="memory", mode=mode, actor="test", at=timezone.now())
        for mode in (Mode.QR, Mode.PAGE)
    ]
    for charge in attempts:
        book().pay(charge.number)
        charges.reconcile(charge_id=charge.pk, at=timezone.now())
    order.refresh_from_db()
    return order, Charge.objects.get(status="surplus")


def test_a_surplus_that_went_back_at_the_console_is_done_with():
    order, surplus = paid_twice()
    refund_at_console(surplus, 7_000)

    tell_of_refund(surplus)

    surplus.refresh_from_db()
    order.refresh_from_db()
    assert posted(order) == [("suspense", "clearing", 7_000, "refund")]
    assert (surplus.status, surplus.refunded_fen) == ("released", 7_000)
    assert (order.status, order.money_flag, order.refunded_fen) == ("pay_finished", "needs_attention", 0)
    assert late_money.refund_due() == 0


# --- a gateway that does not answer -----------------------------------------------------------------------------------


def test_what_the_gateway_does_not_confirm_stays_due_and_is_booked_once_it_answers():
    order = paid_order()
    refund_at_console(cash(order), 2_000)
    book().script(Fault.LOST_RESPONSE, verb="query_refund")

    row = tell_of_refund(cash(order))

    assert (row.processed_at, left(order)) == (None, (0, 0, 0, 0))
    long_ago = timezone.now() - datetime.timedelta(minutes=1)
    InboundNotification.objects.update(received_at=long_ago, due_at=long_ago)
    assert [inbox.process_due(), inbox.process_due()] == [1, 0]
    assert left(order) == (0, 0, 2_000, 0)


@pytest.mark.parametrize("known_as", ["nothing", "on its way"])
def test_what_is_no_refund_yet_is_asked_about_for_a_day_and_then_given_up(known_as):
    order = paid_order()
    if known_as == "on its way":
        refund_at_console(cash(order), 2_000)
        book().refunds["console-1"].settled_at = None
    row = tell_of_refund(cash(order))
    a_day_later = row.received_at + datetime.timedelta(days=1)

    inbox.process(notification_id=row.pk, at=a_day_later)
    row.refresh_from_db()
    assert row.processed_at is None
    with capture_logs() as logged:
        inbox.process(notification_id=row.pk, at=a_day_later + datetime.timedelta(seconds=1))

    row.refresh_from_db()
    assert row.processed_at is not None
    assert [(line["log_level"], line["refund"]) for line in logged if line["event"] == "refund_notice_unconfirmed"] == [
        ("error", "console-1")
    ]
    assert (left(order), Refund.objects.count()) == ((0, 0, 0, 0), 0)


def test_a_refund_that_the_console_closed_again_is_done_with_and_books_nothing():
    order = paid_order()
    refund_at_console(cash(order), 2_000)
    book().refunds["console-1"].settled_at = None
    book().trouble_refund("console-1", "CLOSED")

    row = tell_of_refund(cash(order))

    assert row.processed_at is not None
    assert (left(order), Refund.objects.count()) == ((0, 0, 0, 0), 0)


def test_a_refund_of_another_payment_is_not_booked_on_this_one():
    order, surplus = paid_twice()
    paying = order.charges.get(status="succeeded")
    refund_at_console(paying, 2_000)

    row = tell_of_refund(surplus)

    assert (row.processed_at, Refund.objects.count()) == (None, 0)


@pytest.mark.parametrize("number", ["x" * 65, "\x00"])
def test_a_number_that_no_column_holds_is_not_asked_about(number):
    order = paid_order()
    asked = len(book().calls)

    row = tell_of_refund(cash(order), number)

    assert row.processed_at is None
    assert [call for call in list(book().calls)[asked:] if call[0] == "query_refund"] == []


def test_a_booked_refund_of_the_console_is_not_asked_about_by_the_sweep():
    order = paid_order()
    refund_at_console(cash(order), 2_000)
    tell_of_refund(cash(order))

    assert submission.sweep_due() == 0
