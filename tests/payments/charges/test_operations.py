import datetime

import pytest
from django.db import IntegrityError
from django.utils import timezone

from payments.charges import operations as charges
from payments.charges import settlement
from payments.charges.operations import OrderExpired, OrderNotPayable, RefusedByGateway
from payments.charges.queries import NoGatewayAccount
from payments.gateways import memory
from payments.gateways.base import Mode, Outcome, PaymentState
from payments.gateways.memory import Fault
from payments.ledger.queries import balance_fen
from payments.models import Charge, Transfer
from payments.orders import operations as orders
from payments.transactions import transaction
from tests.world import make_client, make_customer, make_memory_account, place_order

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


@pytest.fixture
def account():
    return make_memory_account()


def place(*, points_fen=13_128, total_fen=214_400, shipping_fen=500, **client_fields):
    client = make_client(**client_fields)
    make_customer(client=client, points_fen=points_fen)
    return place_order(client=client, total_fen=total_fen, shipping_fen=shipping_fen)


def pay_by(order, mode=Mode.QR):
    return charges.pay_by(order_id=order.pk, channel="memory", mode=mode, actor="test", at=timezone.now())


def paid(charge, **changes):
    fields = {"outcome": Outcome.SUCCEEDED, "number": charge.number, "amount_fen": charge.amount_fen, "trade_no": "m1"}
    return PaymentState(**(fields | changes))


def money(order):
    rows = Transfer.objects.filter(order=order).order_by("id")
    return [(row.debit.split(":")[0], row.credit, row.amount_fen, row.kind) for row in rows]


def test_an_order_paid_at_the_gateway_is_finished_and_its_money_reaches_sales_and_shipping(account):
    order = place()
    charge = pay_by(order)
    memory.book("memory-app").pay(charge.number)

    charges.reconcile(charge_id=charge.pk, at=timezone.now())

    order.refresh_from_db()
    charge.refresh_from_db()
    assert (order.status, charge.status, charge.paid_fen) == ("pay_finished", "succeeded", 201_272)
    assert money(order) == [
        ("points", "escrow", 13_128, "payment"),
        ("clearing", "escrow", 201_272, "payment"),
        ("escrow", "sales", 213_900, "sale"),
        ("escrow", "shipping", 500, "shipping"),
    ]
    assert balance_fen(code="escrow") == 0


def test_points_last_takes_the_hold_once_the_cash_is_there(account):
    order = place(points_policy="points_last")
    charge = pay_by(order)

    settlement.settle(charge_id=charge.pk, state=paid(charge), at=timezone.now())

    order.refresh_from_db()
    assert order.status == "pay_finished"
    assert list(order.transitions.values_list("source", "target")) == [
        ("unpaid", "cash_paid"),
        ("cash_paid", "pay_finished"),
    ]
    assert list(order.charges.values_list("tender", "status")) == [("points", "succeeded"), ("memory", "succeeded")]
    assert balance_fen(code="escrow") == 0


def test_settling_again_changes_nothing(account):
    order = place()
    charge = pay_by(order)
    settlement.settle(charge_id=charge.pk, state=paid(charge), at=timezone.now())
    before = money(order)

    settlement.settle(charge_id=charge.pk, state=paid(charge), at=timezone.now())

    assert money(order) == before
    assert order.transitions.count() == 2


def test_asking_to_pay_again_the_same_way_returns_the_open_attempt(account):
    order = place()

    first, again = pay_by(order), pay_by(order)

    assert first == again
    assert first.payload == {"qr_code": f"memory:memory-app:{first.number}"}
    assert memory.book("memory-app").calls.count(("create_payment", first.number)) == 1


def test_another_way_closes_the_open_attempt_first(account):
    order = place()
    page = pay_by(order, Mode.PAGE)

    wap = pay_by(order, Mode.WAP)

    page.refresh_from_db()
    assert (page.status, wap.status) == ("closed", "pending")
    assert [charge.number for charge in order.charges.all()][1:] == [page.number, wap.number]


def test_an_unscanned_code_cannot_be_closed_and_the_new_attempt_starts_all_the_same(account):
    order = place()
    code = pay_by(order, Mode.QR)

    page = pay_by(order, Mode.PAGE)

    code.refresh_from_db()
    assert (code.status, page.status) == ("pending", "pending")
    assert code.next_query_at is not None


