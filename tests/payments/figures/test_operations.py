"""A day's figures are what the book says of that day: to the fen, for each client, family and tender."""

import datetime
import io
import random
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.utils import timezone

from payments.charges import operations as charges
from payments.closing import late_money
from payments.closing import operations as closing
from payments.days import SHANGHAI, bounds, day_of
from payments.figures import operations as figures
from payments.figures.operations import SETTLED_AFTER, compute, compute_due, due_days
from payments.gateways import memory
from payments.gateways.base import Mode, Outcome, RefundState
from payments.models import Customer, DayFigure, Order, Transfer
from payments.refunds import settlement as refunds
from tests.payments.refunds.shop import book, pay, recharge, refund
from tests.threads import at_once, waiters
from tests.web_process import _test_database_url, eventually
from tests.world import make_client, make_customer, make_memory_account, place_by_balance, place_order

pytestmark = pytest.mark.django_db

DAY = datetime.date(2018, 6, 15)
LAST_MOMENT = datetime.datetime(2018, 6, 15, 23, 59, 59, 999_999, SHANGHAI)
MIDNIGHT = datetime.datetime(2018, 6, 16, tzinfo=SHANGHAI)
NOTHING = dict.fromkeys(figures.SUMS, 0)


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


@pytest.fixture
def shop():
    client = make_client()
    make_customer(client=client, points_fen=100_000, balance_fen=100_000)
    make_memory_account()
    return client


@pytest.fixture
def today():
    """The day in Shanghai; a test that began at its very end begins anew in the next."""
    now = timezone.now()
    if bounds(day_of(now))[1] - now < datetime.timedelta(seconds=30):
        pytest.skip("it is midnight in Shanghai")
    return day_of(now)


def told(*, day, client=None):
    """What the rows of a day that are not all zeros say, by family and tender; with several clients by client too."""
    rows = DayFigure.objects.filter(day=day).exclude(**NOTHING)
    rows = rows.filter(client=client) if client else rows
    said = {(row.family, row.tender): {name: getattr(row, name) for name in figures.SUMS} for row in rows}
    assert len(said) == len(rows), "name the client"
    return {key: {name: value for name, value in sums.items() if value} for key, sums in said.items()}


def added_up(*, day, client=None):
    compute(day=day, at=timezone.now())
    return told(day=day, client=client)


# --- what is counted ------------------------------------------------------------------------------------------------


def test_an_order_paid_by_points_and_cash_is_one_order_and_a_payment_of_each(shop, today):
    order = place_order(client=shop, total_fen=150_000, shipping_fen=1_000)
    pay(order)

    assert added_up(day=today) == {
        ("checkout", ""): {"orders_made": 1, "orders_paid": 1},
        ("checkout", "points"): {"received_fen": 100_000, "payments": 1},
        ("checkout", "memory"): {"received_fen": 50_000, "payments": 1},
    }


def test_an_order_whose_cash_is_waited_for_is_made_and_not_paid(shop, today):
    place_order(client=shop, total_fen=150_000)

    assert added_up(day=today) == {
        ("checkout", ""): {"orders_made": 1},
        ("checkout", "points"): {"received_fen": 100_000, "payments": 1},
    }


def test_what_goes_back_is_refunded_by_the_tender_that_it_goes_back_to(shop, today):
    order = place_order(client=shop, total_fen=150_000, shipping_fen=1_000)
    pay(order)
    refund(order, goods_fen=60_000, shipping_fen=1_000)  # cash first
    refund(order, goods_fen=100)

    sums = added_up(day=today)

    assert sums["checkout", "memory"] == {
        "received_fen": 50_000, "payments": 1, "refunded_fen": 50_000, "refunds": 1,
    }  # fmt: skip
    assert sums["checkout", "points"] == {
        "received_fen": 100_000, "payments": 1, "refunded_fen": 11_100, "refunds": 2,
    }  # fmt: skip


