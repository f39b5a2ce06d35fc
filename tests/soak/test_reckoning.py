"""The soak's reckoning must be able to fail: each book is falsified on purpose, and the finding says where."""

import dataclasses

import pytest
from django.db import connection

from payments.gateways.base import Outcome
from payments.models import ApiClient, Order, OutboxEvent, Refund
from tests.sabotage import behind_its_back
from tests.soak.books import APP_ID, a_few_trades, give_back, give_surplus_back, order_of
from tests.soak.reckoning import Told, differences, reckon
from tests.world import make_client, make_customer


@pytest.fixture
def trades(db):
    return a_few_trades()


@pytest.fixture
def given_back(trades):
    """A part of the mixed order, what was paid beyond need, and of the recharge what the gateway gave up returning."""
    return {
        "part": give_back(trades["first"], goods_fen=300),
        "twice": give_surplus_back(trades["twice"]),
        "wrong": give_surplus_back(trades["wrong"]),
        "closed": give_back(trades["recharge"], goods_fen=200, ends=Outcome.FAILED),
    }


@pytest.fixture
def told(given_back):
    """What the shop knows: everything."""
    return Told(
        orders=dict(Order.objects.values_list("number", "client_order_no")),
        refunds=dict(Refund.objects.exclude(refund_no="").values_list("number", "refund_no")),
        heard={"shop": list(OutboxEvent.objects.values_list("uid", flat=True))},
    )


@pytest.fixture
def found(trades, given_back, told):
    """The differences, with something else in the place of one of the books."""

    def found(**books):
        whole = {"trades": trades.values(), "refunds": given_back.values(), "told": told}
        return differences(**whole | books)

    return found


def without(book, name):
    return [entry for label, entry in book.items() if label != name]


def changed(book, name, **fields):
    return [*without(book, name), dataclasses.replace(book[name], **fields)]


def test_books_that_agree_leave_nothing_to_find(found):
    assert found() == []


# --- the gateways' book


def test_a_trade_that_only_we_have_is_found(found, trades):
    number = trades["first"].number

    findings = found(trades=without(trades, "first"))

    assert f"{number}: succeeded with 2000 fen, and no gateway was paid" in findings
    assert f"{number}: payment of 2000 fen, and no gateway was paid" in findings
    assert f"merchant {APP_ID}: keeps 400 fen, and 2400 went through our books" in findings


def test_a_trade_that_only_the_gateway_has_is_found(found, trades):
    trade = trades["unpaid"]

    assert found(trades=changed(trades, "unpaid", is_paid=True)) == [
        f"{trade.number}: paid as trade {trade.trade_no}, which stands 0 times in our book",
        f"merchant {APP_ID}: keeps 3200 fen, and 2400 went through our books",
        f"{order_of(trade)}: point_paid, 0 attempts pay it, and [800] fen were paid",
        f"{order_of(trade)}: point_paid, and gateways keep 800 fen, not 0",
    ]


def test_a_trade_paid_with_another_amount_than_we_booked_is_found(found, trades):
    trade = trades["twice"]

    assert found(trades=changed(trades, "twice", amount_fen=1_999)) == [
        f"{trade.number}: paid 1999 fen as trade 2018twice, which is {trade.number} released 2000 fen in our book",
        f"merchant {APP_ID}: keeps 2399 fen, and 2400 went through our books",
        f"{order_of(trade)}: partly_refund, and gateways keep 1699 fen, not 1700",
    ]


def test_a_trade_of_an_order_that_is_none_is_found(found, trades):
    stranger = dataclasses.replace(trades["first"], number="2018061500000000_1", trade_no="x")

    findings = found(trades=[*trades.values(), stranger])

    assert "2018061500000000: [2000] fen were paid for an order that is none" in findings


def test_a_refund_that_only_we_have_is_found(found, trades, given_back):
    number = given_back["part"].number

    assert found(refunds=without(given_back, "part")) == [
        f"{number}: succeeded with 300 fen, and no gateway gave anything back",
        f"{number}: refund of 300 fen, and no gateway gave it back",
        f"merchant {APP_ID}: keeps 2700 fen, and 2400 went through our books",
        f"{order_of(trades['first'])}: partly_refund, and gateways keep 2000 fen, not 1700",
    ]


def test_a_refund_that_only_the_gateway_has_is_found(found, trades, given_back):
    made = dataclasses.replace(given_back["part"], number="2018061500000000_R9", amount_fen=10)

    assert found(refunds=[*given_back.values(), made]) == [
        "2018061500000000_R9: 10 fen went back, and our book has no such refund",
        f"merchant {APP_ID}: keeps 2390 fen, and 2400 went through our books",
        f"{order_of(trades['first'])}: partly_refund, and gateways keep 1690 fen, not 1700",
    ]


def test_a_refund_that_we_hold_for_failed_and_that_moved_is_found(found, trades, given_back):
    made, number = given_back["closed"], trades["recharge"].number

    assert found(refunds=changed(given_back, "closed", is_moved=True)) == [
        f"{made.number}: 200 fen of {number} went back, in our book it is {(number, APP_ID, 200, 'failed')}",
        f"{made.number}: 200 fen went back, booked as []",
        f"merchant {APP_ID}: keeps 2200 fen, and 2400 went through our books",
        f"{order_of(trades['recharge'])}: pay_finished, and gateways keep 500 fen, not 700",
    ]


