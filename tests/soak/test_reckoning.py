"""The soak's reckoning must be able to fail: each book is falsified on purpose, and the finding says where."""

import dataclasses

import pytest
from django.db import connection
from django.utils import timezone

from payments.charges import operations as charges
from payments.charges import settlement
from payments.charges.states import Event
from payments.direct import operations as direct
from payments.direct.operations import OrderCommand
from payments.gateways.base import Mode, Outcome, PaymentState
from payments.models import GatewayAccount, Order
from payments.orders.models import OrderKind
from tests.payments.test_invariants import behind_its_back
from tests.soak.gateway_book import Trade
from tests.soak.reckoning import differences, reckon
from tests.world import make_client, make_customer, place_order

APP_ID = "2021000000000001"


def attempt(order, *, mode=Mode.QR, pays_fen=None):
    """An attempt at the order's cash; the gateway's trade of it, paid unless `pays_fen` is None."""
    charge = charges.start(order_id=order.pk, channel="alipay", mode=mode, actor="test", at=timezone.now())
    trade = Trade(
        app_id=APP_ID, number=charge.number, trade_no=f"2018{charge.pk}", amount_fen=pays_fen or charge.amount_fen,
        status="paid" if pays_fen else "closed", is_paid=bool(pays_fen),
    )  # fmt: skip
    if pays_fen:
        state = PaymentState(
            outcome=Outcome.SUCCEEDED, number=charge.number, amount_fen=pays_fen, trade_no=trade.trade_no
        )
        settlement.settle(charge_id=charge.pk, state=state, at=timezone.now())
    else:
        settlement.note(charge_id=charge.pk, event=Event.CLOSED, at=timezone.now())
    return trade


@pytest.fixture
def trades(db):
    """A mixed order paid twice (`_2`, `_3`), a recharge, an order paid with a wrong amount, one that nobody paid."""
    shop = make_client()
    make_customer(client=shop, points_fen=3_000)
    account = GatewayAccount(kind="alipay", name="test", client=shop, app_id=APP_ID, merchant_id="2088102146225135")
    account.set_credentials({})
    account.save()
    mixed = place_order(client=shop, number="mixed", total_fen=5_000, shipping_fen=500)
    command = OrderCommand(
        kind=OrderKind.RECHARGE, user_id="442090", title="DEMO", total_fen=700, client_order_no="recharge"
    )
    recharge = Order.objects.get(number=direct.place_order(client=shop, command=command, at=timezone.now()))
    wrong = place_order(client=shop, number="wrong", total_fen=900)
    unpaid = place_order(client=shop, number="unpaid", total_fen=800)
    second = charges.start(order_id=mixed.pk, channel="alipay", mode=Mode.APP, actor="test", at=timezone.now())
    first = attempt(mixed, pays_fen=2_000)
    twice = Trade(
        app_id=APP_ID, number=second.number, trade_no="2018twice", amount_fen=2_000, status="paid", is_paid=True
    )
    state = PaymentState(
        outcome=Outcome.SUCCEEDED, number=second.number, amount_fen=2_000, trade_no=twice.trade_no
    )  # fmt: skip
    settlement.settle(charge_id=second.pk, state=state, at=timezone.now())
    return {
        "first": first, "twice": twice, "recharge": attempt(recharge, pays_fen=700),
        "wrong": attempt(wrong, pays_fen=901), "unpaid": attempt(unpaid),
    }  # fmt: skip


def without(trades, name):
    return [trade for label, trade in trades.items() if label != name]


def changed(trades, name, **fields):
    return [*without(trades, name), dataclasses.replace(trades[name], **fields)]


def order_of(trade):
    return trade.number.rpartition("_")[0]


def test_books_that_agree_leave_nothing_to_find(trades):
    told = Order.objects.values_list("number", flat=True)

    assert differences(trades=trades.values(), told=told) == []


def test_a_trade_that_only_we_have_is_found(trades):
    found = differences(trades=without(trades, "first"))

    number = trades["first"].number
    assert f"{number}: succeeded with 2000 fen, and no gateway was paid" in found
    assert f"{number}: payment of 2000 fen, and no gateway was paid" in found
    assert f"merchant {APP_ID}: was paid 3601 fen, and 5601 went through our books" in found


def test_a_trade_that_only_the_gateway_has_is_found(trades):
    found = differences(trades=changed(trades, "unpaid", is_paid=True))

    trade = trades["unpaid"]
    assert found == [
        f"{trade.number}: paid as trade {trade.trade_no}, which stands 0 times in our book",
        f"merchant {APP_ID}: was paid 6401 fen, and 5601 went through our books",
        f"{order_of(trade)}: point_paid, 0 attempts pay it, and [800] fen were paid",
    ]


