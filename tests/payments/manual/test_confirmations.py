"""A payment confirmed by hand: asked about first, booked as any other, by two people where it matters."""

import datetime
import hashlib

import pytest
from django.utils import timezone

from payments import four_eyes
from payments.charges import operations as charges
from payments.closing import operations as closing
from payments.errors import Malformed
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.gateways.registry import GatewayBusy
from payments.inbox import operations as inbox
from payments.manual import confirmations, requests
from payments.models import AuditRow, HandConfirmation, Transfer
from tests.payments.manual.desk import approve, attempt, book, broken, charge_of, deeds, refused, silence, waiting_order
from tests.threads import all_lines_engaged
from tests.world import PNG, confirm_by_hand, place_order

pytestmark = pytest.mark.django_db


def test_a_payment_that_the_gateway_is_silent_about_pays_its_order():
    order = waiting_order()
    silence()
    paid_at = timezone.now() - datetime.timedelta(seconds=30)

    made = confirm_by_hand(charge_of(order), paid_at=paid_at)

    order.refresh_from_db()
    charge = charge_of(order)
    assert (made.status, made.amount_fen, made.decided_by, made.gateway_said) == ("done", 7_000, "", "")
    assert (order.status, charge.status, charge.paid_fen) == ("pay_finished", "succeeded", 7_000)
    assert (charge.gateway_trade_no, charge.paid_at, charge.last_answer) == ("bank-1", paid_at, "confirmed by hand")
    assert set(Transfer.objects.filter(order=order).values_list("kind", "amount_fen")) == {
        ("payment", 7_000), ("sale", 7_000),
    }  # fmt: skip
    assert deeds("charge.confirm_request", "charge.paid") == [
        ("user:lin", "charge.confirm_request", "seen in the bank"), ("user:lin", "charge.paid", None),
    ]  # fmt: skip
    assert order.transitions.get(event="all_settled").actor == "user:lin"
    assert broken() == []


def test_a_gateway_that_knows_the_payment_under_another_number_is_for_people():
    """Whose number was entered may yet pay, and is then not believed: somebody has to look."""
    order = waiting_order()
    silence()
    confirm_by_hand(charge_of(order))
    book().pay(charge_of(order).number)

    raw = book().notification(charge_of(order).number)
    inbox.receive(kind="memory", headers=raw.headers, body=raw.body, remote_address="127.0.0.1", at=timezone.now())

    order.refresh_from_db()
    assert (order.money_flag, charge_of(order).gateway_trade_no) == ("needs_attention", "bank-1")
    assert deeds("order.flag") == [("gateway:memory", "order.flag", charge_of(order).number)]
    assert broken() == []


def test_the_evidence_is_kept_to_the_byte():
    order = waiting_order()
    silence()

    made = HandConfirmation.objects.get(pk=confirm_by_hand(charge_of(order)).pk)

    assert bytes(made.evidence) == PNG
    assert (made.evidence_name, made.evidence_type) == ("bank.png", "image/png")
    assert made.evidence_sha256 == hashlib.sha256(PNG).hexdigest()
    assert AuditRow.objects.get(action="charge.confirm_request").detail["evidence_sha256"] == made.evidence_sha256


def test_above_the_limit_it_waits_and_nothing_is_booked():
    order = waiting_order(approval_above_fen=6_999)
    silence()

    made = confirm_by_hand(charge_of(order))

    order.refresh_from_db()
    assert (made.status, order.status, charge_of(order).status) == ("to_approve", "point_paid", "pending")
    assert AuditRow.objects.get(action="charge.confirm_request").detail["waits_for_approval"] is True


def test_at_the_limit_one_person_is_enough():
    order = waiting_order(approval_above_fen=7_000)
    silence()

    assert confirm_by_hand(charge_of(order)).status == "done"


def test_a_second_person_has_it_booked_and_the_attempt_closed_at_the_gateway():
    order = waiting_order(approval_above_fen=0)
    silence()
    made = confirm_by_hand(charge_of(order))

    approve(made)

    made.refresh_from_db()
    order.refresh_from_db()
    assert (made.status, made.requested_by, made.decided_by, made.decision) == ("done", "user:lin", "user:wang", "seen")
    assert (order.status, charge_of(order).status) == ("pay_finished", "succeeded")
    assert book().payments[charge_of(order).number].status == "CLOSED"
    assert deeds("charge.confirm_approved", "charge.paid") == [
        ("user:wang", "charge.confirm_approved", "seen"), ("user:wang", "charge.paid", None),
    ]  # fmt: skip


