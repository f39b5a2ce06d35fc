import dataclasses
import datetime

import pytest
from django.utils import timezone

from payments.charges import operations as charges
from payments.gateways import memory
from payments.gateways.base import Mode, RawNotification
from payments.inbox import operations as inbox
from payments.ledger.queries import balance_fen
from payments.models import Charge, GatewayAccount, InboundNotification, Order, Transfer
from tests.world import make_client, make_customer, make_memory_account, place_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def charge():
    memory.forget_everything()
    make_memory_account()
    client = make_client()
    make_customer(client=client)
    placed = place_order(client=client)
    charge = charges.pay_by(order_id=placed.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())
    memory.book("memory-app").pay(charge.number)
    return charge


def notice(charge, **changes):
    return memory.book("memory-app").notification(charge.number, **changes)


def deliver(raw):
    answer = inbox.receive(
        kind="memory", headers=raw.headers, body=raw.body, remote_address="127.0.0.1", at=timezone.now()
    )
    return answer.body


def verdicts():
    return list(InboundNotification.objects.order_by("id").values_list("verdict", flat=True))


def test_a_genuine_notification_pays_the_order(charge):
    assert deliver(notice(charge)) == b"success"

    charge.order.refresh_from_db()
    assert charge.order.status == "pay_finished"
    assert verdicts() == ["accepted"]
    assert InboundNotification.objects.get().processed_at is not None


def test_a_repeat_is_acknowledged_and_changes_nothing(charge):
    deliver(notice(charge))
    booked = Transfer.objects.count()

    assert [deliver(notice(charge)) for _again in range(5)] == [b"success"] * 5

    assert Transfer.objects.count() == booked
    assert verdicts() == ["accepted"] + ["repeat"] * 5


def test_a_notice_that_was_kept_but_not_processed_is_processed_by_its_repeat(charge):
    deliver(notice(charge))
    InboundNotification.objects.update(processed_at=None)

    deliver(notice(charge))

    assert InboundNotification.objects.get(verdict="accepted").processed_at is not None


def test_a_notice_left_unprocessed_is_found_by_the_sweep(charge, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(inbox.settlement, "settle", _killed)
        with pytest.raises(SystemExit):
            deliver(notice(charge))
    long_ago = timezone.now() - datetime.timedelta(minutes=1)
    InboundNotification.objects.update(received_at=long_ago, due_at=long_ago)

    assert inbox.process_due() == 1

    charge.order.refresh_from_db()
    assert charge.order.status == "pay_finished"
    assert inbox.process_due() == 0


def _killed(**_kwargs):
    raise SystemExit


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"amount_fen": 1}, "wrong_amount"),
        ({"number": "nobody_1"}, "unknown_number"),
        ({"merchant_id": "x"}, "wrong_merchant"),
    ],
)
def test_what_does_not_fit_is_kept_with_its_verdict_and_books_nothing(charge, changes, verdict):
    assert deliver(notice(charge, **changes)) == b"failure"

    assert verdicts() == [verdict]
    assert not Transfer.objects.exists()
    assert Order.objects.get().status == "point_paid"


def test_a_wrong_amount_makes_us_ask_the_gateway_at_once(charge):
    deliver(notice(charge, amount_fen=1))

    assert Charge.objects.get().next_query_at <= timezone.now()


def test_a_tampered_notice_is_refused_and_never_shadows_the_genuine_one(charge):
    genuine = notice(charge)
    tampered = dataclasses.replace(genuine, body=genuine.body.replace(b"100", b"101"))

    assert deliver(tampered) == b"failure"
    assert deliver(genuine) == b"success"

    assert verdicts() == ["bad_signature", "accepted"]
    assert balance_fen(code="sales") == 100


def test_refused_deliveries_are_kept_up_to_a_number_a_minute(charge, monkeypatch):
    monkeypatch.setattr(inbox, "REFUSED_KEPT_PER_MINUTE", 3)

    answers = [deliver(RawNotification(headers={}, body=b"junk")) for _again in range(8)]

    assert set(answers) == {b"failure"}
    assert InboundNotification.objects.count() == 4


def test_old_refused_deliveries_are_pruned_and_genuine_ones_never(charge):
    deliver(RawNotification(headers={}, body=b"junk"))
    deliver(notice(charge))
    InboundNotification.objects.update(received_at=timezone.now() - datetime.timedelta(days=31))

    assert inbox.prune_refused() == 1

    assert verdicts() == ["accepted"]


