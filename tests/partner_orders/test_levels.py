"""Level and score: granted once for what was paid, taken back with what went back, as far as it is there."""

import dataclasses
import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partner_orders import fulfilment, levels
from partner_orders.models import CustomerLevel
from payments.closing import operations as closing
from payments.customers import grants
from payments.customers.grants import Direction, GrantCommand
from payments.ledger.accounts import Kind
from payments.models import AuditRow, Transfer
from payments.orders import operations as orders
from payments.transactions import transaction
from tests.partner_orders.dealings import (
    broken,
    end_attempts,
    level_of,
    money_comes,
    now_of,
    order_by_alipay,
    refund,
)
from tests.partner_orders.world import (
    NOW,
    PRICE_FEN,
    balance_fen,
    buy,
    in_stock,
    make_address,
    make_alipay,
    make_coupon,
    make_level,
    make_pack,
    make_partner,
    make_partner_client,
)
from tests.sabotage import rolled_back
from tests.world import points_fen

pytestmark = pytest.mark.django_db
LATER = NOW + orders.FULFIL_AGAIN_AFTER


@pytest.fixture
def pack(client_):
    return make_pack(client=client_, level=make_level(client=client_), score=120)


def fulfil(document):
    with transaction():
        fulfilment.fulfil(order=orders.lock(order_id=document.order_id))


def spend_points(customer, fen):
    """Elsewhere: what an order has brought is not there any more."""
    command = GrantCommand(grant_no=f"s{fen}", kind=Kind.POINTS, direction=Direction.OUT, amount_fen=fen)
    grants.grant(client_id=customer.client_id, user_id=customer.user_id, command=command, actor="test")


def scores(document):
    rows = Transfer.objects.filter(order=document.order_id, kind__in=["score", "score_back"]).order_by("pk")
    return list(rows.values_list("kind", "amount_fen"))


def give_level(customer, level):
    """As staff do."""
    CustomerLevel.objects.get_or_create(customer=customer)
    CustomerLevel.objects.filter(customer=customer).update(given=level)
    with transaction():
        levels.recount(customer_id=customer.pk)


def closed_order(pack, address):
    """An order at Alipay whose time has run out, and of which nobody has heard yet that it was paid."""
    make_alipay()
    document = order_by_alipay(pack=pack, address=address, at=NOW)
    end_attempts(document)
    assert closing.close_due(at=NOW + datetime.timedelta(days=1)) == 1
    return document


# --- granted


def test_fulfilling_again_grants_nothing_again(pack, address, customer):
    document = buy(pack=pack, address=address, at=NOW)

    fulfil(document)
    fulfil(document)

    assert (level_of(customer), points_fen(customer)) == ("V5", 120)
    assert scores(document) == [("score", 120)]
    assert now_of(document).fulfilled_at == NOW


def test_a_closed_order_is_not_fulfilled(pack, address, customer):
    document = closed_order(pack, address)

    fulfil(document)

    assert (level_of(customer), points_fen(customer), now_of(document).fulfilled_at) == ("", 0, None)


def test_what_comes_after_the_closing_grants_nothing(pack, address, customer):
    document = closed_order(pack, address)

    money_comes(document)

    document = now_of(document)
    assert (document.order.money_flag, document.holds, document.fulfilled_at) == ("paid_late", False, None)
    assert (level_of(customer), points_fen(customer), in_stock(pack)) == ("", 0, 10)


def test_a_pack_without_level_or_score_grants_none(client_, address, customer):
    document = buy(pack=make_pack(client=client_), address=address, at=NOW)

    assert (level_of(customer), points_fen(customer), scores(document)) == ("", 0, [])
    assert now_of(document).fulfilled_at == NOW


# --- what fails at first


@pytest.fixture
def failing_once(monkeypatch):
    """The level cannot be set the first time."""
    left, recount = [1], levels.recount

    def maybe(**of):
        if left:
            left.pop()
            raise RuntimeError("on purpose")
        recount(**of)

    monkeypatch.setattr(levels, "recount", maybe)


