"""Refunds of many orders at once: confirmed once, asked for one by one, nothing twice, whatever dies meanwhile."""

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from payments.errors import Malformed
from payments.gateways.memory import Fault
from payments.models import Account, AuditRow, Order, Refund, RefundBatch, RefundBatchLine
from payments.refunds import batches, submission
from payments.refunds import operations as refunds
from payments.refunds.batches import BatchNumberReused, Chosen
from tests.payments.refunds.shop import balance_fen, book, left, pay, recharge, refund, sweep
from tests.world import place_order

pytestmark = pytest.mark.django_db

NUMBER = f"batch-{'0' * 32}"


def paid(shop, number, total_fen, shipping_fen=1_000):
    order = place_order(client=shop, number=number, total_fen=total_fen, shipping_fen=shipping_fen)
    if order.cash_fen:
        pay(order)
    order.refresh_from_db()
    return order


def all_of(*orders):
    return [
        Chosen(
            order_id=order.pk, goods_fen=order.goods_fen - sum(left(order)[::2]),
            shipping_fen=order.shipping_fen - sum(left(order)[1::2]),
        )
        for order in orders
    ]  # fmt: skip


def confirm(*orders, chosen=None, number=NUMBER, actor="user:lin", reason="recalled"):
    return batches.confirm(
        number=number, chosen=all_of(*orders) if chosen is None else chosen, reason=reason, actor=actor,
        at=timezone.now(),
    )  # fmt: skip


def told(batch):
    """Of each line: status, refund's status, why not."""
    return [
        (line.status, line.refund.status if line.refund else None, line.refusal)
        for line in batches.lines_of(batch)
    ]  # fmt: skip


def test_each_order_is_refunded_above_the_limit_asked_for_or_refused_with_the_reason(shop):
    by_points, above, changed, both = (
        paid(shop, name, fen) for name, fen in (("a", 3_000), ("b", 9_000), ("c", 5_000), ("d", 4_000))
    )
    batch, is_new = confirm(by_points, above, changed, both)
    refund(changed, goods_fen=100)

    taken = batches.process_due()

    assert (is_new, taken) == (True, 4)
    assert told(batch) == [
        ("done", "succeeded", ""),
        ("done", "to_approve", ""),
        ("refused", None, "refunded_meanwhile"),
        ("done", "succeeded", ""),
    ]
    assert left(by_points) == (0, 0, 2_000, 1_000)
    assert left(above) == (8_000, 1_000, 0, 0)
    assert left(changed) == (0, 0, 100, 0)
    assert left(both) == (0, 0, 3_000, 1_000)
    made = Refund.objects.get(order=both)
    assert (made.refund_no, made.reason, made.requested_by) == (f"{NUMBER}-{both.pk}", "recalled", "user:lin")
    assert batches.process_due() == 0


def test_what_was_done_is_in_the_audit_rows(shop):
    one, other = paid(shop, "a", 3_000), paid(shop, "b", 4_000)
    batch, _is_new = confirm(one, other)
    refund(other, goods_fen=1)

    batches.process_due()

    confirmed = AuditRow.objects.get(action="refund_batch.confirm")
    assert (confirmed.actor, confirmed.subject) == ("user:lin", f"refund_batch:{batch.pk}")
    assert confirmed.detail == {"orders": 2, "sum": "70.00", "reason": "recalled"}
    asked, refused = (AuditRow.objects.get(action=f"refund_batch.{event}") for event in ("asked", "refused"))
    assert (asked.subject, asked.detail) == (one.subject, {"batch": batch.pk, "refund": f"{one.number}_R1"})
    assert (refused.subject, refused.detail) == (other.subject, {"batch": batch.pk, "refusal": "refunded_meanwhile"})


def test_confirmed_twice_it_is_one_batch(shop):
    order = paid(shop, "a", 3_000)
    chosen = all_of(order)

    first, second = (confirm(chosen=chosen) for _time in range(2))

    assert (first[0].pk, first[1], second[1]) == (second[0].pk, True, False)
    assert (RefundBatch.objects.count(), RefundBatchLine.objects.count()) == (1, 1)


@pytest.mark.parametrize("change", [{"actor": "user:wang"}, {"orders": "others"}])
def test_a_number_stands_for_one_persons_choice_alone(shop, change):
    order, other = paid(shop, "a", 3_000), paid(shop, "b", 3_000)
    confirm(order)

    with pytest.raises(BatchNumberReused):
        confirm(other if "orders" in change else order, actor=change.get("actor", "user:lin"))
    assert RefundBatchLine.objects.count() == 1


