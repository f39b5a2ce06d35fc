"""Lists of the programme: what each filter finds, pages that lead on while orders come in, and what they cost."""

import datetime
import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from partner_orders import shipping
from partner_orders.models import Address, CustomerCoupon, GiftPack, PayType
from partner_orders.shipping import Shipment
from payments.closing import operations as closing
from payments.models import Charge, Order
from payments.refunds import operations as refunds
from payments.refunds.operations import RefundCommand
from tests.calls import Text
from tests.partner_orders.calls import WAYS, call, result
from tests.partner_orders.test_calls import ADDRESSES, COUPONS, GIFTS, ORDERS, USER
from tests.partner_orders.world import (
    PACK_UID,
    buy,
    make_address,
    make_alipay,
    make_coupon,
    make_pack,
    make_partner,
)

pytestmark = pytest.mark.django_db

DAY = datetime.timedelta(days=1)
EVERY_WAY = pytest.mark.parametrize("way", WAYS)
STATUSES = ("0", "1", "2", "3", "4", "5", "6")
KEYS = {ORDERS: "order_no", GIFTS: "gift_pos_id", COUPONS: "coupon_id", ADDRESSES: "address_id"}
FILTERS = {
    ORDERS: ["gift_pos_id", "order_status", "order_time_from", "order_time_to", "pay_type"],
    GIFTS: ["in_stock"], COUPONS: ["coupon_status"], ADDRESSES: ["is_default"],
}  # fmt: skip


@pytest.fixture
def pack(client_):
    """Cheap: many are bought."""
    return make_pack(client=client_, price_fen=200, pieces=20)


def found(client, path, *, way="json", **filters):
    return [row[KEYS[path]] for row in result(client, path, {**USER, **filters}, way=way)["results"]]


@pytest.fixture
def stages(customer, pack, address):
    """An order of each status number, by it."""
    make_alipay()
    documents = {
        status: buy(pack=pack, address=address, pay_type=PayType.ALIPAY if status in "04" else PayType.BALANCE,
                    key=f"tap-{status}")
        for status in STATUSES if status != "6"
    }  # fmt: skip
    documents["6"] = buy(pack=make_pack(client=pack.client, uid="6" * 32, price_fen=100), address=address)
    at, orders = timezone.now(), {status: document.order for status, document in documents.items()}
    for status in "23":
        parcel = Shipment(name="顺丰速运", number="SF1", at=at)
        shipping.ship(order_id=orders[status].pk, shipment=parcel, actor="test", at=at)
    shipping.receive(order_id=orders["3"].pk, actor="test", at=at)
    Charge.objects.filter(order=orders["4"]).update(status="closed", next_query_at=None)
    closing.close(order_id=orders["4"].pk, actor="test", at=at)
    for status in "56":
        command = RefundCommand(goods_fen=100, refund_no=f"R{status}")
        refunds.refund(order_id=orders[status].pk, command=command, actor="client:shop", at=at)
    return {status: order.number for status, order in orders.items()}


# --- filters


@EVERY_WAY
def test_orders_are_found_by_the_status_that_they_show(client, stages, way):
    by_status = {status: found(client, ORDERS, order_status=status, way=way) for status in STATUSES}

    assert by_status == {status: [number] for status, number in stages.items()}


@EVERY_WAY
def test_orders_are_found_by_what_they_are_paid_with_and_by_their_pack(client, stages, way):
    newest_first = [stages[status] for status in "6543210"]

    assert found(client, ORDERS, way=way) == newest_first
    assert found(client, ORDERS, pay_type="2", way=way) == [stages["4"], stages["0"]]
    assert found(client, ORDERS, pay_type="1", way=way) == [stages[status] for status in "65321"]
    assert found(client, ORDERS, gift_pos_id="6" * 32, way=way) == [stages["6"]]
    assert found(client, ORDERS, gift_pos_id="nothing", way=way) == []