def test_a_gateway_without_any_account_is_answered_with_failure():
    assert deliver(RawNotification(headers={}, body=b"{}")) == b"failure"


def test_an_account_that_is_out_of_order_does_not_keep_the_others_from_being_heard(charge, monkeypatch):
    broken = make_memory_account(app_id="broken")
    monkeypatch.setitem(inbox.registry.GATEWAYS, "memory", _out_of_order_if(broken))

    assert deliver(notice(charge)) == b"success"

    charge.order.refresh_from_db()
    assert charge.order.status == "pay_finished"


def _out_of_order_if(broken):
    build = inbox.registry.GATEWAYS["memory"]

    def build_or_fail(account):
        if account == broken:
            raise ValueError("the keys do not match")
        return build(account)

    return build_or_fail


def test_clients_that_share_a_merchant_are_told_of_each_others_account(charge):
    """The first row of a merchant proves the notice; the attempt may have been made by another row of the same one."""
    first = GatewayAccount.objects.get()
    same = make_memory_account(client=charge.order.client, merchant_id=first.merchant_id)
    Charge.objects.filter(pk=charge.pk).delete()
    memory.forget_everything()
    again = charges.pay_by(order_id=charge.order_id, channel="memory", mode=Mode.PAGE, actor="test", at=timezone.now())
    memory.book("memory-app").pay(again.number)

    assert deliver(notice(again)) == b"success"

    again.refresh_from_db()
    assert (again.gateway_account, again.status) == (same, "succeeded")


def test_a_genuine_notice_that_nothing_was_paid_makes_us_ask_and_moves_nothing(charge):
    asked_before = Charge.objects.get(pk=charge.pk).next_query_at

    deliver(notice(charge, status="WAITING", paid_at=""))

    charge.refresh_from_db()
    assert verdicts() == ["accepted"]
    assert (charge.status, Transfer.objects.filter(kind="payment", reference=charge.number).count()) == ("pending", 0)
    assert charge.next_query_at != asked_before


def test_what_was_proven_when_it_came_and_no_longer_is_makes_us_ask_the_gateway(charge, monkeypatch):
    raw = notice(charge)
    with monkeypatch.context() as killed:
        killed.setattr(inbox, "_act", lambda **_: None)
        deliver(raw)
    row = InboundNotification.objects.get()
    asked_about = []
    with monkeypatch.context() as rotated:
        rotated.setattr(memory.Book, "sign", lambda *_: "another key")
        inbox.process(notification_id=row.pk, at=row.received_at)
        asked_about += charges.sweep.lease_due(at=row.received_at, limit=10)

    row.refresh_from_db()
    assert row.processed_at == row.received_at
    assert asked_about == [(charge.pk, charge.gateway_account_id)]


def test_a_notice_of_another_amount_about_money_that_is_booked_makes_nobody_ask_for_ever(charge):
    deliver(notice(charge))

    assert deliver(notice(charge, amount_fen=1)) == b"failure"

    charge.refresh_from_db()
    assert verdicts() == ["accepted", "wrong_amount"]
    assert (charge.status, charge.next_query_at) == ("succeeded", None)


def test_an_attempt_that_is_over_is_asked_about_again_when_a_notice_says_so(charge):
    Charge.objects.filter(pk=charge.pk).update(status="closed", next_query_at=None)

    deliver(notice(charge, amount_fen=1))
    charges.sweep_due()

    charge.refresh_from_db()
    charge.order.refresh_from_db()
    assert (charge.status, charge.paid_fen, charge.order.status) == ("succeeded", charge.amount_fen, "pay_finished")


def test_notices_that_fail_keep_no_other_waiting(charge, monkeypatch):
    account, past = charge.gateway_account, timezone.now() - datetime.timedelta(minutes=5)
    rows = InboundNotification.objects.bulk_create(
        InboundNotification(
            gateway="memory", gateway_account=account, notification_id=f"n{n}", verdict="accepted", charge=charge,
            body=b"", received_at=past, due_at=past,
        )
        for n in range(7)
    )  # fmt: skip
    seen = []

    def fail(*, notification_id, at):
        seen.append(notification_id)
        raise RuntimeError

    monkeypatch.setattr(inbox, "process", fail)

    assert [inbox.process_due(limit=4) for _turn in range(3)] == [4, 3, 0]
    assert sorted(seen) == sorted(row.pk for row in rows)