def test_a_second_person_may_refuse_and_then_it_can_be_asked_for_again():
    order = waiting_order(approval_above_fen=0)
    silence(times=2)
    made = confirm_by_hand(charge_of(order))

    confirmations.refuse(waiting_id=made.pk, actor="user:wang", reason="no such payment", at=timezone.now())

    order.refresh_from_db()
    assert (order.status, HandConfirmation.objects.get().status) == ("point_paid", "refused")
    assert deeds("charge.confirm_refused") == [("user:wang", "charge.confirm_refused", "no such payment")]
    assert confirm_by_hand(charge_of(order), number="h-2").status == "to_approve"


@pytest.mark.parametrize("decide", [confirmations.approve, confirmations.refuse])
def test_whoever_asked_cannot_decide(decide):
    made = confirm_by_hand(charge_of(waiting_order()), is_acknowledged=True)

    with refused(four_eyes.SamePerson):
        decide(waiting_id=made.pk, actor="user:lin", reason="mine", at=timezone.now())


@pytest.mark.parametrize("decide", [confirmations.approve, confirmations.refuse])
def test_what_is_decided_is_not_decided_again(decide):
    made = confirm_by_hand(charge_of(waiting_order()), is_acknowledged=True)
    approve(made)

    with refused(four_eyes.NotToDecide):
        decide(waiting_id=made.pk, actor="user:zhao", reason="again", at=timezone.now())


def test_a_decision_has_a_reason():
    made = confirm_by_hand(charge_of(waiting_order()), is_acknowledged=True)

    with refused(Malformed, field="reason"):
        approve(made, reason=" ")


# --- what the gateway says


def test_what_the_gateway_itself_says_is_paid_is_booked_by_that_and_not_by_hand():
    order = waiting_order()
    book().pay(charge_of(order).number)

    with pytest.raises(confirmations.GatewayConfirms):
        confirm_by_hand(charge_of(order))

    order.refresh_from_db()
    assert (order.status, charge_of(order).gateway_trade_no) == ("pay_finished", f"memory-{charge_of(order).number}")
    assert not HandConfirmation.objects.exists()
    assert AuditRow.objects.get(action="charge.paid").actor == "gateway:memory"


def test_a_gateway_that_says_otherwise_must_be_known_to_whoever_confirms():
    charge = charge_of(waiting_order())

    with refused(confirmations.GatewayContradicts, field="is_acknowledged", context={"said": "WAITING"}):
        confirm_by_hand(charge)


def test_against_the_gateways_word_it_takes_a_second_person_whatever_the_amount():
    made = confirm_by_hand(charge_of(waiting_order(approval_above_fen=None)), is_acknowledged=True)

    assert (made.status, made.is_contradicted, made.gateway_said) == ("to_approve", True, "WAITING")


def test_one_that_the_gateway_closed_can_still_be_confirmed_by_two():
    order = waiting_order()
    charges.retire(charge_id=charge_of(order).pk, at=timezone.now())
    assert charge_of(order).status == "closed"

    approve(confirm_by_hand(charge_of(order), is_acknowledged=True))

    order.refresh_from_db()
    assert (order.status, charge_of(order).status) == ("pay_finished", "succeeded")


def test_what_the_gateway_may_still_take_money_for_is_not_booked():
    """A code that nobody has scanned cannot be closed there: it could be paid as well."""
    order = waiting_order(mode=Mode.QR)
    made = confirm_by_hand(charge_of(order), is_acknowledged=True)

    with refused(confirmations.GatewayStillWaits):
        approve(made)


@pytest.mark.parametrize("silences", [0, 1])
def test_a_gateway_that_answers_has_to_close_the_attempt(silences):
    """Whether or not it was silent when the payment was confirmed: what it says is open can be paid as well."""
    order = waiting_order(approval_above_fen=0)
    silence(times=silences)
    made = confirm_by_hand(charge_of(order), is_acknowledged=True)
    book().script(memory.Fault.LOST_REQUEST, verb="close_payment")

    with refused(confirmations.GatewayStillWaits):
        approve(made)


def test_money_that_the_gateway_tells_of_before_the_decision_is_booked_once():
    order = waiting_order()
    made = confirm_by_hand(charge_of(order), is_acknowledged=True)
    book().pay(charge_of(order).number)

    with pytest.raises(confirmations.GatewayConfirms):
        approve(made)

    made.refresh_from_db()
    order.refresh_from_db()
    assert (made.status, order.status) == ("to_approve", "pay_finished")
    assert Transfer.objects.filter(kind="payment").count() == 1


def test_a_gateway_that_stays_silent_does_not_keep_the_second_person_from_deciding():
    order = waiting_order(approval_above_fen=0)
    silence(times=3)

    approve(confirm_by_hand(charge_of(order)))

    order.refresh_from_db()
    assert order.status == "pay_finished"


# --- late money


