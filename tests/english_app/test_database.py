"""What the database itself refuses of the English app, whoever asks: plain SQL, past every rule of ours."""

import itertools
import re

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.db.models import ProtectedError

from english_app.models import Agent, EnglishOrder, Good, Grant, Membership, OrderLine
from english_app.states import DELIVERIES, RETURNS, Delivery, Return
from payments.models import Order
from payments.transactions import savepoint
from tests.english_app import world
from tests.english_app.dealings import paid

pytestmark = pytest.mark.django_db

TABLE = "english_app_englishorder"


@pytest.fixture
def the_books_are_right_in_the_end():
    """Here they are wrong on purpose: instead of what every other module of this directory checks."""


@pytest.fixture
def document(shop, learner, month):
    """A purchase that is paid and not delivered."""
    return paid(client=shop, goods={month: 1}, agent_id=world.make_agent(client=shop).pk)


@pytest.fixture
def delivered(shop, learner, month):
    return world.buy(client=shop, goods={month: 1})


@pytest.fixture
def recharge(shop, learner, month):
    return world.document(world.init(client=shop, goods={month: 1}, money_fen=2_900).recharge)


def sql(statement):
    with savepoint(), connection.cursor() as cursor:
        cursor.execute(statement.replace("returning", '"returning"'))  # a word of SQL's own


def rows(model):
    return list(model.objects.order_by("pk").values())


def refused(statement, match, *, model=EnglishOrder, error=DatabaseError):
    before = rows(model)
    with pytest.raises(error, match=match):
        sql(statement)
    assert rows(model) == before


def guard(function):
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", [function])
        (source,) = cursor.fetchone()
    return source


# --- orders


MADE_OF = {
    "order_id": "0", "customer_id": "0", "type": "0", "purchase_id": "id", "app_id": "app_id + 1", "agent_id": "NULL",
    "user_name": "'x'", "imeil": "'x'", "ip": "'10.0.0.1'", "pay_way": "'alipay'",
    "price_total_fen": "price_total_fen + 1",
}  # fmt: skip
GOES_ON = {
    "id", "delivery", "delivery_attempts", "deliver_due_at", "delivered_at", "returning", "return_asks",
    "return_asked_at", "decided_by", "decided_at", "refund_id", "returned_at", "message",
}  # fmt: skip


@pytest.mark.parametrize("column", MADE_OF)
def test_an_order_keeps_what_it_was_made_of(document, column):
    refused(f"UPDATE {TABLE} SET {column} = {MADE_OF[column]}", "keeps what it was made of")


def test_every_column_is_either_kept_or_known_to_go_on():
    columns = {field.column for field in EnglishOrder._meta.concrete_fields}
    kept = set(re.findall(r"NEW\.(\w+)", guard("english_app_guard_order").partition("IS DISTINCT FROM")[0]))

    assert kept == set(MADE_OF) == columns - GOES_ON


def allowed(column):
    """The moves that the trigger lists, as `source>target`."""
    listed = re.search(
        rf"OLD\.{column} \|\| '>' \|\| NEW\.{column} NOT IN \((.*?)\)", guard("english_app_guard_order"), re.DOTALL
    )
    return sorted(re.findall(r"'(\w+>\w+)'", listed[1]))


def derived(table):
    moves = {f"{source}>{target}" for source, row in table.items() for target in row.values()}
    return sorted(moves | {f"{state}>{state}" for state in table})


def test_the_trigger_knows_the_moves_of_the_tables_and_no_others():
    assert allowed("delivery") == derived(DELIVERIES)
    assert allowed("returning") == derived(RETURNS)


DELIVERED_AT = {"waiting": "NULL", "failed": "NULL", "delivered": "coalesce(delivered_at, now())"}
PATHS = {"waiting": [], "failed": ["failed"], "delivered": ["delivered"]}


def deliver(delivery):
    return f"UPDATE {TABLE} SET delivery = '{delivery}', delivered_at = {DELIVERED_AT[delivery]}, deliver_due_at = NULL"


@pytest.mark.parametrize(("source", "target"), list(itertools.product(Delivery, Delivery)))
def test_deliveries_move_as_the_table_says_and_no_other_way(document, source, target):
    for step in PATHS[source]:
        sql(deliver(step))

    if source == target or target in DELIVERIES[source].values():
        sql(deliver(target))
        document.refresh_from_db()
        assert document.delivery == target
    else:
        refused(deliver(target), f"cannot go from {source} to {target}")


RETURN_PATHS = {
    "none": [], "asked": ["asked"], "approved": ["asked", "approved"], "failed": ["asked", "failed"],
    "returned": ["returned"],
}  # fmt: skip