@pytest.mark.parametrize(
    ("chosen", "reason", "field"),
    [
        ([], "x", "orders"),
        ([Chosen(order_id=n, goods_fen=1, shipping_fen=0) for n in range(201)], "x", "orders"),
        ([Chosen(order_id=1, goods_fen=1, shipping_fen=0)] * 2, "x", "orders"),
        ([Chosen(order_id=1, goods_fen=0, shipping_fen=0)], "x", "orders"),
        ([Chosen(order_id=1, goods_fen=2, shipping_fen=-1)], "x", "orders"),
        ([Chosen(order_id=1, goods_fen=1, shipping_fen=0)], "", "reason"),
        ([Chosen(order_id=1, goods_fen=1, shipping_fen=0)], "x" * 201, "reason"),
    ],
)
def test_what_cannot_be_confirmed_names_its_field(chosen, reason, field):
    with pytest.raises(Malformed) as refused:
        confirm(chosen=chosen, reason=reason)

    assert refused.value.field == field
    assert RefundBatch.objects.count() == 0


def test_every_refusal_has_a_sentence():
    assert {"order_not_paid", "order_closed", "order_refunded", "refunded_meanwhile", "not_enough", "refund_exceeds",
            "too_many_refunds", "refund_no_reused"} == set(batches.SENTENCES)  # fmt: skip


def test_a_recharge_that_was_spent_is_refused_and_the_balance_stays():
    order = recharge()
    batch, _is_new = confirm(order)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payments_account SET balance_fen = balance_fen - 1 WHERE kind = 'balance'")

    batches.process_due()

    assert told(batch) == [("refused", None, "not_enough")]
    assert (balance_fen(order), left(order)) == (4_999, (0, 0, 0, 0))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payments_account SET balance_fen = balance_fen + 1 WHERE kind = 'balance'")


# --- what is foreseen


def test_what_would_go_back_where_is_foreseen_and_nothing_moves(shop):
    by_points, above, both = (paid(shop, name, fen) for name, fen in (("a", 3_000), ("b", 9_000), ("c", 4_000)))
    refund(by_points, goods_fen=2_000, shipping_fen=1_000)
    unpaid = place_order(client=shop, number="d", total_fen=50_000)
    waits = paid(shop, "e", 8_100)
    refund(waits, goods_fen=7_100, shipping_fen=1_000, actor="user:lin")
    chosen = list(Order.objects.select_related("client").order_by("pk"))

    foreseen = batches.foresee(chosen=chosen)

    plans = [
        (
            one.amount_fen,
            {charge.tender: part.goods_fen + part.shipping_fen for charge, part in one.split},
            one.refusal and one.refusal.code,
            one.needs_second_person,
        )
        for one in foreseen
    ]
    assert [one.order.pk for one in foreseen] == [by_points.pk, above.pk, both.pk, unpaid.pk, waits.pk]
    assert plans == [
        (0, {}, "order_refunded", False),
        (9_000, {"points": 6_000, "memory": 3_000}, None, True),
        (4_000, {"memory": 4_000}, None, False),
        (50_000, {}, "order_not_paid", False),
        (0, {}, "order_refunded", False),
    ]
    with translation.override("en"):
        assert "waits for a second person" in foreseen[4].refusal.sentence()
    assert RefundBatch.objects.count() == 0


def test_what_went_without_a_second_person_counts_with_it(shop):
    order = paid(shop, "a", 9_000)
    refund(order, goods_fen=5_000, actor="user:lin")

    (foreseen,) = batches.foresee(chosen=[Order.objects.select_related("client").get()])

    assert (foreseen.amount_fen, foreseen.needs_second_person) == (4_000, True)


def test_many_orders_are_foreseen_in_as_many_statements_as_one(shop):
    for n in range(4):
        paid(shop, f"T{n}", 2_000)
    chosen = list(Order.objects.select_related("client"))

    counts = []
    for some in (chosen[:1], chosen):
        with CaptureQueriesContext(connection) as asked:
            batches.foresee(chosen=some)
        counts.append(len(asked))

    assert counts == [2, 2]


# --- what dies, what does not answer


