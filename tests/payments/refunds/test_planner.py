"""What goes back where, whatever was paid and whatever went back before."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.clients.models import RefundPolicy
from payments.refunds.planner import RefundExceeds, Tendered, plan

FEN = st.integers(0, 10**12)
POLICIES = st.sampled_from(RefundPolicy)


@st.composite
def paid(draw, most_tenders=4):
    """Tenders, and how much of goods and of shipping they have left together."""
    tendered = [
        Tendered(charge_id=n, is_cash=draw(st.booleans()), left_fen=draw(FEN))
        for n in range(draw(st.integers(1, most_tenders)))
    ]
    left_fen = sum(tender.left_fen for tender in tendered)
    shipping_left_fen = draw(st.integers(0, left_fen))
    return tendered, left_fen - shipping_left_fen, shipping_left_fen


@st.composite
def asked(draw):
    """The same, with what is asked back of them: something, and no more than is left."""
    tendered, goods_left_fen, shipping_left_fen = draw(paid())
    goods_fen, shipping_fen = draw(st.integers(0, goods_left_fen)), draw(st.integers(0, shipping_left_fen))
    return {
        "tendered": tendered, "goods_fen": goods_fen, "shipping_fen": shipping_fen,
        "goods_left_fen": goods_left_fen, "shipping_left_fen": shipping_left_fen,
    }  # fmt: skip


def shares(planned, tendered):
    """What each tender gives back."""
    given_back = {part.charge_id: part.goods_fen + part.shipping_fen for part in planned}
    return [given_back.get(tender.charge_id, 0) for tender in tendered]


@given(asked(), POLICIES)
def test_the_parts_are_what_was_asked_and_none_is_above_what_its_tender_has_left(case, policy):
    planned = plan(**case, policy=policy)

    assert sum(part.goods_fen for part in planned) == case["goods_fen"]
    assert sum(part.shipping_fen for part in planned) == case["shipping_fen"] <= case["shipping_left_fen"]
    assert all(part.goods_fen >= 0 and part.shipping_fen >= 0 for part in planned)
    assert all(part.goods_fen or part.shipping_fen for part in planned)
    assert len({part.charge_id for part in planned}) == len(planned)
    for share_fen, tender in zip(shares(planned, case["tendered"]), case["tendered"], strict=True):
        assert share_fen <= tender.left_fen


@given(asked(), st.booleans())
def test_what_goes_first_is_spent_before_the_other_gives_anything(case, cash_first):
    planned = plan(**case, policy=RefundPolicy.CASH_FIRST if cash_first else RefundPolicy.POINTS_FIRST)

    tendered = case["tendered"]
    first = [tender.is_cash == cash_first for tender in tendered]
    of_first_fen = sum(share for share, is_first in zip(shares(planned, tendered), first, strict=True) if is_first)
    most_fen = sum(tender.left_fen for tender, is_first in zip(tendered, first, strict=True) if is_first)
    assert of_first_fen == min(most_fen, case["goods_fen"] + case["shipping_fen"])


@given(asked())
def test_in_proportion_each_share_is_within_a_fen_of_the_exact_one(case):
    planned = plan(**case, policy=RefundPolicy.PRO_RATA)

    left_fen = sum(tender.left_fen for tender in case["tendered"])
    for share_fen, tender in zip(shares(planned, case["tendered"]), case["tendered"], strict=True):
        exact = Fraction((case["goods_fen"] + case["shipping_fen"]) * tender.left_fen, left_fen or 1)
        assert abs(share_fen - exact) < 1


@given(asked(), POLICIES)
def test_piece_by_piece_everything_can_go_back_and_no_fen_more(case, policy):
    """What one refund left is always enough for one of the rest."""
    first = shares(plan(**case, policy=policy), case["tendered"])
    rest = [
        Tendered(charge_id=tender.charge_id, is_cash=tender.is_cash, left_fen=tender.left_fen - share_fen)
        for tender, share_fen in zip(case["tendered"], first, strict=True)
    ]
    goods_fen = case["goods_left_fen"] - case["goods_fen"]
    shipping_fen = case["shipping_left_fen"] - case["shipping_fen"]

    planned = plan(
        tendered=rest, goods_fen=goods_fen, shipping_fen=shipping_fen, goods_left_fen=goods_fen,
        shipping_left_fen=shipping_fen, policy=policy,
    )  # fmt: skip

    assert shares(planned, rest) == [tender.left_fen for tender in rest]


@given(asked(), POLICIES, st.integers(1, 10**12))
def test_more_than_the_goods_is_refused_by_the_name_of_the_goods(case, policy, beyond_fen):
    case |= {"goods_fen": case["goods_left_fen"] + beyond_fen}

    with pytest.raises(RefundExceeds) as refused:
        plan(**case, policy=policy)

    assert refused.value.field == "goods_amount"


@given(asked(), POLICIES, st.integers(1, 10**12))
def test_more_than_the_shipping_is_refused_by_its_name_however_much_of_the_goods_is_left(case, policy, beyond_fen):
    case |= {"shipping_fen": case["shipping_left_fen"] + beyond_fen}

    with pytest.raises(RefundExceeds) as refused:
        plan(**case, policy=policy)

    assert refused.value.field == "shipping_amount"


@given(asked(), POLICIES, st.integers(1, 10**12))
def test_more_than_the_tenders_have_left_is_refused_and_what_they_can_give_is_named(case, policy, missing_fen):
    """A gateway gave back more than we asked: the order's books have more left than its payments."""
    case |= {"goods_left_fen": case["goods_left_fen"] + missing_fen}
    case |= {"goods_fen": case["goods_left_fen"], "shipping_fen": case["shipping_left_fen"]}

    with pytest.raises(RefundExceeds) as refused:
        plan(**case, policy=policy)

    left_fen = sum(tender.left_fen for tender in case["tendered"]) - case["shipping_fen"]
    assert refused.value.field == "goods_amount"
    assert refused.value.context == {"left": f"{left_fen // 100}.{left_fen % 100:02d}"}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("cash_first", [(0, 3_500, 500)]),
        ("points_first", [(0, 1_000, 0), (1, 2_500, 500)]),
        ("pro_rata", [(0, 2_800, 0), (1, 700, 500)]),
    ],
)
def test_forty_yuan_back_five_of_them_shipping_by_each_policy(policy, expected):
    tendered = [
        Tendered(charge_id=0, is_cash=True, left_fen=7_000), Tendered(charge_id=1, is_cash=False, left_fen=3_000)
    ]  # fmt: skip

    planned = plan(
        tendered=tendered, goods_fen=3_500, shipping_fen=500, goods_left_fen=9_000, shipping_left_fen=1_000,
        policy=RefundPolicy(policy),
    )  # fmt: skip

    assert [(part.charge_id, part.goods_fen, part.shipping_fen) for part in planned] == expected
