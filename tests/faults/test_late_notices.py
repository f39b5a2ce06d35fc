"""Notices that come when nobody waits for them any more, or while we are busy, or as we die."""

import datetime

import httpx
import pytest
from django.utils import timezone

from payments.closing import operations as closing
from payments.inbox import operations as inbox
from payments.ledger.queries import balance_fen
from payments.models import InboundNotification
from tests.attacks.test_troubles import rogue
from tests.faults.gateways import (
    ALIPAY,
    CASH_FEN,
    SIDES,
    booked,
    catch,
    is_finished,
    let_its_time_run_out,
    place,
    post,
    start,
    status_of,
    sweep_everything,
    verdicts,
)
from tests.web_process import eventually

pytestmark = pytest.mark.django_db(transaction=True)
every_side = pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))


@pytest.fixture
def told(simulator, receiver):
    """An order that is paid at the gateway, and its notice, which has not reached us."""

    def told(side, *, is_closed=False):
        side.connect(simulator, notify_base=receiver.url.removesuffix("/notify"))
        order = place()
        charge = start(order, side)
        if is_closed:  # the gateway closes nothing yet: it is too young for WeChat, and unscanned at Alipay
            closing.close(order_id=order.pk, actor="test", at=timezone.now())
        simulator.pay(charge.number)
        return order, charge, catch(simulator, receiver, side, charge)

    return told


# --- late


@every_side
def test_after_the_orders_time_but_before_it_is_closed_the_money_pays(site, told, side):
    order, _charge, notice = told(side)
    let_its_time_run_out(order)

    assert post(site, side, notice) == side.yes

    assert is_finished(order)
    assert booked() == [("escrow", CASH_FEN)]


@every_side
@pytest.mark.parametrize("way", ["notice", "query"])
def test_after_it_is_closed_the_money_is_late_and_kept_to_go_back(site, told, side, way):
    order, charge, notice = told(side, is_closed=True)

    if way == "query":
        sweep_everything()
    answers = [post(site, side, notice) for _again in range(3)]

    assert answers == [side.yes] * 3
    assert status_of(order) == ("closed", "paid_late")
    assert booked() == [("suspense", CASH_FEN)]
    assert balance_fen(code="suspense") == CASH_FEN
    charge.refresh_from_db()
    assert (charge.status, charge.next_query_at) == ("surplus", None)
    assert verdicts() == {"accepted": 1, "repeat": 2}


# --- while we are busy


@every_side
def test_a_notice_of_a_locked_order_is_kept_not_acknowledged_and_booked_the_next_time(site, told, side):
    order, _charge, notice = told(side)

    with rogue("SELECT * FROM payments_order WHERE id = %s FOR UPDATE", order.pk):
        assert post(site, side, notice) == (503, b"failure")
        assert (verdicts(), booked()) == ({"accepted": 1}, [])

    assert post(site, side, notice) == side.yes
    assert is_finished(order)
    assert booked() == [("escrow", CASH_FEN)]
    assert InboundNotification.objects.get(verdict="accepted").processed_at is not None


# --- as we die


@every_side
def test_a_process_that_dies_between_effect_and_acknowledgement_books_once(web, told, side):
    order, _charge, notice = told(side)

    with pytest.raises(httpx.TransportError):
        post(web, side, notice, **{"x-die-before-reply": "1"})
    assert is_finished(order), "the process was to die after COMMIT"

    assert eventually(lambda: _answer(web, side, notice)) == side.yes
    assert verdicts()["accepted"] == 1
    assert booked() == [("escrow", CASH_FEN)]
    assert order.transitions.count() == 2


def _answer(web, side, notice):
    try:
        return post(web, side, notice)
    except httpx.TransportError:
        return None


@every_side
def test_a_process_that_dies_between_keeping_and_effect_leaves_what_the_sweep_finds(site, told, side):
    """The kept row is all that is left of it: as if the process had been killed behind the first COMMIT."""
    order, _charge, notice = told(side)
    with rogue("SELECT * FROM payments_order WHERE id = %s FOR UPDATE", order.pk):
        assert post(site, side, notice)[0] == 503
    long_ago = timezone.now() - datetime.timedelta(minutes=1)
    InboundNotification.objects.update(received_at=long_ago, due_at=long_ago)

    inbox.process_due()

    assert is_finished(order)
    assert post(site, side, notice) == side.yes
    assert verdicts() == {"accepted": 1, "repeat": 1}
    assert booked() == [("escrow", CASH_FEN)]


def test_alipays_yes_is_seven_bytes_and_no_more(site, told):
    _order, _charge, notice = told(ALIPAY)

    response = site.http.post(ALIPAY.path, content=notice.body, headers=notice.headers)

    assert (response.status_code, response.content, response.history) == (200, b"success", [])
    assert response.headers["content-type"].startswith("text/plain")