def test_a_gateway_that_could_not_be_asked_is_not_a_silent_one():
    order = waiting_order()
    book().pay(charge_of(order).number)

    with all_lines_engaged(), refused(GatewayBusy):
        confirm_by_hand(charge_of(order))


def test_nor_does_a_second_person_decide_before_it_could_be_asked():
    order = waiting_order(approval_above_fen=0)
    silence()
    made = confirm_by_hand(charge_of(order))
    book().pay(charge_of(order).number)

    with all_lines_engaged(), refused(GatewayBusy):
        approve(made)


def test_on_a_closed_order_it_is_late_money():
    order = waiting_order(late_money_policy="hold")
    closing.close(order_id=order.pk, actor="user:lin", at=timezone.now())
    silence()

    confirm_by_hand(charge_of(order))

    order.refresh_from_db()
    assert (order.status, order.money_flag, charge_of(order).status) == ("closed", "paid_late", "surplus")
    assert Transfer.objects.get(order=order).credit == "suspense"


def test_on_a_paid_order_it_is_too_much():
    order = waiting_order()
    second = attempt(order, Mode.WAP)
    book().pay(second.number)
    charges.reconcile(charge_id=second.pk, at=timezone.now())
    first = order.charges.get(attempt=1)
    silence()

    confirm_by_hand(first)

    order.refresh_from_db()
    first.refresh_from_db()
    assert (order.status, order.money_flag, first.status) == ("pay_finished", "overpaid", "surplus")


# --- what cannot be


def test_a_payment_that_is_booked_has_nothing_to_confirm():
    order = waiting_order()
    silence()
    confirm_by_hand(charge_of(order))

    with refused(confirmations.NotToConfirm):
        confirm_by_hand(charge_of(order), number="h-2", trade_no="bank-2")


def test_only_one_confirmation_of_a_payment_waits():
    charge = charge_of(waiting_order())
    confirm_by_hand(charge, is_acknowledged=True)

    with refused(confirmations.ConfirmedMeanwhile):
        confirm_by_hand(charge, number="h-2", is_acknowledged=True)


def test_one_number_of_the_gateway_books_one_payment():
    order = waiting_order()
    silence()
    confirm_by_hand(charge_of(order))
    other = place_order(client=order.client, number="T2", total_fen=500)
    attempt(other)
    silence()

    with refused(confirmations.TradeKnown, field="trade_no"):
        confirm_by_hand(charge_of(other), number="h-2")


def test_a_number_entered_by_hand_gives_way_to_the_gateways_word_on_whose_payment_it_is():
    first = waiting_order()
    second = place_order(client=first.client, number="second", total_fen=7_000)
    attempt(second)
    silence()
    confirm_by_hand(charge_of(first), trade_no=f"memory-{charge_of(second).number}")  # a slip
    book().pay(charge_of(second).number)

    charges.reconcile(charge_id=charge_of(second).pk, at=timezone.now())

    first.refresh_from_db()
    second.refresh_from_db()
    assert (second.status, second.money_flag) == ("pay_finished", "")
    assert charge_of(second).gateway_trade_no == f"memory-{charge_of(second).number}"
    assert (first.status, first.money_flag, charge_of(first).gateway_trade_no) == (
        "pay_finished", "needs_attention", "",
    )  # fmt: skip
    assert broken() == []


def test_the_same_number_again_is_the_same_confirmation_and_asks_nobody():
    order = waiting_order()
    silence()
    made = confirm_by_hand(charge_of(order))
    asked = len(book().calls)

    again = confirm_by_hand(charge_of(order))

    assert (again.pk, len(book().calls), Transfer.objects.filter(kind="payment").count()) == (made.pk, asked, 1)


def test_the_same_number_for_another_payment_is_refused():
    order = waiting_order()
    silence()
    confirm_by_hand(charge_of(order))
    other = place_order(client=order.client, number="T2", total_fen=500)
    attempt(other)

    with refused(requests.NumberReused):
        confirm_by_hand(charge_of(other))


DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"trade_no": ""}, "trade_no"),
        ({"trade_no": "x" * 65}, "trade_no"),
        ({"trade_no": "a\x00b"}, "trade_no"),
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason": "a\nb"}, "reason"),
        ({"number": ""}, "number"),
        ({"number": "x" * 37}, "number"),
    ],
)
def test_what_no_column_holds_names_its_field(fields, field):
    charge = charge_of(waiting_order())

    with refused(Malformed, field=field):
        confirm_by_hand(charge, **fields)


@pytest.mark.parametrize("paid_at", [timezone.now() + DAY, timezone.now() - DAY], ids=["future", "before the order"])
def test_it_was_paid_between_its_order_and_now(paid_at):
    charge = charge_of(waiting_order())

    with refused(Malformed, field="paid_at"):
        confirm_by_hand(charge, paid_at=paid_at)
