"""Orders that end unpaid, and money that comes all the same: at the three simulated gateways, over real HTTP."""

import datetime

import pytest
from django.utils import timezone

from payments.charges import operations as charges
from payments.closing import operations as closing
from payments.closing.operations import OrderNotClosable
from payments.gateways.base import Mode
from payments.ledger.queries import balance_fen
from payments.models import Charge, OutboxEvent
from payments.refunds import operations as refunds
from tests.faults.gateways import (
    ALIPAY,
    CASH_FEN,
    POINTS_FEN,
    SIDES,
    booked,
    certified,
    is_finished,
    let_its_time_run_out,
    place,
    start,
    status_of,
    sweep_everything,
    verdicts,
)
from tests.faults.refunding import booked_back, give_late_money_back, gone_back, statuses, sweep, swept_to
from tests.faults.test_wechat_end_to_end import arm
from tests.web_process import eventually
from tests.world import points_fen

pytestmark = pytest.mark.django_db(transaction=True)
WECHAT_ONLY = [name for name in SIDES if name != "alipay"]
wechat = pytest.mark.parametrize("side", [SIDES[name] for name in WECHAT_ONLY], indirect=True, ids=WECHAT_ONLY)


@pytest.fixture(params=SIDES.values(), ids=list(SIDES))
def side(request):
    return request.param


@pytest.fixture
def order(site, simulator, side):
    """An order whose attempts no gateway closes at once: too young for WeChat, unscanned at Alipay."""
    certified(simulator, side.connect(simulator, notify_base=site.url))
    return place()


def close(order):
    return closing.close(order_id=order.pk, actor="client:shop", at=timezone.now(), reason="changed their mind")


def status_after(charge):
    charge.refresh_from_db()
    return charge.status


def told(order):
    return list(OutboxEvent.objects.filter(order=order).order_by("version").values_list("kind", flat=True))


# --- late


@pytest.fixture
def late(order, side, simulator):
    """A closed order, and the attempt at it that was paid afterwards."""
    charge = start(order, side)
    close(order)
    simulator.pay(charge.number)
    eventually(lambda: status_of(order) == ("closed", "paid_late"))
    return order, charge


def test_what_a_closed_orders_code_still_takes_goes_back_by_itself(late, simulator):
    order, charge = late
    assert booked() == [("suspense", CASH_FEN)]
    assert points_fen(order.customer) == POINTS_FEN

    (made,) = give_late_money_back()
    swept_to(made, "succeeded")

    charge.refresh_from_db()
    assert (charge.status, charge.refunded_fen) == ("released", CASH_FEN)
    assert status_of(order) == ("closed", "")
    assert gone_back(simulator, charge) == [(made.number, CASH_FEN)]
    assert booked_back() == [("suspense", made.number, CASH_FEN)]
    assert balance_fen(code="suspense") == 0
    assert told(order) == ["order.closed", "order.paid_late", "surplus.refunded"]
    assert give_late_money_back() == []


@pytest.mark.parametrize("fault", ["timeout_after", "http_500", "unsigned_success", "system_error_but_done"])
def test_late_money_whose_way_back_is_not_answered_goes_back_once(late, simulator, fault):
    order, charge = late
    arm(simulator, fault, charge.number)

    (made,) = give_late_money_back()

    assert statuses(made) == ("pending", "unknown")
    assert status_of(order) == ("closed", "paid_late")
    assert give_late_money_back() == [], "it is on its way"
    swept_to(made, "succeeded")
    assert gone_back(simulator, charge) == [(made.number, CASH_FEN)]
    assert status_of(order) == ("closed", "")


@wechat
def test_late_money_that_wechat_gives_up_returning_waits_for_staff(late, simulator):
    order, charge = late
    simulator.arm("refund_closed", match=charge.number)
    (made,) = give_late_money_back()
    swept_to(made, "failed")

    assert give_late_money_back() == []

    charge.refresh_from_db()
    assert (charge.status, charge.refunding_fen) == ("surplus", 0)
    assert status_of(order) == ("closed", "needs_attention")
    again = refunds.refund_surplus(charge_id=charge.pk, actor="staff:1", reason="again", at=timezone.now())
    swept_to(again, "succeeded")
    assert gone_back(simulator, charge) == [(again.number, CASH_FEN)]