def paid_and_not_fulfilled(pack, address, **fields):
    document = buy(pack=pack, address=address, at=NOW, **fields)
    assert (document.order.status, document.order.money_flag) == ("pay_finished", "needs_attention")
    assert document.order.fulfil_due_at == LATER
    assert (document.fulfilled_at, scores(document), level_of(address.customer)) == (None, [], "")
    return document


def test_what_fails_once_is_flagged_due_again_and_then_done_once(pack, address, customer, failing_once):
    document = paid_and_not_fulfilled(pack, address)
    assert (balance_fen(customer), in_stock(pack)) == (70_000, 9)

    assert orders.fulfil_due(at=NOW) == 0
    assert orders.fulfil_due(at=LATER) == 1
    assert orders.fulfil_due(at=LATER) == 0

    document = now_of(document)
    assert (document.fulfilled_at, document.order.fulfil_due_at) == (NOW, None)
    assert document.order.money_flag == "needs_attention"  # until somebody has seen it
    assert (scores(document), level_of(customer), points_fen(customer)) == ([("score", 120)], "V5", 120)


def test_what_went_back_in_part_meanwhile_is_not_granted(pack, address, customer, failing_once):
    document = paid_and_not_fulfilled(pack, address)
    refund(document, 10_000)
    assert scores(document) == []

    orders.fulfil_due(at=LATER)

    assert scores(document) == [("score", 120), ("score_back", 40)]
    assert (level_of(customer), points_fen(customer)) == ("V5", 80)
    refund(document, 20_000)
    assert scores(document) == [("score", 120), ("score_back", 40), ("score_back", 80)]
    assert (level_of(customer), points_fen(customer)) == ("", 0)


def test_what_went_back_in_full_meanwhile_is_never_granted(pack, address, customer, failing_once):
    coupon = make_coupon(customer=customer)
    document = paid_and_not_fulfilled(pack, address, coupon=coupon)
    refund(document, 25_000)

    assert orders.fulfil_due(at=LATER) == 0

    document = now_of(document)
    assert (document.order.status, document.fulfilled_at, document.holds) == ("total_refund", None, False)
    assert (scores(document), level_of(customer), points_fen(customer), in_stock(pack)) == ([], "", 0, 10)


def test_an_order_at_alipay_whose_pack_fails_once_is_paid_and_done_later(pack, address, customer, failing_once):
    make_alipay()
    document = order_by_alipay(pack=pack, address=address, at=NOW)

    money_comes(document, at=NOW)
    assert now_of(document).order.fulfil_due_at == LATER
    orders.fulfil_due(at=LATER)

    assert (scores(document), level_of(customer)) == ([("score", 120)], "V5")


# --- taken back


def test_of_a_score_the_share_that_went_back_is_taken_rounded_down(pack, address, customer):
    document = buy(pack=pack, address=address, at=NOW)

    refund(document, 249)  # 120 × 249 ÷ 30000 is 0.996
    assert scores(document) == [("score", 120)]
    refund(document, 1)
    assert scores(document) == [("score", 120), ("score_back", 1)]
    refund(document, PRICE_FEN - 251)
    assert points_fen(customer) == 1
    refund(document, 1)

    assert points_fen(customer) == 0
    assert sum(fen for kind, fen in scores(document) if kind == "score_back") == 120


def test_of_points_that_were_spent_what_is_left_is_taken_and_the_rest_is_kept_in_mind(pack, address, customer):
    document = buy(pack=pack, address=address, at=NOW)
    spend_points(customer, 100)

    refund(document, 15_000)

    assert points_fen(customer) == 0
    assert scores(document) == [("score", 120), ("score_back", 20)]
    (row,) = AuditRow.objects.filter(action="customer.score_back")
    assert (row.detail["asked_fen"], row.detail["taken_fen"]) == (60, 20)
    assert row.detail["reference"] == f"{document.order.number}_R1s"


