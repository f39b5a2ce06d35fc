"""The demonstration's world: what `demo_data` prints, and what `--reset` brings back."""

import json

import pytest
from django.core.management import call_command
from django.utils import timezone

from config import demo, demo_partner
from partner_orders.models import CustomerCoupon, GiftPack, PayType
from partner_orders.operations import PayCommand, pay
from payments import invariants
from payments.direct import operations as direct
from payments.ledger.queries import customer_balances_fen
from payments.models import ApiClient, Order
from payments.orders.models import OrderKind
from payments.transactions import transaction
from tests.partner_orders.world import make_alipay

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def world(settings):
    settings.SIMULATOR_URL = ""
    demo.build()
    make_alipay()


def told(capsys, *options):
    capsys.readouterr()
    call_command("demo_data", "--json", *options)
    return json.loads(capsys.readouterr().out)


def buy(*, pay_type, key, coupon_uid=""):
    client = ApiClient.objects.get(name=demo.CLIENTS["partner_orders"].name)
    command = PayCommand(
        user_id=demo.CUSTOMERS["partner_orders"].user_id, pay_type=pay_type, pack_uid=demo_partner.PACK_UID,
        coupon_uid=coupon_uid, address_id=demo_partner.address_id(customer=demo.row("partner_orders")), key=key,
    )  # fmt: skip
    at = timezone.now()
    return Order.objects.get(pk=pay(client=client, command=command, at=at).document.order_id)


def test_what_is_printed_is_enough_to_call_document_002(capsys):
    world = told(capsys)

    assert world["clients"]["partner_orders"] == {
        "token": "demo-partner-token", "secret": "demo-partner-secret", "sign_type": "MD5",
    }  # fmt: skip
    user_id = "41840909af844632885424fbc20cae79"
    (address_id,) = demo.row("partner_orders").partner_addresses.values_list("pk", flat=True)
    assert world["customers"]["partner_orders"] == {
        "user_id": user_id, "balance_yuan": "3000.00", "address_id": address_id,
    }  # fmt: skip
    assert world["gift_packs"][0] == {"gift_pos_id": "55fca782f55f406d94e2cecb23d0140b", "price": 300}
    assert world["coupons"] == [{"coupon_id": demo_partner.COUPON_UID, "user_id": user_id, "off": 50}]


def test_making_the_world_again_changes_nothing(capsys):
    before = told(capsys)

    assert told(capsys) == before
    assert GiftPack.objects.get(uid=demo_partner.PACK_UID).stocked == demo_partner.STOCK
    assert CustomerCoupon.objects.count() == 1


def test_a_reset_closes_open_orders_and_brings_balance_coupon_and_stock_back(capsys):
    paid = buy(pay_type=PayType.BALANCE, key="1", coupon_uid=demo_partner.COUPON_UID)
    assert told(capsys)["coupons"] == []

    world = told(capsys, "--reset")

    assert Order.objects.get(pk=paid.pk).status == "pay_finished"
    assert customer_balances_fen(customer_id=paid.customer_id)["balance"] == 300_000
    assert GiftPack.objects.get(uid=demo_partner.PACK_UID).stock == demo_partner.STOCK
    assert [coupon["off"] for coupon in world["coupons"]] == [50]
    assert world["coupons"][0]["coupon_id"] != demo_partner.COUPON_UID
    with transaction():
        assert [found.name for found in invariants.findings() if found.breaches] == []


def test_a_reset_closes_what_waits_for_its_payment(capsys):
    client = ApiClient.objects.get(name=demo.CLIENTS["payments"].name)
    command = direct.OrderCommand(kind=OrderKind.GOODS, user_id="1001", title="A thing", total_fen=100)
    waiting = Order.objects.get(number=direct.place_order(client=client, command=command, at=timezone.now()))

    told(capsys, "--reset")

    waiting.refresh_from_db()
    assert waiting.status == "closed"
