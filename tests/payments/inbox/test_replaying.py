"""A notification that staff have processed again: verified anew if it was refused, booked once whatever happens."""

import dataclasses

import pytest
from django.utils import timezone

from payments.charges import operations as charges
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.inbox import operations as inbox
from payments.inbox import replaying
from payments.models import AuditRow, GatewayAccount, InboundNotification, Transfer
from tests.payments.manual.desk import nothing_moves
from tests.payments.refunds.shop import paid_order, refund_at_console
from tests.world import make_client, make_customer, make_memory_account, place_order

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


def book():
    return memory.book("memory-app")


@pytest.fixture
def charge():
    """An attempt of 70 yuan that its payer has paid, and nobody has heard of yet."""
    client = make_client()
    make_customer(client=client)
    make_memory_account()
    order = place_order(client=client, total_fen=7_000)
    made = charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.PAGE, actor="test", at=timezone.now())
    book().pay(made.number)
    return made


def deliver(raw, **headers):
    inbox.receive(
        kind="memory", headers={**raw.headers, **headers}, body=raw.body, remote_address="127.0.0.1", at=timezone.now()
    )
    return InboundNotification.objects.latest("pk")


def replay(row, reason="keys mended"):
    return replaying.replay(notification_id=row.pk, actor="user:lin", reason=reason, at=timezone.now())


def came_of(found):
    return str(found.before), str(found.after), found.charge_before, found.charge_after, found.is_asked


def give_account(app_id):
    for account in GatewayAccount.objects.all():
        account.app_id = app_id
        account.save()


def booked(charge):
    charge.refresh_from_db()
    return charge.status, Transfer.objects.filter(reference=charge.number, kind="payment").count()


def test_one_that_was_refused_for_its_keys_is_believed_once_they_are_mended(charge):
    raw = book().notification(charge.number)
    give_account("another-app")
    row = deliver(raw)
    assert row.verdict == "bad_signature"
    give_account("memory-app")

    found = replay(row)

    row.refresh_from_db()
    assert came_of(found) == ("bad_signature", "accepted", "pending", "succeeded", False)
    assert (row.verdict, row.charge, row.due_at) == ("accepted", charge, None)
    assert row.processed_at is not None
    assert booked(charge) == ("succeeded", 1)
    assert [(audited.actor, audited.action, audited.subject, audited.detail) for audited in deeds()] == [
        ("user:lin", "notification.verify", charge.order.subject, {
            "notification": row.pk, "before": "bad_signature", "after": "accepted", "reason": "keys mended",
        }),
        ("user:lin", "notification.replay", charge.order.subject, {
            "notification": row.pk, "reason": "keys mended", "verdict": "accepted", "charge": charge.number,
            "status": "succeeded", "is_asked": False,
        }),
    ]  # fmt: skip


def deeds():
    return AuditRow.objects.filter(action__startswith="notification.").order_by("pk")


def test_a_forged_one_stays_refused_and_nothing_moves(charge):
    raw = book().notification(charge.number)
    row = deliver(raw, **{memory.SIGNATURE: "forged"})
    before = AuditRow.objects.count()

    found = replay(row)

    assert came_of(found) == ("bad_signature", "bad_signature", None, None, False)
    assert booked(charge) == ("pending", 0)
    assert AuditRow.objects.count() == before + 1
    assert AuditRow.objects.latest("pk").subject == f"notification:{row.pk}"


def test_one_that_was_left_unprocessed_is_processed(charge):
    raw = book().notification(charge.number)
    row = InboundNotification.objects.create(
        gateway="memory", gateway_account=charge.gateway_account, notification_id="n1", verdict="accepted",
        charge=charge, headers=dict(raw.headers), body=raw.body, due_at=timezone.now(),
    )  # fmt: skip

    assert came_of(replay(row)) == ("accepted", "accepted", "pending", "succeeded", False)
    row.refresh_from_db()
    assert (row.due_at, booked(charge)) == (None, ("succeeded", 1))


def test_one_that_was_processed_moves_nothing_again(charge):
    row = deliver(book().notification(charge.number))
    assert booked(charge) == ("succeeded", 1)
    before = AuditRow.objects.count()

    assert came_of(replay(row)) == ("accepted", "accepted", "succeeded", "succeeded", False)
    assert (booked(charge), AuditRow.objects.count()) == (("succeeded", 1), before + 1)


def test_one_that_was_accepted_in_another_delivery_becomes_a_repeat(charge):
    raw = book().notification(charge.number)
    give_account("another-app")
    refused = deliver(raw)
    give_account("memory-app")
    deliver(raw)
    assert booked(charge) == ("succeeded", 1)

    assert str(replay(refused).after) == "repeat"
    assert InboundNotification.objects.filter(verdict="accepted").count() == 1
    assert booked(charge) == ("succeeded", 1)


def test_a_repeat_is_processed_as_what_it_repeats(charge):
    raw = book().notification(charge.number)
    deliver(raw)
    row = deliver(raw)
    assert row.verdict == "repeat"

    assert came_of(replay(row)) == ("repeat", "repeat", "succeeded", "succeeded", False)
    assert booked(charge) == ("succeeded", 1)


def test_of_one_that_proves_no_more_the_gateway_is_asked(charge):
    row = deliver(book().notification(charge.number))
    InboundNotification.objects.filter(pk=row.pk).update(headers={})

    assert came_of(replay(row)) == ("accepted", "accepted", "succeeded", "succeeded", True)
    assert booked(charge) == ("succeeded", 1)


def test_of_one_with_another_amount_the_gateway_is_asked(charge):
    raw = book().notification(charge.number)
    row = deliver(raw)
    InboundNotification.objects.filter(pk=row.pk).update(verdict="wrong_amount")

    found = replay(row)

    # By now it is judged as it would be today: the amount is right.
    assert str(found.after) == "accepted"
    assert booked(charge) == ("succeeded", 1)


def test_a_number_that_we_do_not_know_stays_unknown(charge):
    known = book().payments[charge.number]
    foreign = dataclasses.replace(known.request, number="2018061500000000_1")
    book().payments[foreign.number] = dataclasses.replace(known, request=foreign)
    row = deliver(book().notification(foreign.number))
    assert row.verdict == "unknown_number"

    assert came_of(replay(row)) == ("unknown_number", "unknown_number", None, None, False)
    assert booked(charge) == ("pending", 0)


def test_a_notice_of_a_refund_is_followed_up():
    order = paid_order()
    charge = order.charges.get(tender="memory")
    refund_at_console(charge, 1_000)
    row = deliver(book().notification(charge.number, refund_number="console-1"))

    replay(row)
    replay(row)

    row.refresh_from_db()
    assert row.processed_at is not None
    assert Transfer.objects.filter(order=order, kind="refund").count() == 1


def test_while_somebody_else_does_the_same_it_is_refused(charge, monkeypatch):
    raw = book().notification(charge.number)
    row = deliver(raw, **{memory.SIGNATURE: "forged"})
    verify = replaying.verification.verify

    def meanwhile(**fields):
        InboundNotification.objects.filter(pk=row.pk).update(verdict="malformed")
        return verify(**fields)

    monkeypatch.setattr(replaying.verification, "verify", meanwhile)

    with nothing_moves(), pytest.raises(replaying.ReplayedMeanwhile):
        replay(row)