def test_a_refund_on_its_way_is_not_refunded_yet(shop, today):
    order = place_order(client=shop, total_fen=150_000)
    pay(order)
    book().refunds_take_time = True
    refund(order, goods_fen=60_000)

    assert "refunded_fen" not in added_up(day=today)["checkout", "memory"]


def test_a_refund_that_a_gateway_tells_of_late_is_of_the_day_on_which_it_is_booked(shop, today):
    order = place_order(client=shop, total_fen=150_000)
    pay(order)
    book().refunds_take_time = True
    leg = refund(order, goods_fen=10_000).legs.get()
    days_ago = timezone.now() - datetime.timedelta(days=2)
    compute(day=day_of(days_ago), at=timezone.now())  # it is over, and stands

    told = RefundState(outcome=Outcome.SUCCEEDED, number=leg.number, amount_fen=10_000, refunded_at=days_ago)
    refunds.settle(leg_id=leg.pk, state=told, at=timezone.now())

    assert leg.refund.legs.get().settled_at == days_ago
    assert added_up(day=today)["checkout", "memory"]["refunded_fen"] == 10_000


def test_points_of_an_order_that_closes_are_given_back_and_no_refund(shop, today):
    order = place_order(client=shop, total_fen=150_000)
    closing.close(order_id=order.pk, actor="client:shop", at=timezone.now())

    assert added_up(day=today) == {
        ("checkout", ""): {"orders_made": 1},
        ("checkout", "points"): {
            "received_fen": 100_000, "payments": 1, "released_fen": 100_000, "releases": 1,
        },
    }  # fmt: skip


def test_a_recharge_is_an_order_that_is_paid(today):
    recharge(total_fen=5_000)

    assert added_up(day=today) == {
        ("payments", ""): {"orders_made": 1, "orders_paid": 1},
        ("payments", "memory"): {"received_fen": 5_000, "payments": 1},
    }


def test_late_money_and_its_way_back_are_nobodys_turnover(shop, today):
    order = place_order(client=shop, total_fen=150_000)
    charge = charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())
    closing.close(order_id=order.pk, actor="client:shop", at=timezone.now())
    book().pay(charge.number)
    charges.reconcile(charge_id=charge.pk, at=timezone.now())
    before = added_up(day=today)

    assert late_money.refund_due() == 1

    assert added_up(day=today) == before
    assert ("checkout", "memory") not in before


def test_clients_are_counted_apart(shop, today):
    rival = make_client(name="rival")
    make_customer(client=rival, points_fen=700)
    place_order(client=shop, total_fen=300)
    place_order(client=rival, total_fen=700)

    compute(day=today, at=timezone.now())

    assert [told(day=today, client=client)["checkout", "points"] for client in (shop, rival)] == [
        {"received_fen": 300, "payments": 1},
        {"received_fen": 700, "payments": 1},
    ]


def test_a_day_begins_and_ends_at_midnight_in_shanghai(shop):
    customer = Customer.objects.get()
    for number, total_fen, at in (("B1", 700, LAST_MOMENT), ("B2", 1_100, MIDNIGHT)):
        place_by_balance(customer=customer, number=number, total_fen=total_fen, at=at)

    assert [added_up(day=day)["payments", "balance"]["received_fen"] for day in (DAY, MIDNIGHT.date())] == [700, 1_100]
    assert [told(day=day)["payments", ""] for day in (DAY, MIDNIGHT.date())] == [
        {"orders_made": 1, "orders_paid": 1}
    ] * 2


# --- the rows themselves --------------------------------------------------------------------------------------------


def test_a_day_without_orders_has_a_row_of_zeros_for_each_family_of_each_client(shop):
    compute(day=DAY, at=MIDNIGHT)

    rows = DayFigure.objects.order_by("family")
    assert [(row.client, row.family, row.tender, row.computed_at) for row in rows] == [
        (shop, "checkout", "", MIDNIGHT),
        (shop, "payments", "", MIDNIGHT),
    ]
    assert told(day=DAY) == {}


