import datetime

import pytest
from django.db import IntegrityError
from django.utils import timezone

from checkout import fulfilment
from payments import audit
from payments.charges import operations as charges
from payments.closing import late_money
from payments.closing import operations as closing
from payments.closing.operations import GatewayUnanswered, OrderNotClosable
from payments.gateways.base import Mode
from payments.gateways.memory import Fault
from payments.ledger import operations as ledger
from payments.ledger.operations import Posting
from payments.ledger.queries import balance_fen
from payments.models import Charge, Order, OrderTransition, Refund, Transfer
from payments.refunds import operations as refunds
from payments.transactions import savepoint, transaction
from tests.payments.refunds.shop import book
from tests.world import balance_fen as customers_balance_fen
from tests.world import make_client, make_customer, make_memory_account, place_order, points_fen

pytestmark = pytest.mark.django_db


def make_shop(*, points=3_000, **client_fields):
    client = make_client(**client_fields)
    make_customer(client=client, points_fen=points)
    make_memory_account()
    return client


def attempt(order, mode=Mode.PAGE, at=None):
    return charges.pay_by(
        order_id=order.pk, channel="memory", mode=mode, actor="test", at=at or timezone.now()
    )  # fmt: skip


def expire(order):
    """Let the order's time, and that of its attempts, have run out."""
    past = timezone.now() - datetime.timedelta(minutes=5)
    Order.objects.filter(pk=order.pk).update(expires_at=past)
    Charge.objects.filter(order=order, expires_at__isnull=False).update(
        expires_at=past - datetime.timedelta(minutes=1), next_query_at=past
    )


def status(order):
    order.refresh_from_db()
    return order.status


# --- stale orders -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "before"), [("points_first", "point_paid"), ("points_last", "unpaid")])
def test_a_stale_order_is_closed_and_its_points_are_back(policy, before):
    client = make_shop(points_policy=policy)
    order = place_order(client=client, total_fen=10_000)
    assert (order.status, points_fen(order.customer)) == (before, 0)
    expire(order)

    assert closing.close_due(at=timezone.now()) == 1

    assert status(order) == "closed"
    assert order.closed_at is not None
    assert points_fen(order.customer) == 3_000
    assert balance_fen(code="escrow") == 0
    assert order.charges.get(tender="points").status == "released"
    move = order.transitions.last()
    assert (move.source, move.event, move.target, move.actor, move.reason) == (
        before, "closed", "closed", "system", "expired",
    )  # fmt: skip


def test_an_order_whose_time_has_not_run_out_stays():
    order = place_order(client=make_shop(), total_fen=10_000)

    assert closing.close_due(at=order.expires_at - datetime.timedelta(microseconds=1)) == 0
    assert closing.close_due(at=order.expires_at) == 1


def test_many_are_closed_in_batches_of_one_family_and_another(monkeypatch):
    client = make_shop(points=0)
    orders = [place_order(client=client, number=f"T{n}", total_fen=100) for n in range(7)]
    for order in orders:
        expire(order)
    told = []
    monkeypatch.setattr(closing, "BATCH", 3)

    assert closing.close_due(at=timezone.now(), tell=told.append) == 7

    assert told == [3, 6, 7]
    assert {status(order) for order in orders} == {"closed"}


def test_an_order_with_an_open_attempt_waits_for_its_gateway():
    order = place_order(client=make_shop(), total_fen=10_000)
    attempt(order)
    expire(order)

    assert closing.close_due(at=timezone.now()) == 0

    assert status(order) == "point_paid"


def test_the_sweep_ends_the_attempt_at_the_gateway_and_then_the_order_closes():
    order = place_order(client=make_shop(), total_fen=10_000)
    charge = attempt(order)
    expire(order)

    charges.sweep_due()

    assert Charge.objects.get(pk=charge.pk).status == "closed"
    assert closing.close_due(at=timezone.now()) == 1
    assert status(order) == "closed"


def test_money_found_while_an_order_is_being_closed_pays_it():
    order = place_order(client=make_shop(), total_fen=10_000)
    charge = attempt(order)
    book().pay(charge.number)
    expire(order)

    charges.sweep_due()

    assert closing.close_due(at=timezone.now()) == 0
    assert status(order) == "pay_finished"


def test_a_payment_between_query_and_close_pays_the_order():
    order = place_order(client=make_shop(), total_fen=10_000)
    charge = attempt(order)
    expire(order)
    book().script(lambda: book().pay(charge.number), verb="close_payment")

    charges.sweep_due()

    assert status(order) == "pay_finished"


