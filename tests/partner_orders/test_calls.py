"""The calls around document 002's: what they answer, what they ask of a caller, and whose things they touch."""

import datetime
import re

import pytest
from django.db.models import F
from django.utils import timezone

from partner_orders.answers import stamp
from partner_orders.models import Address, PartnerOrder, PayType
from payments.models import AuditRow, Charge, Order
from tests.calls import Text
from tests.calls import signed as stamped
from tests.partner_orders.calls import WAYS, call, get, post, result, signed
from tests.partner_orders.world import (
    PACK_UID,
    USER_ID,
    buy,
    in_stock,
    make_address,
    make_alipay,
    make_coupon,
    make_level,
    make_pack,
    make_partner,
    make_partner_client,
)
from tests.world import make_client

pytestmark = pytest.mark.django_db

PARTNER = "/app/partner"
ORDERS, ORDER, CANCEL, RECEIVE, SHIP = (
    f"{PARTNER}/order/{name}" for name in ("list", "detail", "cancel", "receive", "ship")
)
GIFTS, COUPONS = f"{PARTNER}/gift/list", f"{PARTNER}/coupon/list"
ADDRESSES, ADD, CHANGE, DELETE = (f"{PARTNER}/address/{name}" for name in ("list", "add", "change", "delete"))
EVERY_CALL = (ORDERS, ORDER, CANCEL, RECEIVE, SHIP, GIFTS, COUPONS, ADDRESSES, ADD, CHANGE, DELETE)
READS = (ORDERS, ORDER, GIFTS, COUPONS, ADDRESSES)
PARCEL = {
    "order_express_name": "顺丰速运", "order_express_number": "SF1641549475356", "order_express_no": "SF",
    "order_express_address": "长沙仓",
}  # fmt: skip
RECIPIENT = {"name": "李雷", "phone": "13800138000", "address": "上海市浦东新区A&B大厦 1 号", "is_default": 1}
CHINESE = re.compile(r"[\u4e00-\u9fff]")
USER = {"user_id": USER_ID}
FORM_AND_JSON = pytest.mark.parametrize("way", ["json", "form"])
EVERY_WAY = pytest.mark.parametrize("way", WAYS)
SLASHES = pytest.mark.parametrize("slash", ["", "/"])


@pytest.fixture
def bought(pack, address):
    return buy(pack=pack, address=address)


@pytest.fixture
def waiting(pack, address):
    """An order that waits for Alipay, which has never heard of it and will not."""
    make_alipay()
    document = buy(pack=pack, address=address, pay_type=PayType.ALIPAY)
    Charge.objects.update(status="closed", next_query_at=None)
    return document


def of(document, **changes):
    return {**USER, "order_no": document.order.number, **changes}


# --- orders


@SLASHES
@EVERY_WAY
def test_an_order_is_listed_as_its_own_page_shows_it(client, bought, way, slash):
    told = result(client, ORDER + slash, of(bought), way=way)["order_info"]

    assert (told["order_no"], told["order_status"], len(told)) == (bought.order.number, 1, 35)
    assert result(client, ORDERS + slash, USER, way=way) == {"results": [told], "next": None, "previous": None}


@FORM_AND_JSON
def test_an_order_that_is_not_paid_is_cancelled_once(client, waiting, way):
    told = result(client, CANCEL, of(waiting, reason="顾客不要了"), way=way)["order_info"]

    again = result(client, CANCEL, of(waiting), way=way)["order_info"]
    assert (told["order_status"], again) == (4, told)
    assert in_stock(waiting.pack) == 10
    closing = AuditRow.objects.get(action="order.close")
    assert (closing.actor, closing.detail["reason"]) == ("client:shop", "顾客不要了")


def test_a_paid_order_is_not_cancelled(client, bought):
    status, answer = call(client, CANCEL, of(bought))

    assert (status, answer["error_code"]) == (409, "order_paid")
    assert Order.objects.get().status == "pay_finished"


@pytest.mark.parametrize("reason", ["x" * 129, "a\nb", " ", [], True], ids=repr)
def test_a_reason_is_one_line(client, waiting, reason):
    status, answer = call(client, CANCEL, of(waiting, reason=reason))

    assert (status, list(answer["errors"])) == (400, ["reason"])
    assert Order.objects.get().status == "unpaid"