def give_back(returning):
    asked = "return_asks, return_asked_at = return_asked_at"
    if returning in {"asked", "approved", "failed"}:
        asked = "greatest(return_asks, 1), return_asked_at = coalesce(return_asked_at, now())"
    returned_at = "coalesce(returned_at, now())" if returning == "returned" else "NULL"
    return (
        f"UPDATE {TABLE} SET returning = '{returning}', returned_at = {returned_at}, deliver_due_at = NULL, "
        f"return_asks = {asked}"
    )


@pytest.mark.parametrize(("source", "target"), list(itertools.product(Return, Return)))
def test_returns_move_as_the_table_says_and_no_other_way(document, source, target):
    for step in RETURN_PATHS[source]:
        sql(give_back(step))

    if source == target or target in RETURNS[source].values():
        sql(give_back(target))
        document.refresh_from_db()
        assert document.returning == target
    else:
        refused(give_back(target), f"cannot go from {source} to {target}")


@pytest.mark.parametrize("change", ["NULL", "delivered_at + interval '1 s'"])
def test_an_order_is_delivered_once(delivered, change):
    refused(f"UPDATE {TABLE} SET delivered_at = {change}", "delivered once and returned once")


@pytest.mark.parametrize("change", ["NULL", "returned_at + interval '1 s'"])
def test_an_order_is_returned_once(document, change):
    sql(give_back("returned"))

    refused(f"UPDATE {TABLE} SET returned_at = {change}", "delivered once and returned once")


def test_asks_are_not_forgotten(document):
    sql(f"UPDATE {TABLE} SET returning = 'asked', return_asks = 2, return_asked_at = now(), deliver_due_at = NULL")

    refused(f"UPDATE {TABLE} SET return_asks = 1", "delivered once and returned once")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("delivery = 'delivered', deliver_due_at = NULL", "delivery_as_it_went"),
        ("delivery = 'delivered', delivered_at = now()", "delivery_as_it_went"),
        ("delivered_at = now()", "delivery_as_it_went"),
        ("delivery = 'failed'", "delivery_as_it_went"),
        ("delivery = 'failed', deliver_due_at = NULL, delivered_at = now()", "delivery_as_it_went"),
        ("returning = 'asked', deliver_due_at = NULL", "return_as_it_went"),
        ("returning = 'asked', deliver_due_at = NULL, return_asks = 1", "return_as_it_went"),
        ("returning = 'asked', deliver_due_at = NULL, return_asked_at = now()", "return_as_it_went"),
        ("returning = 'returned', deliver_due_at = NULL", "return_as_it_went"),
        ("returned_at = now()", "return_as_it_went"),
        ("return_asks = 1", "return_as_it_went"),
        ("return_asked_at = now()", "return_as_it_went"),
        ("returning = 'asked', return_asks = 1, return_asked_at = now()", "nothing_delivered_while_returned"),
        ("returning = 'returned', returned_at = now()", "nothing_delivered_while_returned"),
        (
            "returning = 'asked', deliver_due_at = NULL, return_asks = 3, return_asked_at = now()",
            "return_asked_twice_at_most",
        ),
        ("delivery_attempts = -1", "delivery_attempts_check"),
    ],
)
def test_an_order_is_where_its_times_say(document, change, constraint):
    refused(f"UPDATE {TABLE} SET {change}", constraint, error=IntegrityError)


COLUMNS = [field.column for field in EnglishOrder._meta.concrete_fields if field.column != "id"]


def insert_copy(source, **changes):
    chosen = ", ".join(changes.get(column, column) for column in COLUMNS)
    return f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) SELECT {chosen} FROM {TABLE} WHERE id = {source.pk}"


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"type": "2"}, "type_known|purchase_from_balance"),
        ({"pay_way": "'cash'"}, "pay_way_known|purchase_from_balance"),
        ({"pay_way": "'alipay'"}, "purchase_from_balance"),
        ({"purchase_id": "id"}, "purchase_from_balance"),
        ({"type": "0", "pay_way": "'alipay'"}, "purchase_from_balance"),
        ({"price_total_fen": "0"}, "price_positive"),
        ({"delivery": "'odd'"}, "delivery_as_it_went"),
        ({"returning": "'odd'"}, "return_as_it_went|nothing_delivered"),
        ({"order_id": "order_id"}, "order_id_key"),
        ({"customer_id": "NULL"}, "customer_id"),
    ],
)
def test_a_document_that_makes_no_sense_is_refused(document, changes, constraint):
    refused(insert_copy(document, **{"order_id": "0"} | changes), constraint, error=IntegrityError)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"pay_way": "'balance'", "purchase_id": "id"}, "purchase_from_balance"),
        ({}, "purchase_id_key"),
    ],
)
def test_nor_is_a_recharge_paid_from_the_balance_or_a_second_for_one_purchase(recharge, changes, constraint):
    refused(insert_copy(recharge, **{"order_id": "0"} | changes), constraint, error=IntegrityError)