def test_a_trade_paid_with_another_amount_than_we_booked_is_found(trades):
    found = differences(trades=changed(trades, "twice", amount_fen=1_999))

    trade = trades["twice"]
    assert found == [
        f"{trade.number}: paid 1999 fen as trade 2018twice, which is {trade.number} surplus 2000 fen in our book",
        f"merchant {APP_ID}: was paid 5600 fen, and 5601 went through our books",
    ]


def test_a_trade_of_an_order_that_is_none_is_found(trades):
    stranger = dataclasses.replace(trades["first"], number="2018061500000000_1", trade_no="x")

    found = differences(trades=[*trades.values(), stranger])

    assert "2018061500000000: [2000] fen were paid for an order that is none" in found


def test_an_order_that_somebody_was_told_of_and_is_gone_is_found(trades):
    assert differences(trades=trades.values(), told=["2018061500000000"]) == [
        "2018061500000000: answered to a shop, and not in our book"
    ]


FALSIFIED = {
    "a doubled transfer": (
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id) "
            "SELECT debit, credit, amount_fen, 'surplus', reference, order_id FROM payments_transfer "
            "WHERE debit LIKE 'clearing:%' AND reference = '{first}'"
        ),
        "{first}: succeeded, booked as",
    ),
    "a transfer gone": (
        "DELETE FROM payments_transfer WHERE reference = '{twice}'",
        "{twice}: surplus, booked as []",
    ),
    "a transfer of another amount": (
        "UPDATE payments_transfer SET amount_fen = 1 WHERE reference = '{twice}'",
        "{twice}: surplus, booked as",
    ),
    "a trade booked nowhere": (
        "UPDATE payments_charge SET gateway_trade_no = '' WHERE number = '{twice}'",
        "{twice}: paid as trade 2018twice, which stands 0 times",
    ),
    "an order that is not finished": (
        "UPDATE payments_order SET status = 'unpaid' WHERE number = '{first_order}'",
        "{first_order}: unpaid, 1 attempts pay it",
    ),
    "an order that was finished for nothing": (
        "UPDATE payments_order SET status = 'pay_finished' WHERE number = '{unpaid_order}'",
        "{unpaid_order}: pay_finished, 0 attempts pay it",
    ),
    "a surplus that nobody is told of": (
        "UPDATE payments_order SET money_flag = '' WHERE number = '{first_order}'",
        "{first_order}: flagged “”",
    ),
    "a recharge credited twice": (
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id) "
            "SELECT debit, credit, amount_fen, kind, 'x', order_id FROM payments_transfer WHERE kind = 'recharge'"
        ),
        "recharge ",
    ),
    "points that were spent and are still there": (
        "UPDATE payments_account SET balance_fen = 3000 WHERE kind = 'points'",
        "points:",
    ),
    "a balance without its recharge": (
        "UPDATE payments_account SET balance_fen = 0 WHERE kind = 'balance'",
        "balance:",
    ),
    "an attempt that nobody knows the end of": (
        "UPDATE payments_charge SET status = 'unknown' WHERE number = '{unpaid}'",
        "{unpaid}: still unknown",
    ),
    "an order whose fulfilment is due": (
        "UPDATE payments_order SET fulfil_due_at = now() WHERE number = '{first_order}'",
        "{first_order}: paid and not fulfilled",
    ),
    "a notification that was left": (
        (
            "INSERT INTO payments_inboundnotification "
            "(gateway, notification_id, verdict, detail, headers, body, received_at) "
            "VALUES ('alipay', 'n1', 'accepted', '', '{{}}', '', now())"
        ),
        "notification n1: accepted and never processed",
    ),
}


@pytest.mark.parametrize("what", FALSIFIED)
def test_our_own_book_falsified_is_found(trades, what):
    statement, says = FALSIFIED[what]
    names = {name: trade.number for name, trade in trades.items()}
    names |= {f"{name}_order": order_of(trade) for name, trade in trades.items()}

    behind_its_back(statement.format(**names))

    found = differences(trades=trades.values())
    assert [finding for finding in found if finding.startswith(says.format(**names))], found


@pytest.mark.django_db(transaction=True)
def test_an_invariant_that_is_broken_is_among_the_findings():
    customer = make_customer(client=make_client())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payments_account SET balance_fen = 5 WHERE kind = 'points'")

    found = reckon(trades=[])

    assert found[0] == f"points:{customer.pk}: has 5 fen instead of 0"
    assert found[1].startswith("invariant I2a")
    assert len(found) == 2