def test_what_was_out_of_reach_is_taken_with_the_next_refund(pack, address, customer):
    first = buy(pack=pack, address=address, at=NOW, key="1")
    spend_points(customer, 120)
    refund(first, 15_000)
    assert scores(first) == [("score", 120)]
    buy(pack=pack, address=address, at=NOW, key="2")
    assert points_fen(customer) == 120

    refund(first, 15_000)

    assert scores(first) == [("score", 120), ("score_back", 120)]
    assert points_fen(customer) == 0


def test_a_level_that_staff_gave_stays_when_the_pack_goes_back(client_, pack, address, customer):
    give_level(customer, make_level(client=client_, code="V2", rank=2))
    document = buy(pack=pack, address=address, at=NOW)
    assert level_of(customer) == "V5"

    refund(document, PRICE_FEN)

    assert level_of(customer) == "V2"


# --- whatever happens


@dataclasses.dataclass
class Bought:
    """What a plain model knows of an order."""

    rank: int
    score: int
    refunded_fen: int = 0
    taken_fen: int = 0


class Model:
    def __init__(self):
        self.orders, self.given, self.points_fen = [], 0, 0

    def refund(self, bought, fen):
        bought.refunded_fen += fen
        due_fen = bought.score * bought.refunded_fen // PRICE_FEN - bought.taken_fen
        taken_fen = min(due_fen, self.points_fen)
        bought.taken_fen += taken_fen
        self.points_fen -= taken_fen

    @property
    def level(self):
        standing = [bought.rank for bought in self.orders if bought.refunded_fen < PRICE_FEN]
        return max([self.given, *standing])


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.integers(0, 3)),
        st.tuples(st.just("part"), st.integers(0, 9), st.integers(1, PRICE_FEN)),
        st.tuples(st.just("rest"), st.integers(0, 9)),
        st.tuples(st.just("give"), st.integers(0, 3)),
        st.tuples(st.just("spend"), st.integers(1, 200)),
        st.tuples(st.just("again"), st.integers(0, 9)),
    ),
    min_size=3,
    max_size=14,
)
SCORES = (0, 7, 120, 33)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_level_and_score_are_what_a_plain_model_says(steps):
    with rolled_back():
        client = make_partner_client()
        ladder = [None, *(make_level(client=client, code=f"V{rank}", rank=rank) for rank in (1, 2, 3))]
        packs = [
            make_pack(client=client, pieces=20, uid=f"{rank}" * 32, level=level, score=SCORES[rank])
            for rank, level in enumerate(ladder)
        ]
        customer = make_partner(client=client, balance_fen=20 * PRICE_FEN)
        address, model, documents = make_address(customer=customer), Model(), []
        for n, (verb, which, *rest) in enumerate(steps):
            if verb == "buy":
                documents.append(buy(pack=packs[which], address=address, at=NOW, key=f"k{n}"))
                model.orders.append(Bought(rank=which, score=SCORES[which]))
                model.points_fen += SCORES[which]
            elif verb == "give":
                give_level(customer, ladder[which])
                model.given = which
            elif verb == "spend" and which <= model.points_fen:
                command = GrantCommand(
                    grant_no=f"s{n}", kind=Kind.POINTS, direction=Direction.OUT, amount_fen=which
                )  # fmt: skip
                grants.grant(client_id=client.pk, user_id=customer.user_id, command=command, actor="test")
                model.points_fen -= which
            elif verb in {"part", "rest", "again"} and which < len(documents):
                document, bought = documents[which], model.orders[which]
                left_fen = PRICE_FEN - bought.refunded_fen
                fen = min(rest[0], left_fen) if rest else left_fen
                if verb == "again":
                    fulfil(document)
                elif fen:
                    refund(document, fen)
                    model.refund(bought, fen)
            assert level_of(customer) == (f"V{model.level}" if model.level else "")
            assert points_fen(customer) == model.points_fen
        assert [now_of(document).order.refunded_fen for document in documents] == [
            bought.refunded_fen for bought in model.orders
        ]
        assert in_stock(packs[0]) == 20 - sum(
            bought.rank == 0 and bought.refunded_fen < PRICE_FEN for bought in model.orders
        )
        assert broken() == {}
