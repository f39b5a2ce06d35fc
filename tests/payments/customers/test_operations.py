import pytest

from payments.customers import operations
from payments.customers.profiles import Profile, ProfileUnfit
from payments.models import Account, AuditRow, Customer
from tests.threads import at_once
from tests.world import make_client, make_customer

pytestmark = pytest.mark.django_db


def profile(**changes):
    fields = {"user_id": "442090", "ee_no": "a09999", "phone": "13800000000", "real_name": "林小满"}
    return Profile(**(fields | changes))


def save(client, **changes):
    return operations.save_customer(client_id=client.pk, profile=profile(**changes), actor="client:shop")


def known():
    return list(Customer.objects.values_list("user_id", "ee_no", "phone", "real_name"))


def test_a_new_customer_gets_both_accounts_and_an_audit_row():
    saved = save(make_client())

    assert saved.is_new
    assert known() == [("442090", "a09999", "13800000000", "林小满")]
    assert set(Account.objects.values_list("customer", "kind", "balance_fen")) == {
        (saved.customer_id, "points", 0),
        (saved.customer_id, "balance", 0),
    }
    row = AuditRow.objects.get()
    assert (row.actor, row.action, row.subject) == ("client:shop", "customer.save", f"customer:{saved.customer_id}")
    assert row.detail == {
        "before": None,
        "after": {"ee_no": "a09999", "phone": "13800000000", "real_name": "林小满"},
    }


def test_a_change_is_audited_with_before_and_after():
    client = make_client()
    save(client)

    saved = save(client, phone="", ee_no="b1")

    assert (saved.is_new, saved.is_changed) == (False, True)
    assert known() == [("442090", "b1", "", "林小满")]
    row = AuditRow.objects.latest("id")
    assert row.detail == {
        "before": {"ee_no": "a09999", "phone": "13800000000", "real_name": "林小满"},
        "after": {"ee_no": "b1", "phone": "", "real_name": "林小满"},
    }
    assert Account.objects.count() == 2


def test_saving_the_same_again_changes_nothing_in_one_statement(django_assert_num_queries):
    client = make_client()
    save(client)

    with django_assert_num_queries(3):  # SAVEPOINT, SELECT … FOR UPDATE, RELEASE
        saved = save(client)

    assert (saved.is_new, saved.is_changed) == (False, False)
    assert AuditRow.objects.count() == 1


def test_what_a_customer_has_is_not_touched_by_a_change():
    client = make_client()
    customer = make_customer(client=client, points_fen=13_128)

    save(client)

    assert Account.objects.get(customer=customer, kind="points").balance_fen == 13_128


def test_two_clients_may_use_one_user_id():
    first = save(make_client())

    second = save(make_client(name="mall"))

    assert second.is_new
    assert first.customer_id != second.customer_id


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("user_id", ""),
        ("user_id", "a" * 65),
        ("user_id", " 1"),
        ("ee_no", "a\0b"),
        ("phone", "1" * 33),
        ("real_name", "two\nlines"),
        ("real_name", "\ud800"),
        ("real_name", "\u202eright to left"),
    ],
)
def test_a_text_that_cannot_be_kept_is_refused_and_named(field, text):
    client = make_client()

    with pytest.raises(ProfileUnfit) as refusal:
        save(client, **{field: text})

    assert refusal.value.field == field
    assert not Customer.objects.exists()
    assert not AuditRow.objects.exists()


def test_a_thousand_customers_take_as_many_statements_as_one(django_assert_num_queries):
    client = make_client()
    save(client, user_id="0")

    with operations.transaction(), django_assert_num_queries(5):  # stand, make, accounts, change, audit
        saved = operations.save_all(
            client_id=client.pk, profiles=[profile(user_id=str(n), phone="1") for n in range(1_000)], actor="system"
        )

    assert [one.is_new for one in saved] == [False] + [True] * 999
    assert Account.objects.count() == 2_000
    assert AuditRow.objects.count() == 1_001


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_make_one_customer():
    client = make_client()

    outcomes = at_once(20, lambda n: save(client, phone=str(n)))

    assert [outcome.is_new for outcome in outcomes].count(True) == 1
    assert Customer.objects.count() == 1
    assert Account.objects.count() == 2
    phones = [row.detail["after"]["phone"] for row in AuditRow.objects.order_by("id")]
    before = [row.detail["before"] and row.detail["before"]["phone"] for row in AuditRow.objects.order_by("id")]
    assert before == [None, *phones[:-1]]
    assert Customer.objects.get().phone == phones[-1]
