"""What the database itself refuses of the partner programme, whoever asks: plain SQL, past every rule of ours."""

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.db.models import ProtectedError

from partner_orders.models import (
    Address,
    Coupon,
    CustomerCoupon,
    CustomerLevel,
    GiftPack,
    PartnerOrder,
    UserLevel,
)
from partner_orders.states import TRANSITIONS, Delivery
from payments.models import Order
from payments.transactions import savepoint
from tests.partner_orders.world import (
    NOW,
    buy,
    make_address,
    make_coupon,
    make_level,
    make_pack,
    make_partner,
    make_partner_client,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def the_books_are_right_in_the_end():
    """Here they are wrong on purpose: instead of what every other module of this directory checks."""


@pytest.fixture
def document(client_, address, customer):
    pack = make_pack(client=client_, level=make_level(client=client_), score=10)
    return buy(pack=pack, address=address, coupon=make_coupon(customer=customer), at=NOW)


def sql(statement, *parameters):
    with savepoint(), connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


def rows(model):
    return list(model.objects.order_by("pk").values())


def refused(statement, match, *, model=PartnerOrder, error=DatabaseError):
    before = rows(model)
    with pytest.raises(error, match=match):
        sql(statement)
    assert rows(model) == before


# --- partner orders


@pytest.mark.parametrize(
    "change",
    [
        "order_id = 0", "uid = repeat('0', 32)", "pay_type = 2", "pack_id = 0", "coupon_id = 0", "coupon_id = NULL",
        "pack_title = 'x'", "order_name = 'x'", "description = 'x'", "price_fen = price_fen + 100",
        "deduct_fen = deduct_fen + 100", "score = score + 1", "level_id = NULL", "level_before = 'x'",
        "user_phone = 'x'", "user_real_name = 'x'", "receive_name = 'x'", "receive_phone = 'x'",
        "receive_address = 'x'",
    ],
)  # fmt: skip
def test_an_order_keeps_what_it_was_made_of(document, change):
    refused(f"UPDATE partner_orders_partnerorder SET {change}", "keeps what it was made of")


def test_every_column_is_either_kept_or_known_to_go_on():
    goes_on = {
        "id", "holds", "fulfilled_at", "taken_back_at", "delivery", "express_code", "express_name", "express_number",
        "express_address", "shipped_at", "received_at", "remark",
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'partner_orders_guard_order'")
        (guard,) = cursor.fetchone()

    columns = {field.column for field in PartnerOrder._meta.concrete_fields}

    assert {column for column in columns if f"NEW.{column}," in guard or f"NEW.{column})" in guard} == columns - goes_on


def test_what_is_given_back_is_not_taken_again(document):
    sql("UPDATE partner_orders_partnerorder SET holds = false")

    refused("UPDATE partner_orders_partnerorder SET holds = true", "has given its stock back")


@pytest.mark.parametrize("change", ["NULL", "fulfilled_at + interval '1 s'"])
def test_level_and_score_are_granted_once(document, change):
    refused(f"UPDATE partner_orders_partnerorder SET fulfilled_at = {change}", "grants once and takes back once")


@pytest.mark.parametrize("change", ["NULL", "taken_back_at + interval '1 s'"])
def test_level_and_score_are_taken_back_once(document, change):
    sql("UPDATE partner_orders_partnerorder SET taken_back_at = now()")

    refused(f"UPDATE partner_orders_partnerorder SET taken_back_at = {change}", "grants once and takes back once")


TIMES = {
    "waiting": ("NULL", "NULL"),
    "shipped": ("'2022-01-08'", "NULL"),
    "received": ("'2022-01-08'", "'2022-01-09'"),
}
PAIRS = [(source, target) for source in Delivery for target in Delivery]
MOVES = {(source, target) for source, row in TRANSITIONS.items() for target in row.values()} | {
    (delivery, delivery) for delivery in Delivery
}


def deliver(delivery):
    shipped_at, received_at = TIMES[delivery]
    return (
        f"UPDATE partner_orders_partnerorder SET delivery = '{delivery.value}', shipped_at = {shipped_at}, "
        f"received_at = {received_at}"
    )


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_goods_move_as_the_table_says_and_no_other_way(document, source, target):
    for step in list(Delivery)[1 : list(Delivery).index(source) + 1]:
        sql(deliver(step))

    if (source, target) in MOVES:
        sql(deliver(target))
        document.refresh_from_db()
        assert document.delivery == target
    else:
        refused(deliver(target), f"cannot go from {source} to {target}")


@pytest.mark.parametrize(
    "change",
    [
        "delivery = 'shipped'", "shipped_at = now()", "received_at = now()",
        "delivery = 'shipped', received_at = now()", "delivery = 'shipped', shipped_at = now(), received_at = now()",
    ],
)  # fmt: skip
def test_goods_were_where_their_times_say(document, change):
    refused(f"UPDATE partner_orders_partnerorder SET {change}", "delivery_as_it_went", error=IntegrityError)


COLUMNS = [field.column for field in PartnerOrder._meta.concrete_fields if field.column != "id"]


def insert_copy(**changes):
    """Insert the one order's document once more, with changes (SQL)."""
    chosen = ", ".join(changes.get(column, column) for column in COLUMNS)
    return f"INSERT INTO partner_orders_partnerorder ({', '.join(COLUMNS)}) SELECT {chosen} FROM {TABLE}"


TABLE = "partner_orders_partnerorder"
FRESH = {"uid": "repeat('a', 32)", "order_id": "0", "coupon_id": "NULL", "deduct_fen": "0"}


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"pay_type": "3"}, "pay_type_known"),
        ({"pay_type": "0"}, "pay_type_known"),
        ({"price_fen": "0"}, "leaves_something_to_pay"),
        ({"coupon_id": "coupon_id", "holds": "false", "deduct_fen": "price_fen"}, "leaves_something_to_pay"),
        ({"coupon_id": "coupon_id", "holds": "false", "deduct_fen": "-1"}, "leaves_something_to_pay|only_a_coupon"),
        ({"deduct_fen": "100"}, "only_a_coupon_deducts"),
        ({"coupon_id": "coupon_id", "holds": "false"}, "only_a_coupon_deducts"),
        ({"fulfilled_at": "NULL", "taken_back_at": "now()"}, "taken_back_after_granted"),
        ({"score": "-1"}, "score_check"),
        ({"uid": "uid"}, "uid_key"),
        ({"order_id": "order_id"}, "order_id_key"),
        ({"coupon_id": "coupon_id", "deduct_fen": "deduct_fen"}, "partner_order_coupon_held_once"),
        ({"pack_title": "NULL"}, "pack_title"),
        ({"delivery": "'odd'"}, "delivery_as_it_went"),
    ],
)
def test_a_document_that_makes_no_sense_is_refused(document, changes, constraint):
    refused(insert_copy(**FRESH | changes), constraint, error=IntegrityError)


