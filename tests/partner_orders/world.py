"""The partner programme of the tests: document 002's customer, address and pack, and what can be bought with them."""

import datetime
import functools

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.utils import timezone

from partner_orders import operations, stock
from partner_orders.models import (
    Address,
    Coupon,
    CustomerCoupon,
    CustomerLevel,
    GiftPack,
    PartnerOrder,
    PayType,
    UserLevel,
)
from partner_orders.operations import PayCommand
from payments.ledger import accounts
from payments.models import Account, GatewayAccount
from tests.world import make_client, make_customer

USER_ID = "41840909af844632885424fbc20cae79"
PACK_UID = "55fca782f55f406d94e2cecb23d0140b"
PRICE_FEN = 30_000
TODAY = datetime.date(2022, 1, 7)
NOW = datetime.datetime(2022, 1, 7, 9, 57, 55, 356_000, tzinfo=datetime.UTC)  # the document's moment
FAMILIES = ["partner_orders", "payments"]


def make_partner_client(**fields):
    permissions = fields.pop("permissions", ("ship_partnerorder",))
    return make_client(**{"permissions": permissions, "families": FAMILIES, **fields})


def make_partner(*, client, balance_fen=100_000, user_id=USER_ID, **fields):
    return make_customer(
        client=client, user_id=user_id, ee_no="", balance_fen=balance_fen,
        **{"phone": "18569557087", "real_name": "张学友", **fields},
    )  # fmt: skip


def make_address(*, customer, **fields):
    told = {"name": "刘德华", "phone": "18578229023", "address": "湖南省长沙市德思勤城市广场b5栋", **fields}
    return Address.objects.create(customer=customer, **told)


def make_level(*, client, code="V5", rank=5):
    return UserLevel.objects.create(client=client, code=code, rank=rank)


def make_pack(*, client, pieces=10, uid=PACK_UID, price_fen=PRICE_FEN, **fields):
    told = {"title": "拉卡拉大POS 1台装礼包 升V5", **fields}
    pack = GiftPack.objects.create(client=client, uid=uid, price_fen=price_fen, **told)
    return stock.put_in(pack_id=pack.pk, pieces=pieces, actor="test")


def make_coupon(*, customer, off_fen=5_000, min_price_fen=0, valid_from=None, valid_until=None):
    today = timezone.localdate()
    coupon = Coupon.objects.create(
        client=customer.client, title="新人券", off_fen=off_fen, min_price_fen=min_price_fen,
        valid_from=valid_from or min(TODAY, today), valid_until=valid_until or max(TODAY, today),
    )  # fmt: skip
    return CustomerCoupon.objects.create(coupon=coupon, customer=customer)


@functools.cache
def _key_pair(_which):
    """PEM of a private key and of its public key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def make_alipay(*, client=None):
    """An account whose page payments are signed here; nobody listens at its address."""
    account = GatewayAccount(
        kind="alipay", name="alipay", client=client, app_id="2021000000000001", merchant_id="2088102146225135",
        base_url="http://127.0.0.1:9/gateway.do", notify_base="https://shop.example.com",
        options={"alipay_public_key": _key_pair(2)[1]},
    )  # fmt: skip
    account.set_credentials({"private_key": _key_pair(1)[0]})
    account.save()
    return account


def command(*, pack, address, coupon=None, pay_type=PayType.BALANCE, **fields):
    return PayCommand(
        **{
            "user_id": address.customer.user_id, "pay_type": pay_type, "pack_uid": pack.uid,
            "coupon_uid": coupon.uid if coupon else "", "address_id": address.pk, **fields,
        }
    )  # fmt: skip


def buy(*, pack, address, at=None, **fields):
    """Buy a pack as document 002's call does, and return its document."""
    bought = operations.pay(
        client=pack.client, command=command(pack=pack, address=address, **fields), at=at or timezone.now()
    )  # fmt: skip
    return PartnerOrder.objects.select_related("order", "pack", "coupon").get(pk=bought.document.pk)


def make_something_of_every_kind(*, client):
    """A customer of the client's who has bought a pack with a coupon, and been given a level. Return the order."""
    customer = make_partner(client=client)
    level = make_level(client=client)
    CustomerLevel.objects.create(customer=customer, given=level, level=level)
    pack = make_pack(client=client, level=level)
    return buy(pack=pack, address=make_address(customer=customer), coupon=make_coupon(customer=customer))


def balance_fen(customer):
    return Account.objects.get(customer=customer, kind=accounts.Kind.BALANCE).balance_fen


def in_stock(pack):
    pack.refresh_from_db()
    return pack.stock