# --- lines, grants, memberships


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE english_app_orderline SET num = num + 1", "UPDATE english_app_orderline SET price_fen = 1",
        "UPDATE english_app_orderline SET title = title", "DELETE FROM english_app_orderline",
    ],
)  # fmt: skip
def test_a_line_stays_as_it_was_sold(document, statement):
    refused(statement, "stays as it was sold", model=OrderLine)


def insert_line(**changes):
    columns = [field.column for field in OrderLine._meta.concrete_fields if field.column != "id"]
    chosen = ", ".join(changes.get(column, column) for column in columns)
    return f"INSERT INTO english_app_orderline ({', '.join(columns)}) SELECT {chosen} FROM english_app_orderline"


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({}, "good_once"),
        ({"good_id": "0", "num": "0"}, "num_within|num_check"),
        ({"good_id": "0", "num": "1000"}, "num_within"),
        ({"good_id": "0", "price_fen": "0"}, "price_positive"),
        ({"good_id": "0", "periods": "0"}, "lasts_if_a_membership"),
        ({"good_id": "0", "period_unit": "''"}, "lasts_if_a_membership"),
        ({"good_id": "0", "period_unit": "'year'"}, "lasts_if_a_membership"),
        ({"good_id": "0", "kind": "'item'"}, "lasts_if_a_membership"),
        ({"good_id": "0", "kind": "'odd'"}, "lasts_if_a_membership"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(document, changes, constraint):
    refused(insert_line(**changes), constraint, model=OrderLine, error=IntegrityError)


@pytest.mark.parametrize("change", ["line_id = 0", "customer_id = 0", "granted_at = granted_at + interval '1 s'"])
def test_a_grant_stays_what_it_was(delivered, change):
    refused(f"UPDATE english_app_grant SET {change}", "given once and taken back once", model=Grant)


@pytest.mark.parametrize("change", ["NULL", "taken_back_at + interval '1 s'"])
def test_a_grant_is_taken_back_once(delivered, change):
    sql("UPDATE english_app_grant SET taken_back_at = now()")

    refused(f"UPDATE english_app_grant SET taken_back_at = {change}", "given once and taken back once", model=Grant)


def test_a_grant_is_not_deleted(delivered):
    refused("DELETE FROM english_app_grant", "given once and taken back once", model=Grant)


def test_a_line_is_granted_once(delivered):
    refused(
        "INSERT INTO english_app_grant (line_id, customer_id, granted_at) "
        "SELECT line_id, customer_id, granted_at FROM english_app_grant",
        "line_id_key", model=Grant, error=IntegrityError,
    )  # fmt: skip


def test_a_customer_has_one_membership(delivered):
    refused(
        "INSERT INTO english_app_membership (customer_id) SELECT customer_id FROM english_app_membership",
        "customer_id_key", model=Membership, error=IntegrityError,
    )  # fmt: skip


# --- goods and agents


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("kind = 'odd'", "good_kind_known|good_lasts"),
        ("kind = 'item'", "good_lasts_if_a_membership"),
        ("periods = 0", "good_lasts_if_a_membership"),
        ("period_unit = ''", "good_lasts_if_a_membership"),
        ("period_unit = 'year'", "good_lasts_if_a_membership"),
        ("price_fen = 0", "good_price_positive"),
        ("price_fen = -1", "good_price_positive"),
    ],
)
def test_a_good_that_makes_no_sense_is_refused(month, change, constraint):
    refused(f"UPDATE english_app_good SET {change}", constraint, model=Good, error=IntegrityError)


def test_an_agent_s_title_is_its_own_within_its_client(shop):
    world.make_agent(client=shop)
    world.make_agent(client=world.make_english_client(name="other", app_id=2))
    other = world.make_agent(client=shop, title="b")

    refused(
        f"UPDATE english_app_agent SET title = '校园渠道' WHERE id = {other.pk}", "agent_title_once",
        model=Agent, error=IntegrityError,
    )  # fmt: skip


@pytest.mark.parametrize("model", [Order, EnglishOrder, OrderLine, Good, Agent])
def test_nothing_that_an_order_points_at_is_deleted(delivered, document, model):
    count = model.objects.count()

    with pytest.raises(ProtectedError), savepoint():
        model.objects.all().delete()

    assert model.objects.count() == count >= 1


@pytest.mark.parametrize("table", ["englishorder", "good", "agent"])
def test_nor_is_it_by_plain_sql(delivered, document, table):
    sql("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError, match="violates foreign key"):
        sql(f"DELETE FROM english_app_{table}")
