"""How long a membership lasts: grants are added up one after the other, and months end where months end."""

import calendar
import datetime
import itertools
from types import SimpleNamespace

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from english_app import memberships
from english_app.memberships import LAST_DAY, MembershipTooLong
from english_app.models import Membership
from payments.transactions import transaction
from tests.english_app import world
from tests.english_app.dealings import refund

JAN_31 = datetime.date(2026, 1, 31)


def noon(day):
    return datetime.datetime.combine(day, datetime.time(12), tzinfo=timezone.get_default_timezone())


def granted(day, count, unit="month", *, num=1):
    """A grant as `end_of` reads it: `num` pieces that last for `count` days or months each."""
    line = SimpleNamespace(periods=count, period_unit=unit, num=num)
    return SimpleNamespace(granted_at=noon(day), line=line)


def end(*grants):
    return memberships.end_of(grants)


def day(text):
    return datetime.date.fromisoformat(text)


def test_without_a_grant_nobody_is_a_member():
    assert end() is None


@pytest.mark.parametrize(
    ("begins", "months", "ends"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2028-01-31", 1, "2028-02-29"),
        ("2026-01-31", 2, "2026-03-31"),
        ("2026-01-31", 3, "2026-04-30"),
        ("2026-01-31", 12, "2027-01-31"),
        ("2026-12-31", 2, "2027-02-28"),
        ("2028-02-29", 12, "2029-02-28"),
        ("2028-02-29", 48, "2032-02-29"),
        ("2100-01-30", 1, "2100-02-28"),
        ("2026-02-28", 1, "2026-03-28"),
        ("2026-06-15", 1, "2026-07-15"),
    ],
)
def test_so_many_months_end_on_the_same_day_or_the_month_s_last(begins, months, ends):
    assert end(granted(day(begins), months)) == day(ends)


def test_a_month_after_another_ends_where_two_at_once_do():
    """One month from 31 January ends on 28 February; a second does not end on 28 March."""
    at_once = end(granted(JAN_31, 2))

    assert end(granted(JAN_31, 1), granted(JAN_31, 1)) == at_once == day("2026-03-31")
    assert end(granted(JAN_31, 1), granted(day("2026-02-10"), 1)) == at_once
    assert end(granted(JAN_31, 1), granted(day("2026-02-28"), 1)) == at_once
    assert end(granted(JAN_31, 1, num=2)) == at_once


def test_one_that_lapsed_begins_anew_on_the_day_of_its_grant():
    assert end(granted(JAN_31, 1), granted(day("2026-03-01"), 1)) == day("2026-04-01")


def test_days_are_days():
    assert end(granted(JAN_31, 30, "day")) == day("2026-03-02")
    assert end(granted(day("2028-02-28"), 1, "day")) == day("2028-02-29")
    assert end(granted(day("2026-01-01"), 7, "day", num=3)) == day("2026-01-22")


def test_days_after_months_are_counted_from_their_end_and_months_after_days_from_theirs():
    assert end(granted(JAN_31, 1), granted(JAN_31, 3, "day")) == day("2026-03-03")
    assert end(granted(JAN_31, 1), granted(JAN_31, 3, "day"), granted(JAN_31, 1)) == day("2026-04-03")
    assert end(granted(JAN_31, 28, "day"), granted(JAN_31, 1)) == day("2026-03-28")


def test_the_day_is_the_shop_s_not_greenwich_s():
    line = SimpleNamespace(periods=1, period_unit="day", num=1)
    late = datetime.datetime(2026, 1, 30, 16, 30, tzinfo=datetime.UTC)  # half past midnight in Shanghai

    assert end(SimpleNamespace(granted_at=late, line=line)) == day("2026-02-01")


def test_it_may_last_to_the_last_day_and_not_beyond():
    eve = LAST_DAY - datetime.timedelta(days=1)

    assert end(granted(eve, 1, "day")) == LAST_DAY
    for too_long in (granted(eve, 2, "day"), granted(eve, 1)):
        with pytest.raises(MembershipTooLong) as refused:
            end(too_long)
        assert "2200" in refused.value.sentence()


@pytest.mark.parametrize("unit", ["day", "month"])
@pytest.mark.parametrize(("count", "num"), [(1_200, 999), (32_767, 999), (32_767, 32_767)])
def test_no_number_that_a_line_can_hold_leaves_the_calendar_another_way(unit, count, num):
    with pytest.raises(MembershipTooLong):
        end(granted(JAN_31, count, unit, num=num))