@pytest.mark.parametrize(
    "form",
    [
        lambda at: f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}",
        lambda at: str(int(at.timestamp())),
        lambda at: str(int(at.timestamp()) * 1_000),
        lambda at: Text(int(at.timestamp())),
    ],
    ids=["clock", "seconds", "milliseconds", "number"],
)
def test_orders_are_found_by_when_they_were_made(client, pack, address, form):
    noon = datetime.datetime(2026, 3, 1, 4, 0, tzinfo=datetime.UTC)
    early, at_noon, late = (
        buy(pack=pack, address=address, at=noon + hours * datetime.timedelta(hours=1)).order.number
        for hours in (-1, 0, 1)
    )

    assert found(client, ORDERS, order_time_from=form(noon)) == [late, at_noon]
    assert found(client, ORDERS, order_time_to=form(noon)) == [early]
    assert found(client, ORDERS, order_time_from=form(noon), order_time_to=form(noon + DAY)) == [late, at_noon]


@EVERY_WAY
def test_packs_are_found_by_whether_some_are_left(client, customer, pack, way):
    sold_out = make_pack(client=pack.client, uid="1" * 32, pieces=0)

    assert found(client, GIFTS, in_stock="1", way=way) == [PACK_UID]
    assert found(client, GIFTS, in_stock="0", way=way) == [sold_out.uid]


@EVERY_WAY
def test_coupons_are_found_by_what_can_be_done_with_them(client, customer, pack, address, way):
    today = timezone.localdate()
    dates = {"usable": (today, today), "to_come": (today + DAY, today + DAY), "expired": (today - DAY, today - DAY)}
    coupons = {
        state: make_coupon(customer=customer, valid_from=first, valid_until=last)
        for state, (first, last) in dates.items()
    }
    coupons["used"] = make_coupon(customer=customer, off_fen=100)
    buy(pack=pack, address=address, coupon=coupons["used"])

    listed = result(client, COUPONS, USER, way=way)["results"]
    by_state = {state: found(client, COUPONS, coupon_status=state, way=way) for state in coupons}

    assert by_state == {state: [own.uid] for state, own in coupons.items()}
    assert {row["coupon_id"]: row["coupon_status"] for row in listed} == {
        own.uid: state for state, own in coupons.items()
    }


@EVERY_WAY
def test_the_default_address_is_found(client, customer, address, way):
    chosen = make_address(customer=customer, is_default=True)

    assert found(client, ADDRESSES, is_default="1", way=way) == [chosen.pk]
    assert found(client, ADDRESSES, is_default="0", way=way) == [address.pk]


def test_lists_are_of_one_customer_and_of_the_client_s_packs(client, customer, pack, address):
    neighbour = make_partner(client=customer.client, user_id="neighbour")
    theirs = make_address(customer=neighbour)
    buy(pack=pack, address=theirs, coupon=make_coupon(customer=neighbour, off_fen=100))

    assert found(client, ORDERS) == found(client, COUPONS) == []
    assert found(client, ADDRESSES) == [address.pk]


def refused(client, path, params, *, way="json"):
    status, answer = call(client, path, {**USER, **params}, way=way)
    assert (answer["code"], answer["result"], answer["errors"]) == (
        0, {}, {name: [answer["msg"]] for name in params},
    )  # fmt: skip
    return status, answer["error_code"], answer["msg"]


@EVERY_WAY
@pytest.mark.parametrize("path", list(FILTERS))
def test_a_filter_that_is_none_is_refused_with_those_that_are(client, customer, path, way):
    status, code, sentence = refused(client, path, {"order_stauts": "1"}, way=way)

    assert (status, code) == (400, "invalid_field")
    assert sentence == f"没有这个筛选条件。可用的有：{', '.join(FILTERS[path])}。"