def test_a_worker_killed_between_the_refund_and_its_gateway_leaves_the_rest_to_the_next(shop, monkeypatch):
    order, other = paid(shop, "a", 12_000 - 4_000), paid(shop, "b", 2_000, 0)
    batch, _is_new = confirm(order, other)

    def die(**_of):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(submission, "submit_all", die)
        line = batch.lines.get(order=other)
        RefundBatchLine.objects.filter(pk=line.pk).update(due_at=timezone.now() - datetime.timedelta(hours=1))
        with pytest.raises(KeyboardInterrupt):
            batches.process_due()
    assert [status for status, _refund, _why in told(batch)] == ["waiting", "done"]
    assert book().refunds == {}

    batches.process_due()
    sweep()

    assert told(batch) == [("done", "succeeded", ""), ("done", "succeeded", "")]
    assert Refund.objects.count() == 2
    assert book().refunded_fen(f"{other.number}_2") == 1_000
    assert [number for verb, number in book().calls if verb == "refund"] == [f"{other.number}_R1"]


def test_a_worker_killed_within_the_transaction_leaves_nothing(shop, monkeypatch):
    order = paid(shop, "a", 3_000)
    batch, _is_new = confirm(order)

    def die(**_of):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(batches, "_settle", die)
        with pytest.raises(KeyboardInterrupt):
            batches.process_due()

    assert (Refund.objects.count(), left(order)) == (0, (0, 0, 0, 0))
    assert told(batch) == [("waiting", None, "")]


def test_a_line_whose_worker_died_is_taken_up_when_its_lease_has_run_out(shop):
    order = paid(shop, "a", 3_000)
    batch, _is_new = confirm(order)
    now = timezone.now()

    first, meanwhile, later = (batches.lease_next(at=now + wait) for wait in (
        datetime.timedelta(0), datetime.timedelta(seconds=59), datetime.timedelta(seconds=61),
    ))  # fmt: skip

    assert (first, meanwhile, later) == (batch.lines.get().pk, None, first)


def test_who_wakes_up_after_its_lease_finds_the_line_done(shop):
    confirm(paid(shop, "a", 3_000))
    line_id = batches.lease_next(at=timezone.now())

    lines = [batches.process(line_id=line_id, at=timezone.now()) for _worker in range(2)]

    assert [line.status for line in lines] == ["done", "done"]
    assert Refund.objects.count() == 1
    assert AuditRow.objects.filter(action="refund_batch.asked").count() == 1


def test_what_is_asked_for_again_is_the_same_refund_by_its_number(shop):
    line, again = asked_for_again(shop)

    assert again() == (line.refund, False)
    assert Refund.objects.count() == 1


def test_control_without_the_number_it_is_another_one_that_finds_nothing_left(shop, monkeypatch):
    _line, again = asked_for_again(shop)
    monkeypatch.setattr(refunds, "_known", lambda **_of: None)

    with pytest.raises(refunds.OrderRefunded):
        again()


def asked_for_again(shop):
    order = paid(shop, "a", 3_000)
    batch, _is_new = confirm(order)
    batches.process_due()
    line = batches.lines_of(batch).select_related("batch").get()
    command = batches._command(line)
    return line, lambda: refunds.request(order_id=order.pk, command=command, actor="user:lin", at=timezone.now())


def test_a_silent_gateway_is_waited_for_once_and_the_sweep_tells_it(shop):
    Account.objects.filter(kind="points").update(balance_fen=0)
    orders = [paid(shop, f"T{n}", 3_000) for n in range(3)]
    batch, _is_new = confirm(*orders)
    book().script(Fault.LOST_REQUEST, verb="refund")

    batches.process_due()

    assert [verb for verb, _number in book().calls].count("refund") == 1
    assert told(batch) == [("done", "pending", "")] * 3
    sweep()
    assert told(batch) == [("done", "succeeded", "")] * 3
    Account.objects.filter(kind="points").update(balance_fen=9_000)


def test_trouble_with_one_line_leaves_it_waiting_and_takes_the_others(shop, monkeypatch):
    one, other = paid(shop, "a", 3_000), paid(shop, "b", 3_000)
    batch, _is_new = confirm(one, other)
    process = batches.process

    def stumble(*, line_id, **how):
        if line_id == batch.lines.get(order=one).pk:
            raise RuntimeError
        return process(line_id=line_id, **how)

    monkeypatch.setattr(batches, "process", stumble)

    assert batches.process_due() == 2
    assert [status for status, _refund, _why in told(batch)] == ["waiting", "done"]
