"""Every invariant is broken on purpose, behind the database's back, and must be reported by its number."""

import pytest

from english_app import invariants as english_app
from partner_orders import invariants as partner_orders
from payments import invariants
from payments.invariants.table import TABLE
from payments.models import Order
from payments.transactions import transaction
from tests.payments import sabotage, sabotage_manual, sabotage_own
from tests.payments.books import EVERY, FAMILIES, make_books, make_refunds, number
from tests.sabotage import behind_its_back, rolled_back

SABOTAGE = sabotage.SABOTAGE | sabotage_own.SABOTAGE | sabotage_manual.SABOTAGE

pytestmark = pytest.mark.django_db  # what makes the database; the books stand in it from the first test to the last


def findings():
    with transaction():
        return {finding.name: finding for finding in invariants.findings()}


def broken():
    return {name: finding.examples for name, finding in findings().items() if finding.breaches}


@pytest.fixture(scope="module")
def standing(django_db_setup, django_db_blocker):
    """The books, written once for all."""
    with django_db_blocker.unblock(), rolled_back():
        make_books()
        make_refunds()
        yield


@pytest.fixture
def books(standing):
    with rolled_back():
        yield


def test_good_books_break_nothing_and_every_invariant_has_seen_rows(books):
    found = findings()

    assert set(found) == EVERY
    assert {name: finding.breaches for name, finding in found.items()} == dict.fromkeys(EVERY, 0)
    assert {name for name, finding in found.items() if not finding.checked} == set()


@pytest.mark.parametrize("what", SABOTAGE)
def test_a_breach_is_reported_and_nothing_else(books, what):
    expected, *statements = SABOTAGE[what]

    behind_its_back(*statements)

    assert set(broken()) == expected


@pytest.mark.parametrize(("label", "status"), [("held", "unpaid"), ("late", "closed")])
def test_a_balance_that_is_still_to_pay_or_never_paid_breaks_nothing(books, label, status):
    behind_its_back(f"UPDATE payments_order SET balance_fen = cash_fen, cash_fen = 0 WHERE client_order_no = '{label}'")

    assert Order.objects.get(client_order_no=label).status == status
    assert broken() == {}


def test_every_invariant_is_broken_by_some_sabotage():
    assert set().union(*(expected for expected, *_statements in SABOTAGE.values())) == EVERY


@pytest.mark.parametrize(
    ("what", "name", "expected"),
    [
        ("a hold taken before its cash", "I8a", lambda: number("held")),
        ("tenders that do not add up", "I4", lambda: number("waiting")),
        ("goods never sold", "I8b", lambda: number("points")),
        ("an attempt that nobody asks about", "I12", lambda: f"{number('waiting')}_1"),
        ("cash that is not in the books", "I5b", lambda: f"{number('mixed')}_2"),
        ("a trigger switched off", "I1b", lambda: "transfer_append_only"),
        ("a payment of no attempt", "I5c", lambda: "x payment"),
    ],
)
def test_the_offending_number_is_named(books, what, name, expected):
    _names, *statements = SABOTAGE[what]

    behind_its_back(*statements)

    assert broken()[name] == (expected(),)


def test_of_many_breaches_twenty_are_listed_and_all_counted(books):
    behind_its_back(
        "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference) "
        "SELECT 'sales', 'pocket', 1, 'sale', 'x' || n FROM generate_series(1, 57) n"
    )

    finding = findings()["I1a"]

    assert (finding.breaches, len(finding.examples)) == (57, 20)


def test_as_many_statements_however_many_rows(books, django_assert_num_queries):
    rules = len(partner_orders._RULES) + len(english_app._RULES)
    of_families = 3 + 2 + rules + len(FAMILIES)  # appointments, memberships, rules, and the counts of their orders
    with transaction(), django_assert_num_queries(len(TABLE) + of_families):
        list(invariants.findings())