# --- a model in plain days --------------------------------------------------------------------------------------------


def month_later(first, months):
    """The day so many months after `first`, or the last of its month."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return datetime.date(year, month + 1, min(first.day, calendar.monthrange(year, month + 1)[1]))


def modelled(pieces):
    """Walk from piece to piece: each is one day or one month. `pieces` are (day, unit)."""
    reached = anchor = None
    months = 0
    for granted_on, unit in pieces:
        if reached is None or reached < granted_on:
            reached, anchor, months = granted_on, granted_on, 0
        if unit == "day":
            reached += datetime.timedelta(days=1)
            anchor, months = reached, 0
        else:
            months += 1
            reached = month_later(anchor, months)
    return reached


SOME_DAY = st.dates(datetime.date(2023, 12, 25), datetime.date(2024, 4, 5))
GRANTS = st.lists(
    st.tuples(SOME_DAY, st.integers(1, 3), st.sampled_from(["day", "month"]), st.integers(1, 2)), max_size=6
)


@given(told=GRANTS, taken_back=st.sets(st.integers(0, 5)))
def test_any_grants_end_where_the_model_ends_and_a_grant_never_shortens_nor_does_its_loss_lengthen(told, taken_back):
    told = sorted(told, key=lambda one: one[0])
    stand = [one for n, one in enumerate(told) if n not in taken_back]

    whole, left = (
        end(*(granted(on, count, unit, num=num) for on, count, unit, num in grants)) for grants in (told, stand)
    )  # fmt: skip

    for ends_on, grants in ((whole, told), (left, stand)):
        assert ends_on == modelled((on, unit) for on, count, unit, num in grants for _piece in range(count * num))
    assert (left or datetime.date.min) <= (whole or datetime.date.min)


@given(told=GRANTS)
def test_each_further_grant_lengthens(told):
    told = sorted(told, key=lambda one: one[0])

    ends = [
        end(*(granted(on, count, unit, num=num) for on, count, unit, num in told[:n])) for n in range(1, len(told) + 1)
    ]

    assert all(before < after for before, after in itertools.pairwise(ends))


# --- in the database --------------------------------------------------------------------------------------------------


@pytest.fixture
def client(db):
    return world.make_english_client()


@pytest.fixture
def learner(client):
    return world.make_learner(client=client, balance_fen=1_000_000)


def ends_on(customer):
    return Membership.objects.get(customer=customer).ends_on


def recount(customer):
    with transaction():
        memberships.recount(customer_id=customer.pk)


@pytest.mark.django_db
def test_a_month_bought_while_one_lasts_begins_where_that_ends_and_one_taken_back_in_the_middle_moves_the_rest(
    client, learner
):
    month = world.make_month(client=client)
    bought = [world.buy(client=client, goods={month: num}, at=noon(JAN_31)) for num in (1, 2, 1)]
    assert ends_on(learner) == day("2026-05-31")

    refund(bought[1], bought[1].order.total_fen)

    assert ends_on(learner) == day("2026-03-31")


@pytest.mark.django_db
def test_items_give_no_time(client, learner):
    world.buy(client=client, goods={world.make_item(client=client): 3})

    assert ends_on(learner) is None


@pytest.mark.django_db
def test_nobody_s_grants_are_another_s(client, learner):
    other = world.make_learner(client=client, user_id="2", balance_fen=1_000_000)
    month = world.make_month(client=client)
    world.buy(client=client, goods={month: 1}, at=noon(JAN_31))
    world.buy(client=client, goods={month: 3}, at=noon(JAN_31), user_id="2")

    assert (ends_on(learner), ends_on(other)) == (day("2026-02-28"), day("2026-04-30"))


@pytest.mark.django_db
def test_a_recount_that_changes_nothing_writes_nothing(client, learner, django_assert_num_queries):
    world.buy(client=client, goods={world.make_month(client=client): 1})
    before = ends_on(learner)

    with django_assert_num_queries(5) as asked:  # begin, insert nothing, lock, read, commit
        recount(learner)

    assert not [query for query in asked if query["sql"].startswith("UPDATE")]
    assert ends_on(learner) == before