@FORM_AND_JSON
def test_an_order_is_shipped_corrected_and_received(client, bought, way):
    at = f"{timezone.localtime(bought.order.created_at):%Y-%m-%d %H:%M:%S}"  # the same second

    shipped = result(client, SHIP, {"order_no": bought.order.number, **PARCEL, "order_express_time": at}, way=way)
    corrected = result(
        client, SHIP, {"order_no": bought.order.number, **PARCEL, "order_express_number": "SF2"}, way=way
    )  # fmt: skip
    received = result(client, RECEIVE, of(bought), way=way)

    told = shipped["order_info"]
    assert {name: told[name] for name in PARCEL} == PARCEL
    assert (told["order_status"], told["order_express_time"]) == (2, at)
    assert told["order_express_time_stamp"] == int(bought.order.created_at.timestamp()) * 1_000
    assert corrected["order_info"]["order_express_number"] == "SF2"
    assert received["order_info"]["order_status"] == 3
    assert received["order_info"]["receive_time"][:10] == at[:10]
    assert result(client, RECEIVE, of(bought), way=way) == received
    actions = list(AuditRow.objects.filter(action__startswith="partner_order").values_list("action", flat=True))
    assert sorted(actions) == ["partner_order.receive", "partner_order.ship", "partner_order.ship"]


@FORM_AND_JSON
def test_a_parcel_that_is_told_again_without_a_time_is_the_same_parcel(client, bought, way):
    told = {"order_no": bought.order.number, **PARCEL}
    shipped = result(client, SHIP, told, way=way)
    PartnerOrder.objects.update(shipped_at=F("shipped_at") - datetime.timedelta(days=14))
    before = stamp(PartnerOrder.objects.get().shipped_at)

    again = result(client, SHIP, told, way=way)
    received = result(client, RECEIVE, of(bought), way=way)

    assert again["order_info"] == shipped["order_info"] | {
        "order_express_time": again["order_info"]["order_express_time"], "order_express_time_stamp": before,
    }  # fmt: skip
    assert result(client, SHIP, told, way=way) == received
    assert AuditRow.objects.filter(action="partner_order.ship").count() == 1


@pytest.mark.parametrize(
    ("change", "refusal", "field"),
    [
        ({"order_express_name": None}, (400, "missing_field"), "order_express_name"),
        ({"order_express_number": ""}, (400, "missing_field"), "order_express_number"),
        ({"order_express_name": "顺丰\n速运"}, (400, "invalid_field"), "order_express_name"),
        ({"order_express_number": "9" * 65}, (400, "invalid_field"), "order_express_number"),
        ({"order_express_number": ["1"]}, (400, "invalid_field"), "order_express_number"),
        ({"order_express_no": "x" * 33}, (400, "invalid_field"), "order_express_no"),
        ({"order_express_time": "tomorrow"}, (400, "invalid_field"), "order_express_time"),
        ({"order_express_time": "2000-01-01 00:00:00"}, (400, "malformed"), "order_express_time"),
        ({"order_express_time": "2099-01-01 00:00:00"}, (400, "malformed"), "order_express_time"),
        ({"order_no": "1"}, (404, "order_unknown"), "order_no"),
        ({"order_no": Text("1.5")}, (400, "invalid_field"), "order_no"),
    ],
    ids=str,
)
def test_a_parcel_that_is_none_is_refused_by_name(client, bought, change, refusal, field):
    status, answer = call(client, SHIP, {"order_no": bought.order.number, **PARCEL, **change})

    assert ((status, answer["error_code"]), answer["errors"]) == (refusal, {field: [answer["msg"]]})
    assert PartnerOrder.objects.get().delivery == "waiting"


@pytest.mark.parametrize(("path", "code"), [(SHIP, "order_not_shippable"), (RECEIVE, "order_not_receivable")])
def test_what_is_not_paid_goes_nowhere(client, waiting, path, code):
    status, answer = call(client, path, of(waiting, **PARCEL))

    assert (status, answer["error_code"], answer["errors"]) == (409, code, {"order_no": [answer["msg"]]})
    assert PartnerOrder.objects.get().delivery == "waiting"


def test_what_is_not_shipped_is_not_received_and_what_is_received_is_not_shipped(client, bought):
    assert call(client, RECEIVE, of(bought))[1]["error_code"] == "order_not_receivable"
    result(client, SHIP, of(bought, **PARCEL))
    result(client, RECEIVE, of(bought))

    another = {**PARCEL, "order_express_number": "SF2"}
    assert call(client, SHIP, of(bought, **another))[1]["error_code"] == "order_not_shippable"


def test_shipping_needs_its_permission(client, client_, bought):
    client_.user.user_permissions.clear()

    status, answer = call(client, SHIP, of(bought, **PARCEL))

    assert (status, answer["error_code"]) == (403, "permission_missing")
    assert "partner_orders.ship_partnerorder" in answer["msg"]
    assert PartnerOrder.objects.get().delivery == "waiting"


