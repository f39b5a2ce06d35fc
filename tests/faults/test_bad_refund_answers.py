"""
Everything that can come back and is no proven answer, to a refund and to the question what became of it: nothing is
booked, nothing is given up, and what was asked for goes back once.
"""

import pytest

from payments.models import Refund
from tests.faults.crossing import Crossing
from tests.faults.gateways import ALIPAY, SIDES, status_of
from tests.faults.refunding import booked_back, give_back, gone_back, paid, reserved, statuses, sweep, swept_to
from tests.faults.test_bad_gateways import WRONG
from tests.payments.api.accounts import NOWHERE

pytestmark = pytest.mark.django_db(transaction=True)
PART_FEN = 100


@pytest.fixture(params=SIDES.values(), ids=list(SIDES))
def side(request):
    return request.param


@pytest.fixture
def crossing(simulator):
    crossing = Crossing(simulator.url)
    yield crossing
    crossing.stop()


@pytest.fixture
def bought(simulator, side, crossing):
    """A paid order and its attempt."""
    order, charge = paid(simulator, side, notify_base=NOWHERE)
    crossing.lead(charge.gateway_account)
    return order, charge


def test_a_refund_is_unknown_whatever_comes_back_and_is_made_once(bought, crossing, simulator):
    order, charge = bought
    for n, (what, step) in enumerate(WRONG.items()):
        crossing.then(step)
        made = give_back(order, goods_fen=PART_FEN, refund_no=f"R{n}")
        assert statuses(made) == ("pending", "unknown"), what
    assert booked_back() == []
    assert reserved(order) == ((PART_FEN * len(WRONG), 0), (0, 0))

    for made in Refund.objects.order_by("sequence"):
        swept_to(made, "succeeded")

    assert sorted(gone_back(simulator, charge)) == sorted((made.number, PART_FEN) for made in Refund.objects.all())
    assert [fen for _account, _number, fen in booked_back()] == [PART_FEN] * len(WRONG)
    assert status_of(order) == ("partly_refund", "")


def test_a_query_of_a_refund_that_was_made_is_believed_only_when_its_answer_is_whole_and_proven(
    bought, side, crossing, simulator
):
    order, charge = bought
    simulator.arm("fund_change_n" if side is ALIPAY else "refund_not_done", match=charge.number)
    made = give_back(order, goods_fen=PART_FEN)
    waits = statuses(made)

    for what, step in WRONG.items():
        crossing.then(step)
        assert sweep() == 1
        assert not crossing.steps, what
        assert statuses(made) == waits == ("pending", "unknown" if side is ALIPAY else "pending"), what
        assert booked_back() == [], what

    assert reserved(order) == ((PART_FEN, 0), (0, 0))