def test_both_attempts_at_a_closed_order_are_paid_and_both_go_back(order, side, simulator):
    first, second = start(order, side), start(order, side, Mode.WAP if side is not ALIPAY else Mode.APP)
    close(order)
    simulator.pay(first.number)
    pay(simulator, second)
    eventually(lambda: len(booked()) == 2)

    for made in give_late_money_back():
        swept_to(made, "succeeded")

    assert [fen for _number, fen in gone_back(simulator, first, second)] == [CASH_FEN] * 2
    assert status_of(order) == ("closed", "")
    assert balance_fen(code="suspense") == 0


def pay(simulator, charge):
    if charge.mode == Mode.APP:
        simulator.use_app(charge.payload["order_string"])
    else:
        simulator.pay(charge.number)


# --- twice


def test_what_is_paid_a_second_time_goes_back_by_itself_and_the_order_stays_paid(order, side, simulator):
    first, second = start(order, side), start(order, side, Mode.WAP if side is not ALIPAY else Mode.APP)
    simulator.pay(first.number)
    eventually(lambda: is_finished(order))
    pay(simulator, second)
    eventually(lambda: status_of(order) == ("pay_finished", "overpaid"))

    (made,) = give_late_money_back()
    swept_to(made, "succeeded")

    assert status_of(order) == ("pay_finished", "")
    assert gone_back(simulator, first) == []
    assert gone_back(simulator, second) == [(made.number, CASH_FEN)]
    statuses_of = dict(Charge.objects.filter(pk__in=[first.pk, second.pk]).values_list("pk", "status"))
    assert statuses_of == {first.pk: "succeeded", second.pk: "released"}
    assert told(order) == ["order.paid", "order.overpaid", "surplus.refunded"]


def test_another_amount_than_was_asked_for_goes_back_whole_and_the_order_waits_on(order, side, simulator):
    charge = start(order, side)
    simulator.pay(charge.number, amount_fen=CASH_FEN - 1)
    eventually(lambda: verdicts()["wrong_amount"])
    eventually(lambda: sweep_everything() and status_after(charge) == "surplus")

    (made,) = give_late_money_back()
    swept_to(made, "succeeded")

    assert gone_back(simulator, charge) == [(made.number, CASH_FEN - 1)]
    assert status_of(order) == ("point_paid", "needs_attention")
    again = start(order, side)
    simulator.pay(again.number)
    eventually(lambda: is_finished(order))


# --- ending


@wechat
def test_within_wechats_five_minutes_a_stale_order_stays_open_with_its_attempt(order, side, simulator):
    charge = start(order, side)
    let_its_time_run_out(order)

    sweep_everything()
    assert closing.close_due(at=timezone.now()) == 0

    charge.refresh_from_db()
    assert (charge.status, simulator.trade(charge.number)["status"]) == ("pending", "waiting")
    simulator.age(charge.number)
    sweep_everything()
    assert closing.close_due(at=timezone.now()) == 1
    assert (status_of(order), simulator.trade(charge.number)["status"]) == (("closed", ""), "closed")
    assert points_fen(order.customer) == POINTS_FEN
    assert told(order) == ["order.closed"]


@pytest.mark.parametrize("side", [ALIPAY], indirect=True, ids=["alipay"])
def test_a_code_that_nobody_scanned_keeps_its_order_open_until_it_can_no_longer_be_scanned(order, side):
    charge = start(order, side)
    let_its_time_run_out(order)
    sweep_everything()
    assert closing.close_due(at=timezone.now()) == 0
    charge.refresh_from_db()
    assert (charge.status, charge.last_answer) == ("pending", "ACQ.TRADE_NOT_EXIST")

    after = charge.expires_at + datetime.timedelta(seconds=61)
    charges.ask(charge_id=charge.pk, at=after)

    assert closing.close_due(at=after) == 1
    assert status_of(order) == ("closed", "")
    assert points_fen(order.customer) == POINTS_FEN


@pytest.mark.parametrize("way", ["its time", "its client"])
def test_what_is_paid_while_an_order_is_being_closed_pays_it(order, side, simulator, way):
    charge = start(order, side)
    simulator.scan(charge.number)
    simulator.arm("lost", times=2)
    simulator.arm("order_paid", match=charge.number)

    if way == "its time":
        let_its_time_run_out(order)
        sweep_everything()
        assert closing.close_due(at=timezone.now()) == 0
    else:
        with pytest.raises(OrderNotClosable):
            close(order)

    assert status_of(order) == ("pay_finished", "")
    assert booked() == [("escrow", CASH_FEN)]
    assert give_late_money_back() == []
    assert sweep() == 0