@pytest.mark.parametrize(
    ("permissions", "outcome"),
    [
        (("ship_partnerorder",), (404, "waiting")),
        (("ship_every_partnerorder",), (403, "waiting")),
        (("ship_partnerorder", "ship_every_partnerorder"), (200, "shipped")),
    ],
    ids=["own orders", "nobody's", "everybody's"],
)
def test_a_warehouse_ships_for_every_client_if_it_may(client, bought, permissions, outcome):
    make_partner_client(name="warehouse", permissions=permissions)

    status, _answer = call(client, SHIP, {"order_no": bought.order.number, **PARCEL}, token="warehouse-token")

    assert (status, PartnerOrder.objects.get().delivery) == outcome


# --- packs, coupons, addresses


@EVERY_WAY
def test_packs_on_sale_are_listed_newest_first(client, client_, pack, way):
    level = make_level(client=client_)
    dear = make_pack(
        client=client_, uid="1" * 32, price_fen=99_900, pieces=0, level=level, score=120, description="电签POS"
    )  # fmt: skip
    make_pack(client=client_, uid="2" * 32, is_shown=False)

    assert result(client, GIFTS, {}, way=way)["results"] == [
        {
            "gift_pos_id": dear.uid, "gift_title": dear.title, "gift_desc": "电签POS", "gift_price": 999,
            "gift_stock": 0, "gift_score": 120, "user_level_id": "V5",
        },
        {
            "gift_pos_id": PACK_UID, "gift_title": pack.title, "gift_desc": "", "gift_price": 300, "gift_stock": 10,
            "gift_score": 0, "user_level_id": "",
        },
    ]  # fmt: skip


@EVERY_WAY
def test_a_customer_s_coupons_are_listed(client, customer, way):
    today = timezone.localdate()
    own = make_coupon(customer=customer, min_price_fen=10_050, valid_from=today, valid_until=today)

    assert result(client, COUPONS, USER, way=way)["results"] == [
        {
            "coupon_id": own.uid, "coupon_title": "新人券", "deduct_price": 50, "min_price": 100.5,
            "valid_from": f"{today:%Y-%m-%d}", "valid_until": f"{today:%Y-%m-%d}", "coupon_status": "usable",
        }
    ]  # fmt: skip


@FORM_AND_JSON
def test_an_address_is_added_changed_and_deleted(client, bought, way):
    added = result(client, ADD, {**USER, **RECIPIENT}, way=way)["address"]
    named = {**USER, "address_id": added["address_id"]}
    assert added == {"address_id": Address.objects.latest("pk").pk, **RECIPIENT}

    changed = result(client, CHANGE, {**named, **RECIPIENT, "name": "韩梅梅", "is_default": 0}, way=way)["address"]
    assert changed == {**added, "name": "韩梅梅", "is_default": 0}
    assert result(client, ADDRESSES, USER, way=way)["results"][0] == changed

    assert result(client, DELETE, named, way=way) == {}
    assert [kept["name"] for kept in result(client, ADDRESSES, USER, way=way)["results"]] == ["刘德华"]
    assert call(client, DELETE, named, way=way)[1]["error_code"] == "address_unknown"


def test_an_order_keeps_the_address_that_its_customer_deletes(client, bought, address):
    result(client, DELETE, {**USER, "address_id": address.pk})

    assert result(client, ORDER, of(bought))["order_info"]["order_receieve_name"] == "刘德华"


def test_a_new_default_takes_the_place_of_the_old_one(client, customer):
    result(client, ADD, {**USER, **RECIPIENT})
    result(client, ADD, {**USER, **RECIPIENT, "name": "韩梅梅"})

    told = result(client, ADDRESSES, USER)["results"]
    assert [(kept["name"], kept["is_default"]) for kept in told] == [("韩梅梅", 1), ("李雷", 0)]


def test_fifty_addresses_are_enough(client, customer):
    Address.objects.bulk_create(Address(customer=customer, name="a", phone="1", address="b") for _ in range(50))

    status, answer = call(client, ADD, {**USER, **RECIPIENT})

    assert (status, answer["error_code"]) == (422, "too_many_addresses")
    assert Address.objects.count() == 50


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"name": None}, "missing_field", "name"), ({"name": "\u3000"}, "missing_field", "name"),
        ({"name": "x" * 65}, "invalid_field", "name"), ({"phone": {}}, "invalid_field", "phone"),
        ({"phone": "1" * 33}, "invalid_field", "phone"), ({"address": "a\nb"}, "invalid_field", "address"),
        ({"address": "x" * 256}, "invalid_field", "address"), ({"is_default": True}, "invalid_field", "is_default"),
        ({"is_default": 2}, "invalid_field", "is_default"), ({"user_id": None}, "missing_field", "user_id"),
    ],
    ids=str,
)  # fmt: skip
def test_an_address_that_is_none_is_refused_by_name(client, address, change, code, field):
    before = list(Address.objects.values())

    for path in (ADD, CHANGE):
        status, answer = call(client, path, {**USER, "address_id": address.pk, **RECIPIENT, **change})

        assert (status, answer["error_code"], answer["errors"]) == (400, code, {field: [answer["msg"]]})
    assert list(Address.objects.values()) == before


