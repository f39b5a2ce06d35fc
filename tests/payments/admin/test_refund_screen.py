"""The refund screen: what it says of the order, the plan while somebody types, and which tender goes back first."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.gateways import memory
from payments.models import Refund
from tests.payments.admin.test_decisions import browser
from tests.payments.admin.test_pages import text
from tests.payments.admin.test_refund_form import (
    MAY,
    MEANWHILE,
    buttons,
    carried,
    filled_in,
    html,
    nothing_moved,
    page,
    send,
    table,
)
from tests.payments.refunds.shop import left, paid_order, refund

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


@pytest.fixture
def order():
    """An order of 100 yuan, 10 of them shipping: 30 paid by points, 70 at the gateway."""
    return paid_order()


@pytest.fixture
def lin():
    return browser("lin", *MAY)


def test_the_screen_says_what_was_paid_by_which_tender_and_what_of_it_went_back_or_waits(lin, order):
    refund(order, goods_fen=7_000)
    order.client.approval_above_fen = 0
    order.client.save(update_fields=["approval_above_fen"])
    refund(order, goods_fen=500, shipping_fen=200, actor="user:wang", reason="too blue")

    answer = lin.get(page(order))

    assert table(answer, "paid-table") == [
        ("points", "¥30.00", "¥0.00", "¥7.00", "¥23.00"),
        ("in memory", "¥70.00", "¥70.00", "¥0.00", "¥0.00"),
        ("goods", "¥90.00", "¥70.00", "¥5.00", "¥15.00"),
        ("shipping", "¥10.00", "¥0.00", "¥2.00", "¥8.00"),
    ]
    said = " ".join(text(answer).split())
    assert f"{order.number}_R2 waits for a second person points 7.00 staff wang" in said
    assert f"{order.number}_R1 succeeded in memory ¥70.00 client shop" in said
    assert "too blue" in said


def test_of_an_order_without_shipping_none_is_asked_for(lin):
    answer = lin.get(page(paid_order(shipping_fen=0)))

    assert [field.name for field in answer.context["form"].visible_fields()] == ["goods", "policy", "reason"]
    assert "shipping" not in text(answer).lower()


def fragment(client, order, **entered):
    """What the script asks for while somebody types."""
    return client.post(page(order), filled_in(client, order, reason="", **entered) | {"step": "preview", "fragment": 1})


def test_while_somebody_types_the_plan_alone_is_answered_without_a_reason(lin, order):
    answer = fragment(lin, order, goods="70", shipping="10")

    assert "<html" not in html(answer)
    assert table(answer, "plan-table") == [
        ("points", "¥10.00", "–", "¥10.00", "¥20.00"),
        ("in memory", "¥60.00", "¥10.00", "¥70.00", "¥0.00"),
    ]
    assert buttons(answer) == ["Refund ¥80.00 to in memory ¥70.00 + points 10.00"]
    assert nothing_moved(order)


@pytest.mark.parametrize("entered", [{"goods": "70"}, {"goods": "9000"}, {"goods": "x"}, {"left": "1:1"}])
def test_a_live_preview_writes_nothing(lin, order, entered):
    fields = filled_in(lin, order, **entered) | {"step": "preview", "fragment": 1}

    with CaptureQueriesContext(connection) as asked:
        answer = lin.post(page(order), fields)

    assert answer.status_code == 200
    statements = [query["sql"] for query in asked if "django_session" not in query["sql"]]
    assert [sql for sql in statements if not sql.startswith(("SELECT", "SAVEPOINT", "RELEASE"))] == []
    assert [sql for sql in statements if "FOR UPDATE" in sql] == []


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        ({"goods": "90.01"}, "Goods (yuan): No more than ¥90.00 can be refunded here."),
        ({"shipping": "x"}, "Shipping (yuan): Enter yuan with at most two decimals"),
        ({"left": "1:1", "goods": "1"}, MEANWHILE),
        ({}, "Goods (yuan): Enter how much is to go back"),
    ],
)
def test_the_live_preview_says_what_cannot_be(lin, order, entered, said):
    answer = fragment(lin, order, **entered)

    assert said in text(answer)
    assert "Refund ¥" not in text(answer)


def test_what_was_changed_after_the_plan_was_seen_is_shown_first(lin, order):
    agreed = re.search(r'name="agreed" value="([^"]*)"', html(fragment(lin, order, goods="70")))[1]

    answer = send(lin, order, filled_in(lin, order, goods="7", agreed=agreed))

    assert buttons(answer)[0] == "Refund ¥7.00 to in memory ¥7.00"
    assert nothing_moved(order)
    send(lin, order, filled_in(lin, order, goods="70", agreed=agreed))
    assert left(order) == (0, 0, 7_000, 0)


@pytest.mark.parametrize(
    ("policy", "plan"), [("cash_first", {"memory": 4_000}), ("points_first", {"points": 3_000, "memory": 1_000}),
                         ("pro_rata", {"points": 1_200, "memory": 2_800})],
)  # fmt: skip
def test_who_refunds_may_choose_which_tender_goes_back_first(lin, order, policy, plan):
    assert '<option value="cash_first" selected' in html(lin.get(page(order)))

    send(lin, order, filled_in(lin, order, goods="40", policy=policy))

    made = Refund.objects.get()
    assert (made.policy, {leg.charge.tender: leg.amount_fen for leg in made.legs.all()}) == (policy, plan)


def test_there_is_no_choice_where_one_kind_of_tender_is_left(lin, order):
    refund(order, goods_fen=7_000)

    answer = send(lin, order, filled_in(lin, order, goods="1", policy="points_first"))

    assert 'name="policy"' not in html(lin.get(page(order)))
    assert "succeeded" in text(answer)
    assert Refund.objects.get(sequence=2).policy == "cash_first"


def test_a_made_up_policy_is_refused_at_its_field(lin, order):
    answer = send(lin, order, filled_in(lin, order, goods="1", policy="all_mine"))

    assert list(answer.context["form"].errors) == ["policy"]
    assert nothing_moved(order)


@pytest.mark.parametrize(("name", "amount"), [("goods", "90.00"), ("shipping", "10.00")])
def test_all_that_is_left_fills_in_its_box_and_judges_nothing_yet(lin, order, name, amount):
    fields = filled_in(lin, order, goods="1", shipping="2", reason="")

    answer = lin.post(page(order), fields | {"all": name})

    values = {"goods": "1", "shipping": "2"} | {name: amount}
    assert [f'name="{name}" value="{value}"' in html(answer) for name, value in values.items()] == [True, True]
    assert carried(answer) == carried_of(fields)
    assert answer.context["form"].errors == {}


def carried_of(fields):
    return {name: fields[name] for name in ("refund_no", "left")}


def test_of_two_browsers_with_the_same_form_open_one_refunds_and_the_other_is_told(order):
    lin, wang = browser("lin", *MAY), browser("wang", *MAY)
    forms = [filled_in(who, order, goods="40") for who in (lin, wang)]

    answers = [send(who, order, fields) for who, fields in zip((lin, wang), forms, strict=True)]

    assert "succeeded" in text(answers[0])
    assert MEANWHILE in text(answers[1])
    assert left(order) == (0, 0, 4_000, 0)


def test_beforehand_the_screen_says_that_it_will_need_a_second_person(lin):
    order = paid_order(approval_above_fen=5_000)
    refund(order, goods_fen=2_000)

    assert "above ¥50.00 of one order needs a second person; ¥20.00 of this one went back without one." in text(
        lin.get(page(order))
    )
    below, above = fragment(lin, order, goods="30"), fragment(lin, order, goods="30.01")
    assert ("needs a second person" in text(below), "needs a second person" in text(above)) == (False, True)
    assert buttons(below) == ["Refund ¥30.00 to in memory ¥30.00"]
    assert buttons(above) == ["Ask for a refund of ¥30.01 to in memory ¥30.01"]