def test_two_paid_attempts_pay_once_and_the_other_is_booked_to_suspense(account):
    order = place()
    code, page = pay_by(order, Mode.QR), pay_by(order, Mode.PAGE)
    settlement.settle(charge_id=page.pk, state=paid(page, trade_no="m2"), at=timezone.now())

    settlement.settle(charge_id=code.pk, state=paid(code, trade_no="m1"), at=timezone.now())

    order.refresh_from_db()
    code.refresh_from_db()
    assert (order.status, order.money_flag, code.status) == ("pay_finished", "overpaid", "surplus")
    assert balance_fen(code="suspense") == 201_272
    assert balance_fen(code="escrow") == 0


def test_paying_a_paid_order_is_refused_and_starts_nothing(account):
    order = place()
    charge = pay_by(order)
    settlement.settle(charge_id=charge.pk, state=paid(charge), at=timezone.now())

    with pytest.raises(OrderNotPayable):
        pay_by(order)

    assert order.charges.count() == 2


def test_an_attempt_paid_just_before_another_way_is_chosen_pays_the_order(account):
    order = place()
    page = pay_by(order, Mode.PAGE)
    memory.book("memory-app").pay(page.number)

    with pytest.raises(OrderNotPayable):
        pay_by(order, Mode.WAP)

    order.refresh_from_db()
    assert order.status == "pay_finished"


def test_an_order_without_time_left_is_refused(account):
    order = place(order_ttl_seconds=119)

    with pytest.raises(OrderExpired):
        pay_by(order)

    assert order.charges.count() == 1


def test_a_gateway_that_is_not_set_up_is_refused():
    order = place()

    with pytest.raises(NoGatewayAccount):
        pay_by(order)


def test_the_clients_own_account_comes_before_the_one_for_everybody(account):
    order = place()
    own = make_memory_account(client=order.client, app_id="own")

    assert pay_by(order).gateway_account == own


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_RESPONSE])
def test_a_lost_answer_is_unknown_and_asking_again_repeats_the_same_number(account, fault):
    order = place()
    memory.book("memory-app").script(fault)

    lost = pay_by(order)
    again = pay_by(order)

    assert (lost.status, again.status) == ("unknown", "pending")
    assert lost.pk == again.pk
    assert list(memory.book("memory-app").payments) == [lost.number]


def test_a_refused_attempt_is_failed_and_the_next_has_a_number_of_its_own(account):
    order = place()
    memory.book("memory-app").script(Fault.REFUSED)

    with pytest.raises(RefusedByGateway):
        pay_by(order)
    second = pay_by(order)

    assert list(order.charges.values_list("attempt", "status"))[1:] == [(2, "failed"), (3, "pending")]
    assert second.number == f"{order.number}_3"


def test_an_attempt_that_was_closed_and_is_paid_all_the_same_pays_the_order(account):
    order = place()
    charge = pay_by(order)
    settlement.settle(charge_id=charge.pk, state=paid(charge, outcome=Outcome.FAILED), at=timezone.now())
    charge.refresh_from_db()
    assert charge.status == "closed"

    settlement.settle(charge_id=charge.pk, state=paid(charge), at=timezone.now())

    order.refresh_from_db()
    assert order.status == "pay_finished"


def test_another_amount_is_booked_to_suspense_and_the_order_waits_on(account):
    order = place()
    charge = pay_by(order)

    settlement.settle(charge_id=charge.pk, state=paid(charge, amount_fen=1), at=timezone.now())

    order.refresh_from_db()
    assert (order.status, order.money_flag) == ("point_paid", "needs_attention")
    assert balance_fen(code="suspense") == 1