def test_adding_up_again_says_the_same_and_when(shop, today):
    pay(place_order(client=shop, total_fen=150_000))
    first, at = added_up(day=today), timezone.now()
    rows = set(DayFigure.objects.values_list("pk", flat=True))

    compute(day=today, at=at)

    assert told(day=today) == first
    assert set(DayFigure.objects.values_list("pk", "computed_at")) == {(pk, at) for pk in rows}


def test_what_came_meanwhile_is_there_the_next_time(shop, today):
    place_order(client=shop, total_fen=300)
    compute(day=today, at=timezone.now())
    place_order(client=shop, number="T2", total_fen=500)

    assert added_up(day=today)["checkout", "points"] == {"received_fen": 800, "payments": 2}


@pytest.mark.parametrize(
    "wrong",
    [
        {"tender": "shells"},
        {"tender": "points", "orders_made": 1},
        {"payments": 1, "received_fen": 1},
        {"tender": "points", "received_fen": 1},
        {"tender": "points", "payments": 1},
        {"tender": "points", "refunded_fen": -1, "refunds": 1},
    ],
)
def test_the_database_refuses_figures_that_cannot_be(shop, wrong):
    with pytest.raises(IntegrityError):
        DayFigure.objects.create(**{"day": DAY, "client": shop, "family": "checkout", "computed_at": MIDNIGHT} | wrong)


def test_a_day_costs_the_same_few_statements_however_much_it_brought(shop, today, django_assert_num_queries):
    for n in range(5):
        place_order(client=shop, number=f"T{n}", total_fen=300)

    with django_assert_num_queries(4):  # savepoint, lock, sum, release
        compute(day=today, at=timezone.now())


# --- against a plain reading of the book ------------------------------------------------------------------------------

MOMENTS = (
    LAST_MOMENT - datetime.timedelta(days=1), LAST_MOMENT - datetime.timedelta(hours=12), LAST_MOMENT, MIDNIGHT,
)  # fmt: skip


def live(*, seed, customers):
    """Let customers of two clients buy with points and from the balance; some of what the points paid is given back."""
    chance = random.Random(seed)
    for n in range(30):
        at, total_fen = chance.choice(MOMENTS), chance.randint(1, 9_999)
        own = chance.choice(
            [{"balance_fen": total_fen}, {"balance_fen": 0, "points_fen": chance.randint(1, total_fen)}]
        )
        order = place_by_balance(
            customer=chance.choice(customers), number=f"B{n}", total_fen=total_fen, shipping_fen=0, at=at,
            family=chance.choice(["checkout", "payments"]), **own,
        )  # fmt: skip
        if order.status == "point_paid" and chance.random() < 0.5:
            paid = order.transfers.get()
            Transfer.objects.create(
                debit=paid.credit, credit=paid.debit, amount_fen=paid.amount_fen, kind="release",
                reference=paid.reference, order=order, at=chance.choice([at, *(at for at in MOMENTS if at > paid.at)]),
            )  # fmt: skip


def read(day, client):
    """What a person would add up, leafing through the book."""
    sums = defaultdict(Counter)
    for order in Order.objects.filter(client=client):
        if day_of(order.created_at) == day:
            sums[order.family, ""]["orders_made"] += 1
        if order.finished_at and day_of(order.finished_at) == day:
            sums[order.family, ""]["orders_paid"] += 1
        for transfer in order.transfers.all():
            account = {"payment": transfer.debit, "release": transfer.credit}.get(transfer.kind)
            if account and day_of(transfer.at) == day:
                money, number = ("received", "payments") if transfer.kind == "payment" else ("released", "releases")
                sums[order.family, account.split(":")[0]] += Counter({f"{money}_fen": transfer.amount_fen, number: 1})
    return {key: dict(sums) for key, sums in sums.items()}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_was_placed_and_closed_the_sums_are_those_of_a_plain_reading(shop, seed):
    rival = make_client(name="rival")
    make_customer(client=rival, points_fen=900_000, balance_fen=900_000)
    live(seed=seed, customers=list(Customer.objects.all()))
    days = [day_of(at) for at in MOMENTS]

    for day in set(days):
        compute(day=day, at=MIDNIGHT)

    assert all(told(day=day, client=client) == read(day, client) for day in set(days) for client in (shop, rival))
    assert sum(len(read(day, shop)) for day in days) > 6