def test_a_code_that_nobody_scanned_is_over_a_minute_after_its_end():
    order = place_order(client=make_shop(), total_fen=10_000)
    charge = attempt(order, mode=Mode.QR)
    end = charge.expires_at + datetime.timedelta(seconds=60)

    charges.ask(charge_id=charge.pk, at=end)
    assert Charge.objects.get(pk=charge.pk).status == "pending"
    charges.ask(charge_id=charge.pk, at=end + datetime.timedelta(seconds=1))

    assert Charge.objects.get(pk=charge.pk).status == "closed"
    assert closing.close_due(at=end + datetime.timedelta(seconds=1)) == 1


def test_an_attempt_is_asked_about_when_it_ends_however_rarely_it_is_asked_before():
    order = place_order(client=make_shop(), total_fen=10_000)
    charge = attempt(order)
    Charge.objects.filter(pk=charge.pk).update(queries=9)
    late = charge.expires_at - datetime.timedelta(minutes=2)

    charges.reconcile(charge_id=charge.pk, at=late)

    assert Charge.objects.get(pk=charge.pk).next_query_at == charge.expires_at + datetime.timedelta(seconds=1)


def test_a_family_that_cannot_release_keeps_its_own_order_open_and_no_other(monkeypatch):
    client = make_shop(points=0)
    good, bad = (place_order(client=client, number=number, total_fen=100) for number in ("T1", "T2"))
    expire(good)
    expire(bad)

    def release(*, order_ids):
        if bad.pk in order_ids:
            raise RuntimeError("no stock row")

    monkeypatch.setattr(fulfilment, "release", release)

    assert closing.close_due(at=timezone.now()) == 1

    assert (status(good), status(bad)) == ("closed", "point_paid")
    assert not OrderTransition.objects.filter(order=bad, event="closed").exists()
    assert bad.money_flag == "needs_attention"


def test_a_closed_order_never_changes_again():
    order = place_order(client=make_shop(), total_fen=10_000)
    expire(order)
    closing.close_due(at=timezone.now())

    with pytest.raises(IntegrityError, match="cannot go from closed"), savepoint():
        Order.objects.filter(pk=order.pk).update(status="pay_finished")


def order_for_the_balance():
    """An order that its customer's balance is still to pay."""
    customer = make_customer(client=make_client(), balance_fen=12_000)
    order = Order.objects.create(
        number="2018061500000001", family="payments", client=customer.client, customer=customer, fingerprint="0" * 64,
        title="title", total_fen=10_000, balance_fen=10_000, expires_at=timezone.now(),
    )  # fmt: skip
    with transaction():
        audit.record(actor="test", action="order.place", subject=order.subject)
    return order


def test_an_order_that_the_balance_never_paid_closes_and_moves_nothing():
    order = order_for_the_balance()

    assert closing.close_due(at=timezone.now()) == 1

    assert (status(order), order.transfers.count()) == ("closed", 0)
    assert customers_balance_fen(order.customer) == 12_000


def test_what_the_balance_had_paid_of_an_order_that_closes_is_back():
    order = order_for_the_balance()
    charge = Charge.objects.create(
        order=order, attempt=1, number=f"{order.number}_1", tender="balance", amount_fen=10_000, paid_fen=10_000,
        status="succeeded",
    )  # fmt: skip
    own = f"balance:{order.customer_id}"
    with transaction():
        ledger.post(
            Posting(
                debit=own, credit="escrow", amount_fen=10_000, kind="payment", reference=charge.number,
                order_id=order.pk,
            )
        )  # fmt: skip

    assert closing.close_due(at=timezone.now()) == 1

    charge.refresh_from_db()
    assert (status(order), charge.status, customers_balance_fen(order.customer)) == ("closed", "released", 12_000)
    assert order.transfers.filter(debit="escrow", credit=own, amount_fen=10_000, kind="release").count() == 1


# --- a client's or staff's close --------------------------------------------------------------------------------------


def close(order):
    return closing.close(order_id=order.pk, actor="client:shop", at=timezone.now(), reason="changed their mind")


def test_a_client_closes_an_order_and_its_attempt():
    order = place_order(client=make_shop(), total_fen=10_000)
    charge = attempt(order)

    assert close(order).status == "closed"

    assert Charge.objects.get(pk=charge.pk).status == "closed"
    assert points_fen(order.customer) == 3_000
    assert order.transitions.last().actor == "client:shop"


def test_closing_again_changes_nothing():
    order = place_order(client=make_shop(), total_fen=10_000)
    close(order)
    moves = order.transitions.count()

    assert close(order).status == "closed"
    assert (order.transitions.count(), points_fen(order.customer)) == (moves, 3_000)


