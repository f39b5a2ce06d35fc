"""What the partner programme's calls need to be good calls: a pack, an address, money, an order at each stage."""

from django.utils import timezone

from partner_orders import operations, shipping
from partner_orders.models import GiftPack, PayType
from partner_orders.operations import PayCommand
from partner_orders.shipping import Shipment
from payments.ledger.accounts import Kind
from payments.models import Charge
from tests.attacks.conftest import make_alipay_account
from tests.attacks.routes import ADDRESS_ID
from tests.partner_orders.world import PACK_UID, make_address, make_coupon, make_pack
from tests.world import grant


def stock_up(shop):
    """Give the shop a pack and its customer an address, a coupon and money."""
    grant(customer=shop.customer, kind=Kind.BALANCE, amount_fen=100_000, reference="opening:partner")
    make_address(customer=shop.customer, pk=ADDRESS_ID)
    make_coupon(customer=shop.customer)
    make_pack(client=shop, uid=PACK_UID)


def prepared(shop, path):
    """Return the number of an order of which the call at `path` may be made."""
    stock_up(shop)
    is_waiting = path.endswith("/cancel")
    if is_waiting:
        make_alipay_account(client=shop)
    bought = buy(shop, PayType.ALIPAY if is_waiting else PayType.BALANCE)
    Charge.objects.filter(tender="alipay").update(status="closed", next_query_at=None)
    if path.endswith("/receive"):
        at = timezone.now()
        shipping.ship(
            order_id=bought.document.order_id, shipment=Shipment(name="顺丰", number="SF1", at=at), actor="test", at=at
        )
    return bought.document.order.number


def buy(shop, pay_type=PayType.BALANCE):
    command = PayCommand(
        user_id=shop.customer.user_id, pay_type=pay_type, pack_uid=GiftPack.objects.get().uid, coupon_uid="",
        address_id=ADDRESS_ID, key="prepared",
    )  # fmt: skip
    return operations.pay(client=shop, command=command, at=timezone.now())