# --- at once ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_computed_by_many_at_once_a_day_is_the_same(shop, today):
    place_order(client=shop, total_fen=300)

    rows = at_once(6, lambda _n: compute(day=today, at=timezone.now()))

    assert rows == [3] * 6
    assert told(day=today) == {
        ("checkout", ""): {"orders_made": 1, "orders_paid": 1},
        ("checkout", "points"): {"received_fen": 300, "payments": 1},
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("alone", [True, False])
def test_who_waited_for_another_counts_what_came_meanwhile(shop, today, monkeypatch, alone):
    """The control: had they not waited, they would not have counted it, and might have written last."""
    lock = figures._ALONE
    if not alone:
        monkeypatch.setattr(figures, "_ALONE", "SELECT %s::int")
    with ThreadPoolExecutor(1) as other, psycopg.connect(_test_database_url()) as gate:
        gate.execute(lock, [today.toordinal()])
        result = other.submit(at_once, 1, lambda _n: compute(day=today, at=timezone.now()))
        eventually(lambda: waiters() or result.done())
        place_order(client=shop, total_fen=300)
        gate.rollback()
        result.result()

    assert (("checkout", "points") in told(day=today)) is alone


# --- which days are due -----------------------------------------------------------------------------------------------

NOON = datetime.datetime(2018, 6, 15, 12, 0, tzinfo=SHANGHAI)


def days_before(day, *numbers):
    return [day - datetime.timedelta(days=n) for n in numbers]


def test_missing_days_are_added_up_a_few_at_once_until_only_today_is_due(shop):
    runs = [compute_due(at=NOON) for _run in range(8)]

    assert runs[0] == days_before(DAY, 0, 1, 2, 3, 4, 5)
    assert runs[1] == days_before(DAY, 0, 6, 7, 8, 9, 10)
    assert runs[-1] == [DAY]
    assert set(DayFigure.objects.values_list("day", flat=True)) == set(days_before(DAY, *range(35)))


def test_yesterday_is_added_up_until_its_last_bookings_have_surely_committed(shop):
    for day in days_before(DAY, *range(1, 35)):
        compute(day=day, at=bounds(day)[1] + SETTLED_AFTER)
    yesterday = DAY - datetime.timedelta(days=1)
    DayFigure.objects.filter(day=yesterday).update(computed_at=bounds(yesterday)[1])

    assert due_days(at=bounds(DAY)[0] + datetime.timedelta(minutes=1)) == [DAY, yesterday]
    assert compute_due(at=bounds(DAY)[0] + SETTLED_AFTER) == [DAY, yesterday]
    assert compute_due(at=bounds(DAY)[0] + SETTLED_AFTER) == [DAY]


def test_a_day_that_the_worker_left_in_the_middle_is_added_up_when_it_is_back(shop):
    for day in days_before(DAY, *range(1, 35)):
        compute(day=day, at=bounds(day)[1] + SETTLED_AFTER)
    left = DAY - datetime.timedelta(days=4)
    DayFigure.objects.filter(day=left).update(computed_at=bounds(left)[0] + datetime.timedelta(hours=9))

    assert due_days(at=NOON) == [DAY, left]


def test_the_command_adds_up_as_many_days_as_it_is_told_and_says_so(shop):
    out = io.StringIO()

    call_command("figures", days=3, stdout=out)

    assert "Added up 3 days." in out.getvalue()
    assert DayFigure.objects.values("day").distinct().count() == 3


@pytest.mark.parametrize("days", [0, -1, 3_661])
def test_the_command_names_a_number_of_days_that_it_cannot_add_up(days):
    with pytest.raises(CommandError, match=f"--days {days} is not between 1 and 3660"):
        call_command("figures", days=days)