def test_a_paid_order_is_not_closed():
    order = place_order(client=make_shop(), total_fen=3_000)

    with pytest.raises(OrderNotClosable):
        close(order)

    assert status(order) == "pay_finished"


def test_an_order_that_turns_out_to_be_paid_is_not_closed():
    order = place_order(client=make_shop(), total_fen=10_000)
    book().pay(attempt(order).number)

    with pytest.raises(OrderNotClosable):
        close(order)

    assert status(order) == "pay_finished"


def test_while_the_gateway_does_not_answer_nothing_is_closed():
    order = place_order(client=make_shop(), total_fen=10_000)
    attempt(order)
    book().script(Fault.LOST_RESPONSE, verb="close_payment")

    with pytest.raises(GatewayUnanswered):
        close(order)

    assert status(order) == "point_paid"


def test_what_a_gateway_will_not_close_yet_closes_all_the_same_and_is_asked_about_at_once():
    order = place_order(client=make_shop(), total_fen=10_000)
    charge = attempt(order, mode=Mode.QR)

    close(order)

    charge.refresh_from_db()
    assert charge.status == "pending"
    assert charge.next_query_at <= timezone.now()


# --- money that comes late --------------------------------------------------------------------------------------------


def paid_late(**client_fields):
    """An order that was closed while its code could still be scanned, and then the code was paid."""
    order = place_order(client=make_shop(**client_fields), total_fen=10_000)
    charge = attempt(order, mode=Mode.QR)
    close(order)
    book().pay(charge.number)
    charges.sweep_due()
    order.refresh_from_db()
    return order, Charge.objects.get(pk=charge.pk)


def test_late_money_stands_in_suspense_and_the_order_is_flagged():
    order, charge = paid_late()

    assert (order.status, order.money_flag, charge.status) == ("closed", "paid_late", "surplus")
    assert balance_fen(code="suspense") == 7_000


def test_late_money_goes_back_by_itself_and_the_flag_with_it():
    order, charge = paid_late()

    assert late_money.refund_due() == 1

    charge.refresh_from_db()
    order.refresh_from_db()
    made = Refund.objects.get()
    assert (made.kind, made.status, made.requested_by) == ("surplus", "succeeded", "system")
    assert (charge.status, charge.refunded_fen) == ("released", 7_000)
    assert (order.status, order.money_flag, order.refunded_fen) == ("closed", "", 0)
    assert book().refunded_fen(charge.number) == 7_000
    assert (balance_fen(code="suspense"), balance_fen(code=f"clearing:{charge.gateway_account_id}")) == (0, 0)
    assert points_fen(order.customer) == 3_000


def test_late_money_goes_back_once():
    paid_late()

    assert [late_money.refund_due(), late_money.refund_due()] == [1, 0]
    assert Transfer.objects.filter(kind="refund").count() == 1


def test_late_money_waits_for_staff_where_the_client_wants_it_so():
    order, charge = paid_late(late_money_policy="hold")

    assert late_money.refund_due() == 0
    order.refresh_from_db()
    assert order.money_flag == "paid_late"

    refunds.refund_surplus(charge_id=charge.pk, actor="user:lin", reason="asked by phone", at=timezone.now())

    charge.refresh_from_db()
    assert charge.status == "released"


def test_late_money_whose_refund_fails_is_not_tried_again_by_itself():
    order, charge = paid_late()
    book().script(Fault.REFUSED, verb="refund")

    assert [late_money.refund_due(), late_money.refund_due()] == [1, 0]

    charge.refresh_from_db()
    order.refresh_from_db()
    assert (charge.status, charge.refunding_fen, charge.refunded_fen) == ("surplus", 0, 0)
    assert order.money_flag == "needs_attention"


def test_of_two_payments_the_second_goes_back():
    order = place_order(client=make_shop(), total_fen=10_000)
    first, second = attempt(order, mode=Mode.QR), attempt(order, mode=Mode.PAGE)
    book().pay(first.number)
    book().pay(second.number)
    for charge in (first, second):
        charges.reconcile(charge_id=charge.pk, at=timezone.now())
    order.refresh_from_db()
    assert (order.status, order.money_flag) == ("pay_finished", "overpaid")

    assert late_money.refund_due() == 1

    order.refresh_from_db()
    assert (order.status, order.money_flag) == ("pay_finished", "")
    assert book().refunded_fen(first.number) + book().refunded_fen(second.number) == 7_000
    assert sorted(order.charges.filter(tender="memory").values_list("status", flat=True)) == ["released", "succeeded"]