# --- who calls, and whose things they are


def good_call(path, document, address):
    everything = {**of(document), **PARCEL, **RECIPIENT, "address_id": address.pk}
    names = {
        ORDERS: ["user_id"], GIFTS: [], COUPONS: ["user_id"], ADDRESSES: ["user_id"], SHIP: ["order_no", *PARCEL],
        ADD: ["user_id", *RECIPIENT], CHANGE: ["user_id", "address_id", *RECIPIENT], DELETE: ["user_id", "address_id"],
    }  # fmt: skip
    return {name: everything[name] for name in names.get(path, ["user_id", "order_no"])}


@pytest.mark.parametrize("path", EVERY_CALL)
def test_token_time_and_sign_are_asked_for_although_there_is_a_default_client(client, path, bought, address):
    make_partner_client(name="default", default_of="partner_orders", secret="default-secret")
    params = good_call(path, bought, address)
    before = [list(model.objects.order_by("pk").values()) for model in (PartnerOrder, Address, Order)]

    no_token = [
        call(client, path, params, token=""), call(client, path, params, token="", secret="default-secret"),
    ]  # fmt: skip
    no_time = post(client, path, signed(params), token="shop-token")
    no_sign = post(client, path, {**stamped(params), "sign": ""}, token="shop-token")
    wrong = post(client, path, stamped(params, secret="default-secret"), token="shop-token")
    stale = post(client, path, stamped(params, timestamp="1641549475"), token="shop-token")

    assert [(status, answer["error_code"]) for status, answer in no_token] == [(401, "token_missing")] * 2
    told = [(status, answer["error_code"], *answer["errors"]) for status, answer in (no_time, no_sign, wrong, stale)]
    assert told == [
        (400, "missing_field", "timestamp"), (401, "sign_missing", "sign"), (401, "sign_wrong", "sign"),
        (401, "timestamp_expired", "timestamp"),
    ]  # fmt: skip
    assert [list(model.objects.order_by("pk").values()) for model in (PartnerOrder, Address, Order)] == before


@pytest.mark.parametrize("path", sorted(set(EVERY_CALL) - set(READS)))
def test_what_changes_something_answers_no_get(client, path, bought, address):
    texts = {name: str(value) for name, value in good_call(path, bought, address).items()}

    status, answer = get(client, path, stamped(texts))

    assert (status, answer["error_code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", [ORDER, CANCEL, RECEIVE, SHIP])
def test_the_orders_of_others_are_unknown_word_for_word(client, client_, path, bought):
    rival = make_partner_client(name="rival", secret="rival-secret")
    make_partner(client=rival)
    make_partner(client=client_, user_id="neighbour")
    keys = {"token": "rival-token", "secret": "rival-secret"}

    of_another_client = call(client, path, of(bought, **PARCEL), **keys)
    nobodys = call(client, path, of(bought, **PARCEL, order_no="2" * 27), **keys)

    assert of_another_client == nobodys
    assert (nobodys[0], nobodys[1]["error_code"]) == (404, "order_unknown")
    assert CHINESE.search(nobodys[1]["msg"])
    if path != SHIP:  # the warehouse's: whoever the customer is
        assert call(client, path, of(bought, user_id="neighbour")) == nobodys
    assert PartnerOrder.objects.get().delivery == "waiting"


@pytest.mark.parametrize("path", [ORDERS, COUPONS, ADDRESSES, ADD, CHANGE, DELETE])
def test_the_customers_of_others_are_unknown(client, path, bought, address):
    make_client(name="rival", secret="rival-secret", families=["partner_orders"])

    status, answer = call(
        client, path, good_call(path, bought, address), token="rival-token", secret="rival-secret"
    )  # fmt: skip

    assert (status, answer["error_code"], list(answer["errors"])) == (404, "customer_unknown", ["user_id"])


@pytest.mark.parametrize("path", [CHANGE, DELETE])
def test_the_addresses_of_others_are_unknown(client, client_, path, address):
    neighbour = make_partner(client=client_, user_id="neighbour")
    theirs = make_address(customer=neighbour)

    status, answer = call(client, path, {**USER, **RECIPIENT, "address_id": theirs.pk})

    assert (status, answer["error_code"], list(answer["errors"])) == (404, "address_unknown", ["address_id"])
    assert Address.objects.get(pk=theirs.pk).name == "刘德华"