@pytest.mark.parametrize(
    "value", ["", "x", "7", " 1", "１", "1,2", "null", Text("1.0"), True, [], ["1"], {"a": 1}], ids=repr
)
@pytest.mark.parametrize(
    ("path", "name"), [(path, name) for path, names in FILTERS.items() for name in names if name != "gift_pos_id"]
)
def test_a_value_that_no_filter_has_is_refused_by_name(client, customer, path, name, value):
    status, code, _sentence = refused(client, path, {name: value})

    assert (status, code) == (400, "invalid_field")


@pytest.mark.parametrize("value", ["", "x" * 65, True, [], ["1"], {"a": 1}], ids=repr)
def test_a_pack_that_is_no_text_is_refused_by_name(client, customer, value):
    assert refused(client, ORDERS, {"gift_pos_id": value})[:2] == (400, "invalid_field")


# --- pages


def a_lot(path, *, address, pack, pieces=7):
    """Make as many rows as are to be listed."""
    for number in range(pieces):
        match path:
            case "/app/partner/order/list":
                buy(pack=pack, address=address, key=f"tap-{Order.objects.count()}")
            case "/app/partner/gift/list":
                make_pack(client=pack.client, uid=f"{GiftPack.objects.count():032x}")
            case "/app/partner/coupon/list":
                make_coupon(customer=address.customer)
            case "/app/partner/address/list":
                make_address(customer=address.customer, name=str(number))


ROWS = {ORDERS: Order, GIFTS: GiftPack, COUPONS: CustomerCoupon, ADDRESSES: Address}


@EVERY_WAY
@pytest.mark.parametrize("path", list(ROWS))
def test_pages_lead_on_and_back_while_more_comes_in(client, pack, address, path, way):
    a_lot(path, address=address, pack=pack, pieces=7 - ROWS[path].objects.count())
    expected = found(client, path)
    pages, asked = [], {**USER, "page_size": 3}

    while True:
        page = result(client, path, asked, way=way)
        pages.append([row[KEYS[path]] for row in page["results"]])
        if not page["next"]:
            break
        a_lot(path, address=address, pack=pack, pieces=2)
        asked = asked_by(page["next"])
    back = result(client, path, asked_by(page["previous"]), way=way)

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [key for page in pages for key in page] == expected
    assert [row[KEYS[path]] for row in back["results"]] == pages[1]


def asked_by(link):
    """Return the parameters of a link: this call's time and sign are not among them."""
    asked = dict(parse_qsl(urlsplit(link).query))
    assert asked.keys() == {"user_id", "page_size", "cursor"}
    return asked


@EVERY_WAY
@pytest.mark.parametrize(
    "asked",
    [{"cursor": "x"}, {"page_size": 0}, {"page_size": 201}, {"page_size": "x"}, {"page_size": ""}],
    ids=str,
)
def test_a_page_that_is_none_is_refused_by_name(client, customer, asked, way):
    status, code, _sentence = refused(client, ORDERS, asked, way=way)

    assert (status, code) == (400, "unreadable_cursor" if "cursor" in asked else "invalid_field")


# --- what a page costs: the client, the customer where one is named, the page and, of orders, their payments

STATEMENTS = {
    ORDERS: ["payments_apiclient", "payments_customer", "partner_orders_partnerorder", "payments_charge"],
    GIFTS: ["payments_apiclient", "partner_orders_giftpack"],
    COUPONS: ["payments_apiclient", "payments_customer", "partner_orders_customercoupon"],
    ADDRESSES: ["payments_apiclient", "payments_customer", "partner_orders_address"],
}


@pytest.mark.parametrize("path", list(STATEMENTS))
@pytest.mark.parametrize("pieces", [1, 7])
def test_a_page_of_many_asks_as_much_as_a_page_of_one(client, pack, address, path, pieces):
    a_lot(path, address=address, pack=pack, pieces=pieces)

    with CaptureQueriesContext(connection) as captured:
        result(client, path, USER)

    assert [first_table(query["sql"]) for query in captured] == STATEMENTS[path]


def first_table(sql):
    """Return the first table of ours that a statement names."""
    return re.search(r"\b(?:payments|partner_orders)_\w+", sql)[0]
