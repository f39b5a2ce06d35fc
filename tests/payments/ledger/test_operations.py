import pytest

from payments.ledger import operations as ledger
from payments.ledger.accounts import ESCROW, POINTS_ISSUED, SALES, SHIPPING
from payments.ledger.operations import NotEnough, Posting, PostingConflict
from payments.ledger.queries import balance_fen, customer_balances_fen
from payments.models import Account, Transfer
from payments.transactions import transaction
from tests.world import make_client, make_customer, points_fen

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer():
    return make_customer(client=make_client(), points_fen=1_000)


def posting(debit, credit, amount_fen, *, reference="r1", kind="payment"):
    return Posting(debit=debit, credit=credit, amount_fen=amount_fen, kind=kind, reference=reference)


def one_by_one(*postings):
    with transaction():
        ledger.post(*postings)


def all_at_once(*postings):
    with transaction():
        ledger.post(*postings)


def books():
    return list(Transfer.objects.order_by("id").values()), list(Account.objects.order_by("id").values())


both_ways = pytest.mark.parametrize("post", [one_by_one, all_at_once])


@both_ways
def test_money_goes_from_the_debited_to_the_credited_account(customer, post):
    post(posting(f"points:{customer.pk}", ESCROW, 300))

    assert points_fen(customer) == 700 == balance_fen(code=f"points:{customer.pk}")
    assert balance_fen(code=ESCROW) == 300
    assert balance_fen(code=POINTS_ISSUED) == -1_000
    assert customer_balances_fen(customer_id=customer.pk) == {"points": 700, "balance": 0}


@both_ways
def test_posting_again_posts_nothing(customer, post):
    postings = [posting(f"points:{customer.pk}", ESCROW, 300), posting(ESCROW, SALES, 300, kind="sale")]
    post(*postings)
    before = books()

    post(*postings)

    assert books() == before


@both_ways
def test_goods_and_shipping_of_one_reference_are_two_transfers(customer, post):
    post(posting(ESCROW, SALES, 295, kind="sale"), posting(ESCROW, SHIPPING, 5, kind="shipping"))

    assert (balance_fen(code=SALES), balance_fen(code=SHIPPING), balance_fen(code=ESCROW)) == (295, 5, -300)


@both_ways
def test_of_a_batch_that_is_posted_in_part_only_the_rest_moves(customer, post):
    post(posting(f"points:{customer.pk}", ESCROW, 300))

    post(posting(f"points:{customer.pk}", ESCROW, 300), posting(f"points:{customer.pk}", ESCROW, 50, reference="r2"))

    assert points_fen(customer) == 650


@both_ways
@pytest.mark.parametrize(
    "other",
    [{"amount_fen": 301}, {"credit": SALES}, {"debit": SALES, "credit": ESCROW}],
    ids=lambda other: next(iter(other)),
)
def test_a_reference_with_other_figures_is_a_conflict_and_moves_nothing(customer, post, other):
    first = {"debit": f"points:{customer.pk}", "credit": ESCROW, "amount_fen": 300}
    post(posting(**first))
    before = books()

    with pytest.raises(PostingConflict):
        post(posting(**(first | other)), posting(ESCROW, SALES, 1, reference="r2"))

    assert books() == before


@both_ways
def test_more_than_there_is_cannot_be_spent_and_nothing_is_written(customer, post):
    before = books()

    with pytest.raises(NotEnough):
        post(posting(ESCROW, SALES, 1, reference="r2"), posting(f"points:{customer.pk}", ESCROW, 1_001))

    assert books() == before


@both_ways
def test_all_there_is_can_be_spent(customer, post):
    post(posting(f"points:{customer.pk}", ESCROW, 1_000))

    assert points_fen(customer) == 0


@both_ways
def test_what_comes_and_goes_in_one_posting_counts_together(customer, post):
    own = f"points:{customer.pk}"

    post(posting(own, ESCROW, 1_500), posting(POINTS_ISSUED, own, 700, reference="r2", kind="grant"))

    assert points_fen(customer) == 200


@both_ways
def test_an_account_that_is_none_cannot_be_credited(post):
    with pytest.raises(NotEnough):
        post(posting(ESCROW, "points:0", 1))

    assert not Transfer.objects.exists()


def test_posting_needs_a_transaction():
    with pytest.raises(RuntimeError, match="needs an open transaction"):
        ledger.post(posting(ESCROW, SALES, 1))


def test_an_amount_of_nothing_is_no_transfer():
    one_by_one(posting(ESCROW, SALES, 0))

    assert not Transfer.objects.exists()


def test_a_batch_tells_what_it_wrote_in_as_many_statements_for_a_thousand_as_for_two(django_assert_num_queries):
    client = make_client()
    customers = [make_customer(client=client, user_id=str(n)) for n in range(50)]
    postings = [
        posting(POINTS_ISSUED, f"points:{customer.pk}", 10, reference=f"g{customer.pk}", kind="grant")
        for customer in customers
    ]
    one_by_one(postings[0])

    with transaction(), django_assert_num_queries(4):  # insert, compare the repeated, lock, move
        written = ledger.post(*postings)

    assert written == {(one.reference, "grant") for one in postings[1:]}
    assert set(Account.objects.filter(kind="points").values_list("balance_fen", flat=True)) == {10}