def test_money_for_a_closed_order_is_late_and_goes_to_suspense(account):
    order = place(points_fen=0)
    charge = pay_by(order)
    with transaction():
        orders.apply(order=orders.lock(order_id=order.pk), event="closed", actor="test", at=timezone.now())

    settlement.settle(charge_id=charge.pk, state=paid(charge), at=timezone.now())

    order.refresh_from_db()
    assert (order.status, order.money_flag) == ("closed", "paid_late")
    assert balance_fen(code="suspense") == 214_400


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.PENDING, Outcome.NOT_FOUND])
def test_no_definite_answer_moves_nothing_and_is_asked_about_again(account, outcome):
    order = place()
    charge = pay_by(order)
    before = money(order)

    settlement.settle(charge_id=charge.pk, state=paid(charge, outcome=outcome), at=timezone.now())

    charge.refresh_from_db()
    assert (charge.status, charge.queries) == ("pending", 1)
    assert charge.next_query_at > timezone.now()
    assert money(order) == before


def test_a_number_the_gateway_does_not_know_is_closed_only_after_its_expiry(account):
    order = place()
    charge = pay_by(order)
    late = charge.expires_at + datetime.timedelta(seconds=61)

    settlement.settle(charge_id=charge.pk, state=paid(charge, outcome=Outcome.NOT_FOUND), at=late)

    charge.refresh_from_db()
    assert (charge.status, charge.next_query_at) == ("closed", None)


def test_the_sweep_alone_completes_an_order_whose_notification_was_lost(account):
    order = place()
    charge = pay_by(order)
    memory.book("memory-app").pay(charge.number)
    Charge.objects.filter(pk=charge.pk).update(next_query_at=timezone.now())

    assert charges.sweep_due() == 1

    order.refresh_from_db()
    assert order.status == "pay_finished"
    assert charges.sweep_due() == 0


def test_the_first_query_is_due_within_a_minute(account):
    charge = pay_by(place())

    assert charge.next_query_at - charge.created_at <= datetime.timedelta(minutes=1)


def test_one_charge_in_trouble_does_not_keep_the_others_waiting(account, monkeypatch):
    order = place()
    code, page = pay_by(order, Mode.QR), pay_by(order, Mode.PAGE)
    memory.book("memory-app").pay(page.number)
    Charge.objects.update(next_query_at=timezone.now())
    memory.book("memory-app").script(_fail, verb="query_payment")

    charges.sweep_due()

    order.refresh_from_db()
    code.refresh_from_db()
    assert order.status == "pay_finished"
    assert code.next_query_at is not None


def _fail():
    raise RuntimeError("trouble")


def test_gateway_calls_refuse_to_run_inside_a_transaction(account):
    order = place()

    with transaction(), pytest.raises(RuntimeError, match="must not run inside"):
        pay_by(order)


def test_a_refused_repeat_of_a_lost_attempt_is_not_believed_to_be_final(account):
    order = place()
    memory.book("memory-app").script(Fault.LOST_RESPONSE)
    lost = pay_by(order)
    memory.book("memory-app").pay(lost.number)

    still_unknown = pay_by(order)

    assert (still_unknown.status, still_unknown.last_answer) == ("unknown", "PAID")
    charges.reconcile(charge_id=lost.pk, at=timezone.now())
    order.refresh_from_db()
    assert order.status == "pay_finished"


def test_once_an_order_is_paid_the_sweep_closes_its_other_attempts(account):
    order = place()
    code, page = pay_by(order, Mode.QR), pay_by(order, Mode.PAGE)
    memory.book("memory-app").scan(code.number)
    settlement.settle(charge_id=page.pk, state=paid(page), at=timezone.now())

    charges.sweep_due()

    code.refresh_from_db()
    assert code.status == "closed"
    assert memory.book("memory-app").payments[code.number].status == "CLOSED"


def test_a_payment_without_an_amount_is_asked_about_again(account):
    charge = pay_by(place())

    settlement.settle(charge_id=charge.pk, state=paid(charge, amount_fen=None), at=timezone.now())

    charge.refresh_from_db()
    assert (charge.status, charge.queries) == ("pending", 1)


@pytest.mark.parametrize(
    "change", [{"amount_fen": 1}, {"number": "other_1"}, {"attempt": 9}, {"tender": "alipay"}, {"paid_fen": 1}]
)
def test_the_database_keeps_what_a_charge_is(account, change):
    charge = pay_by(place())
    settlement.settle(charge_id=charge.pk, state=paid(charge), at=timezone.now())

    with pytest.raises(IntegrityError, match="keeps its number"):
        Charge.objects.filter(pk=charge.pk).update(**change)