def test_a_coupon_that_nobody_holds_any_more_may_be_held_again(document):
    sql("UPDATE partner_orders_partnerorder SET holds = false")
    other = buy(pack=document.pack, address=make_address(customer=document.order.customer), at=NOW)
    sql("DELETE FROM partner_orders_partnerorder WHERE id = %s", other.pk)

    sql(insert_copy(uid="repeat('a', 32)", order_id=str(other.order_id), holds="true"))

    assert PartnerOrder.objects.filter(coupon=document.coupon_id).count() == 2


def test_orders_without_a_coupon_do_not_collide(pack, address):
    buy(pack=pack, address=address, at=NOW, key="1")

    buy(pack=pack, address=address, at=NOW, key="2")

    assert PartnerOrder.objects.filter(holds=True, coupon=None).count() == 2


# --- packs


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("stock = -1", "gift_pack_stock_there"),
        ("stock = stocked + 1", "gift_pack_stock_there"),
        ("stocked = stock - 1", "gift_pack_stock_there"),
        ("price_fen = 0", "gift_pack_price_whole_yuan"),
        ("price_fen = -100", "gift_pack_price_whole_yuan"),
        ("price_fen = 30001", "gift_pack_price_whole_yuan"),
        ("score = -1", "score_check"),
    ],
)
def test_a_pack_that_makes_no_sense_is_refused(pack, change, constraint):
    refused(f"UPDATE partner_orders_giftpack SET {change}", constraint, model=GiftPack, error=IntegrityError)