def test_a_refund_made_twice_is_found(found, given_back):
    findings = found(refunds=[*given_back.values(), given_back["twice"]])

    assert f"merchant {APP_ID}: keeps 400 fen, and 2400 went through our books" in findings


# --- what shops were told


def test_an_order_that_somebody_was_told_of_and_is_gone_is_found(found, told):
    orders = {**told.orders, "2018061500000000": "gone"}

    assert found(told=dataclasses.replace(told, orders=orders)) == [
        "2018061500000000: answered to a shop, and not in our book"
    ]


def test_a_refund_that_somebody_was_told_of_and_is_gone_is_found(found, told):
    refunds = {**told.refunds, "2018061500000000_R1": "gone"}

    assert found(told=dataclasses.replace(told, refunds=refunds)) == [
        "2018061500000000_R1: answered to a shop as gone, and None in our book"
    ]


def test_an_order_that_somebody_was_told_is_closed_and_is_not_is_found(found, trades, told):
    number = order_of(trades["unpaid"])

    assert found(told=dataclasses.replace(told, closed={number})) == [
        f"{number}: answered to a shop as closed, and point_paid in our book"
    ]


def test_an_event_that_its_shop_never_heard_of_is_found_and_one_that_was_none(found, told):
    first, *others = sorted(told.heard["shop"])

    findings = found(told=dataclasses.replace(told, heard={"shop": [*others, "evt_forged"]}))

    assert findings == [
        f"event {first}: written for shop, which never heard of it",
        "event evt_forged: heard by shop, and not in our book",
    ]
    assert ApiClient.objects.get().name == "shop"


# --- our own


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
        "{twice}: released, booked as []",
    ),
    "a transfer of another amount": (
        "UPDATE payments_transfer SET amount_fen = 1 WHERE reference = '{twice}'",
        "{twice}: released, booked as",
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
    "a refund that failed and that nobody is told of": (
        "UPDATE payments_order SET money_flag = '' WHERE number = '{recharge_order}'",
        "{recharge_order}: flagged “”",
    ),
    "a surplus that went back and is still told of": (
        "UPDATE payments_order SET money_flag = 'overpaid' WHERE number = '{first_order}'",
        "{first_order}: flagged “overpaid”",
    ),
    "a surplus that did not go back": (
        "UPDATE payments_charge SET status = 'surplus' WHERE number = '{twice}'",
        "{twice}: paid 2000 fen as trade 2018twice, which is {twice} surplus",
    ),
    "a refund that is booked twice": (
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id) "
            "SELECT debit, credit, amount_fen, 'excess', reference, order_id FROM payments_transfer "
            "WHERE reference = '{part}'"
        ),
        "{part}: 300 fen went back, booked as [300, 300]",
    ),
    "a refund that is booked nowhere": (
        "DELETE FROM payments_transfer WHERE reference = '{part}'",
        "{part}: 300 fen went back, booked as []",
    ),
    "a refund of another amount": (
        "UPDATE payments_refundleg SET goods_fen = 299 WHERE number = '{part}'",
        "{part}: 300 fen of {first} went back, in our book it is",
    ),
    "a refund that nobody knows the end of": (
        "UPDATE payments_refundleg SET status = 'unknown' WHERE number = '{closed}'",
        "{closed}: still unknown",
    ),
    "a refund that its order knows nothing of": (
        "UPDATE payments_order SET status = 'pay_finished' WHERE number = '{first_order}'",
        "{first_order}: pay_finished with 300 fen, and 300 fen went back",
    ),
    "an order that is closed with its money": (
        "UPDATE payments_order SET status = 'closed' WHERE number = '{recharge_order}'",
        "{recharge_order}: closed, and gateways keep 700 fen, not 0",
    ),
    "an order whose time ran out": (
        "UPDATE payments_order SET expires_at = now() - interval '1 hour' WHERE number = '{unpaid_order}'",
        "{unpaid_order}: its time ran out, and it is still point_paid",
    ),
    "an event that was not written": (
        "DELETE FROM payments_outboxevent WHERE kind = 'order.refunded'",
        "{first_order}: ",
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
def test_our_own_book_falsified_is_found(found, trades, given_back, what):
    statement, says = FALSIFIED[what]
    names = {name: trade.number for name, trade in trades.items()}
    names |= {f"{name}_order": order_of(trade) for name, trade in trades.items()}
    names |= {name: given_back[name].number for name in ("part", "closed")}

    behind_its_back(statement.format(**names))

    findings = found()
    assert [finding for finding in findings if finding.startswith(says.format(**names))], findings


@pytest.mark.django_db(transaction=True)
def test_an_invariant_that_is_broken_is_among_the_findings():
    customer = make_customer(client=make_client())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payments_account SET balance_fen = 5 WHERE kind = 'points'")

    found = reckon(trades=[], refunds=[], told=Told())

    assert found[0] == f"points:{customer.pk}: has 5 fen instead of 0"
    assert found[1].startswith("invariant I2a")
    assert len(found) == 2
