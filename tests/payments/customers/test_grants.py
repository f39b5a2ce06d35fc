from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from payments.customers import grants
from payments.customers.grants import Direction, GrantCommand, GrantNumberReused, GrantUnfit
from payments.customers.queries import CustomerUnknown
from payments.ledger.accounts import Kind
from payments.ledger.operations import NotEnough
from payments.models import Account, AuditRow, Transfer
from payments.money import NotAnAmount
from tests.threads import at_once
from tests.world import make_client, make_customer, points_fen

pytestmark = pytest.mark.django_db


def grant(client, *, user_id="442090", **changes):
    fields = {"grant_no": "g1", "kind": Kind.POINTS, "direction": Direction.IN, "amount_fen": 50_000, "reason": "新年"}
    return grants.grant(
        client_id=client.pk, user_id=user_id, command=GrantCommand(**(fields | changes)), actor="client:shop"
    )


def books():
    transfers = list(Transfer.objects.order_by("id").values_list("debit", "credit", "amount_fen", "reference"))
    accounts = list(Account.objects.order_by("id").values_list("kind", "balance_fen"))
    return transfers, accounts, AuditRow.objects.count()


def test_points_are_given_out_of_what_we_issued():
    client = make_client()
    customer = make_customer(client=client)

    holds = grant(client)

    assert holds == {"points": 50_000, "balance": 0}
    transfers, accounts, _audited = books()
    assert transfers == [("points_issued", f"points:{customer.pk}", 50_000, f"grant:{client.pk}:g1")]
    assert accounts == [("points", 50_000), ("balance", 0)]
    row = AuditRow.objects.get()
    assert (row.actor, row.action, row.subject) == ("client:shop", "customer.grant", f"customer:{customer.pk}")
    assert row.detail == {
        "reference": f"grant:{client.pk}:g1",
        "kind": "points",
        "direction": "in",
        "reason": "新年",
        "amount_fen": 50_000,
        "before_fen": 0,
        "after_fen": 50_000,
    }


def test_balance_is_taken_back_into_what_we_issued():
    client = make_client()
    customer = make_customer(client=client, balance_fen=10_000)

    holds = grant(client, kind=Kind.BALANCE, direction=Direction.OUT, amount_fen=10_000)

    assert holds == {"points": 0, "balance": 0}
    taken = Transfer.objects.latest("id")
    assert (taken.debit, taken.credit) == (f"balance:{customer.pk}", "balance_issued")


def test_more_than_there_is_cannot_be_taken_and_nothing_moves():
    client = make_client()
    make_customer(client=client, points_fen=49_999)
    before = books()

    with pytest.raises(NotEnough):
        grant(client, direction=Direction.OUT)

    assert books() == before


def test_the_same_grant_again_grants_nothing_and_tells_what_there_is():
    client = make_client()
    make_customer(client=client)
    grant(client)
    before = books()

    assert grant(client, reason="told otherwise") == {"points": 50_000, "balance": 0}
    assert books() == before


@pytest.mark.parametrize(
    "change",
    [{"amount_fen": 50_001}, {"kind": Kind.BALANCE}, {"direction": Direction.OUT}, {"user_id": "2"}],
    ids=lambda change: next(iter(change)),
)
def test_a_number_used_for_another_grant_is_refused_and_nothing_moves(change):
    client = make_client()
    make_customer(client=client)
    make_customer(client=client, user_id="2")
    grant(client)
    before = books()

    with pytest.raises(GrantNumberReused) as refusal:
        grant(client, **change)

    assert (refusal.value.status, refusal.value.field) == (409, "grant_no")
    assert books() == before


def test_two_clients_may_use_one_number():
    make_customer(client=(shop := make_client()))
    make_customer(client=(mall := make_client(name="mall")))

    assert grant(shop) == grant(mall)
    assert Transfer.objects.count() == 2


def test_a_customer_of_another_client_is_unknown():
    make_customer(client=make_client())

    with pytest.raises(CustomerUnknown):
        grant(make_client(name="mall"))

    assert not Transfer.objects.exists()


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("grant_no", {"grant_no": ""}),
        ("grant_no", {"grant_no": "a" * 37}),
        ("grant_no", {"grant_no": "a b"}),
        ("grant_no", {"grant_no": "１"}),
        ("amount", {"amount_fen": 0}),
        ("reason", {"reason": "a" * 201}),
        ("reason", {"reason": "a\0"}),
    ],
)
def test_what_cannot_be_booked_is_refused_and_named(field, change):
    client = make_client()
    make_customer(client=client)

    with pytest.raises(GrantUnfit) as refusal:
        grant(client, **change)

    assert refusal.value.field == field
    assert not Transfer.objects.exists()


def test_the_longest_number_fits_the_reference():
    client = make_client()
    make_customer(client=client)

    grant(client, grant_no="9" * 36)

    assert Transfer.objects.get().reference == f"grant:{client.pk}:{'9' * 36}"


@pytest.mark.django_db(transaction=True)
def test_a_grant_sent_fifty_times_at_once_is_granted_and_audited_once():
    client = make_client()
    customer = make_customer(client=client)

    outcomes = at_once(50, lambda n: grant(client))

    assert outcomes == [{"points": 50_000, "balance": 0}] * 50
    assert points_fen(customer) == 50_000
    assert (Transfer.objects.count(), AuditRow.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_one_number_for_two_customers_at_once_is_granted_to_one():
    client = make_client()
    for user_id in "12":
        make_customer(client=client, user_id=user_id)

    outcomes = at_once(20, lambda n: grant(client, user_id="12"[n % 2]))

    assert Counter(type(outcome).__name__ for outcome in outcomes) == {"dict": 10, "GrantNumberReused": 10}
    assert (Transfer.objects.count(), AuditRow.objects.count()) == (1, 1)


def test_the_command_gives_takes_and_repeats(capsys):
    make_customer(client=make_client())
    whom = ["grant", "--client", "shop", "--user-id", "442090"]

    call_command(*whom, "--points", "500.00", "--grant-no", "n1", "--reason", "welcome")
    call_command(*whom, "--points", "500.00", "--grant-no", "n1")
    call_command(*whom, "--balance", "100")
    call_command(*whom, "--points", "0.5", "--take")

    assert capsys.readouterr().out.splitlines()[-2:] == ["points: 499.50", "balance: 100.00"]
    assert Transfer.objects.count() == 3


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--points", "1.234"], NotAnAmount),
        (["--points", "-5"], NotAnAmount),
        (["--balance", "1", "--take"], NotEnough),
        (["--points", "1", "--grant-no", "a b"], GrantUnfit),
        (["--points", "1", "--user-id", "nobody"], CustomerUnknown),
        (["--points", "1", "--client", "nobody"], type(None)),
    ],
)
def test_the_command_refuses_and_nothing_moves(arguments, cause):
    make_customer(client=make_client())

    with pytest.raises(CommandError) as refusal:
        call_command("grant", "--client", "shop", "--user-id", "442090", *arguments)

    assert isinstance(refusal.value.__cause__, cause)
    assert not Transfer.objects.exists()