def test_a_pack_s_id_is_its_own(client_, pack):
    other = make_pack(client=client_, uid="4" * 32)

    refused(
        f"UPDATE partner_orders_giftpack SET uid = '{pack.uid}' WHERE id = {other.pk}", "uid_key",
        model=GiftPack, error=IntegrityError,
    )  # fmt: skip


# --- coupons


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("off_fen = 0", "coupon_off_whole_yuan"),
        ("off_fen = -100", "coupon_off_whole_yuan"),
        ("off_fen = 150", "coupon_off_whole_yuan"),
        ("min_price_fen = -1", "coupon_min_price_not_negative"),
        ("valid_until = valid_from - 1", "coupon_ends_after_it_begins"),
    ],
)
def test_a_coupon_that_makes_no_sense_is_refused(customer, change, constraint):
    make_coupon(customer=customer)

    refused(f"UPDATE partner_orders_coupon SET {change}", constraint, model=Coupon, error=IntegrityError)


def test_a_coupon_in_a_hand_stays_that_coupon_and_that_customer_s(client_, customer):
    mine = make_coupon(customer=customer)
    other = make_partner(client=client_, user_id="other")
    better = make_coupon(customer=other, off_fen=29_900)

    for change in (f"customer_id = {other.pk}", f"coupon_id = {better.coupon_id}", "uid = repeat('0', 32)", "id = id"):
        refused(
            f"UPDATE partner_orders_customercoupon SET {change} WHERE id = {mine.pk}", "stays what and whose it is",
            model=CustomerCoupon,
        )  # fmt: skip


def test_a_coupon_s_id_is_its_own(customer):
    mine = make_coupon(customer=customer)

    refused(
        "INSERT INTO partner_orders_customercoupon (uid, coupon_id, customer_id, given_at) "
        f"SELECT uid, coupon_id, customer_id, given_at FROM partner_orders_customercoupon WHERE id = {mine.pk}",
        "uid_key", model=CustomerCoupon, error=IntegrityError,
    )  # fmt: skip


# --- levels and addresses


@pytest.mark.parametrize(
    ("change", "constraint"),
    [("code = 'V5'", "partner_level_code_once"), ("rank = 5", "partner_level_rank_once"), ("rank = -1", "rank_check")],
)
def test_a_level_is_one_step_of_its_client_s_ladder(client_, change, constraint):
    make_level(client=client_)
    other = make_level(client=client_, code="V6", rank=6)

    refused(
        f"UPDATE partner_orders_userlevel SET {change} WHERE id = {other.pk}", constraint,
        model=UserLevel, error=IntegrityError,
    )  # fmt: skip


def test_two_clients_have_a_ladder_each(client_):
    make_level(client=client_)

    make_level(client=make_partner_client(name="other"))

    assert UserLevel.objects.filter(code="V5", rank=5).count() == 2


def test_a_customer_has_one_level(document):
    refused(
        "INSERT INTO partner_orders_customerlevel (customer_id) SELECT customer_id FROM partner_orders_customerlevel",
        "customer_id_key", model=CustomerLevel, error=IntegrityError,
    )  # fmt: skip


def test_a_customer_has_one_default_address(customer):
    make_address(customer=customer, is_default=True)
    make_address(customer=customer)

    refused(
        "UPDATE partner_orders_address SET is_default = true", "address_one_default",
        model=Address, error=IntegrityError,
    )  # fmt: skip


@pytest.mark.parametrize("model", [Order, GiftPack, CustomerCoupon, Coupon, UserLevel])
def test_nothing_that_an_order_points_at_is_deleted(document, model):
    count = model.objects.count()

    with pytest.raises(ProtectedError), savepoint():
        model.objects.all().delete()

    assert model.objects.count() == count >= 1


@pytest.mark.parametrize("table", ["giftpack", "customercoupon", "coupon", "userlevel"])
def test_nor_is_it_by_plain_sql(document, table):
    sql("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError, match="violates foreign key"):
        sql(f"DELETE FROM partner_orders_{table}")
