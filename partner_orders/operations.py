"""
A pack bought: document 002's one call that makes an order and pays it, from the balance or at Alipay.

One transaction holds the customer's row (so that two taps on one button wait for each other), places the order, takes
what it holds, and does what a paid pack says. Only then, outside, the gateway is told.
"""

import dataclasses
import datetime

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from partner_orders import pricing, queries, stock
from partner_orders.models import Address, CustomerCoupon, GiftPack, PartnerOrder, PayType, new_uid
from partner_orders.pricing import CouponUsed, Price
from payments.cashier.wpay import WpayView
from payments.charges import operations as charges
from payments.charges import queries as charge_queries
from payments.charges.operations import GATEWAY_MARGIN, GATEWAY_MINIMUM, OrderExpired, OrderNotPayable, RefusedByGateway
from payments.charges.placement import Document, NoNumberFree, NumberReused, Placement, fingerprint_of, place
from payments.closing import operations as closing
from payments.customers import queries as customers
from payments.customers.queries import CustomerFrozen, CustomerView
from payments.errors import OnetillError, TryAgain
from payments.gateways.base import Mode
from payments.gateways.models import Channel
from payments.ledger.operations import NotEnough
from payments.models import ApiClient, Customer, Order
from payments.money import yuan_text
from payments.orders import numbers
from payments.orders import operations as orders
from payments.orders import queries as order_queries
from payments.orders.states import AWAITING_CASH
from payments.transactions import outside_transaction, transaction, transaction_required

FAMILY = "partner_orders"
TRIES_MAX = 20
REFUSED = "refused by the gateway"

_DOCUMENT = """
    INSERT INTO partner_orders_partnerorder (order_id, uid, pay_type, pack_id, coupon_id, holds, pack_title, order_name,
        description, price_fen, deduct_fen, score, level_id, level_before, user_phone, user_real_name, receive_name,
        receive_phone, receive_address)
    SELECT id, %(uid)s, %(pay_type)s, %(pack_id)s, %(coupon_id)s::bigint, true, %(pack_title)s, %(order_name)s,
        %(description)s, %(price_fen)s, %(deduct_fen)s, %(score)s, %(level_id)s::bigint, %(level_before)s,
        %(user_phone)s, %(user_real_name)s, %(receive_name)s, %(receive_phone)s, %(receive_address)s
    FROM placed
"""


class BalanceTooSmall(OnetillError):
    code = "balance_too_small"
    message = _("The balance is less than the ¥%(payable)s to pay. Recharge it, or pay by Alipay.")


class PaymentUnanswered(TryAgain):
    """Whether the gateway takes the payment is not known: the order waits, and the same call finds it."""

    code = "gateway_unanswered"
    message = _(
        "Alipay has not answered. Send the same call again: it finds the same order, and nothing is paid twice."
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PayCommand:
    """What document 002's call says, checked. `pay_mode` is how Alipay is reached from the customer's device."""

    user_id: str
    pay_type: PayType
    pack_uid: str
    coupon_uid: str
    address_id: int
    pay_mode: Mode = dataclasses.field(default=Mode.PAGE, compare=False)
    # The client's own word for "this very call", "" for none: then the same call is the same for a while.
    key: str = dataclasses.field(default="", compare=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Offer:
    """Everything that an order is made of, looked up and priced."""

    client: ApiClient
    customer: CustomerView
    command: PayCommand
    pack: GiftPack
    coupon: CustomerCoupon | None
    address: Address
    price: Price
    level_before: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bought:
    """An order as it stands after the call, and where its customer pays: "" where nothing is to be paid there."""

    document: PartnerOrder
    pay_url: str


@outside_transaction
def pay(*, client: ApiClient, command: PayCommand, at: datetime.datetime) -> Bought:
    """
    Make an order for a pack and pay it: from the balance at once, or lead its customer to Alipay.

    The same call again returns the first order: under the same key always, without a key within the replay window and
    as long as the order waits for Alipay.

    :raises customers.CustomerUnknown: if the client has no customer of that user id
    :raises CustomerFrozen: if staff have frozen the customer
    :raises queries.PackUnknown: for a pack that the client does not sell
    :raises stock.PackSoldOut: if none is left
    :raises queries.AddressUnknown: for an address that is not the customer's
    :raises queries.CouponUnknown: for a coupon that is not the customer's
    :raises CouponUsed: if an order holds it; see `pricing.price` for what else a coupon may be
    :raises BalanceTooSmall: if the balance does not cover the price; nothing is kept
    :raises NumberReused: if the key stands for another call
    :raises charge_queries.NoGatewayAccount: if Alipay is not set up
    :raises RefusedByGateway: if Alipay says no; the order is closed again
    :raises PaymentUnanswered: if it is not known whether Alipay waits for the customer
    """
    customer = customers.by_user_id(client_id=client.pk, user_id=command.user_id)
    if command.pay_type == PayType.ALIPAY:
        charge_queries.account_for(client_id=client.pk, channel=Channel.ALIPAY, mode=command.pay_mode, family=FAMILY)
    with transaction():
        locked = Customer.objects.select_for_update(of=("self",), no_key=True).get(pk=customer.customer_id)
        order = _known(client=client, customer=customer, command=command, at=at)
        if order is None:
            if locked.is_frozen:
                raise CustomerFrozen(field="user_id")
            offer = _offer(client=client, customer=customer, command=command, at=at)
            order = _buy(offer, at=at)
    pay_url = _lead_to_alipay(client=client, order=order, mode=command.pay_mode, at=at)
    return Bought(document=queries.documents().get(order=order), pay_url=pay_url)


@transaction_required
def _known(*, client: ApiClient, customer: CustomerView, command: PayCommand, at: datetime.datetime) -> Order | None:
    """Return the order that this call has made already."""
    fingerprint = fingerprint_of(command)
    if not command.key:
        return queries.repeated(
            customer_id=customer.customer_id,
            fingerprint=fingerprint,
            since=at - datetime.timedelta(seconds=settings.PARTNER_REPLAY_SECONDS),
            payable_at=at + GATEWAY_MARGIN + GATEWAY_MINIMUM,
        )
    known = order_queries.by_client_order_no(client_id=client.pk, client_order_no=command.key)
    if known is not None and (known.family, known.customer_id, known.fingerprint) != (
        FAMILY, customer.customer_id, fingerprint,
    ):  # fmt: skip
        raise NumberReused(field="Idempotency-Key")
    return known


@transaction_required
def _offer(*, client: ApiClient, customer: CustomerView, command: PayCommand, at: datetime.datetime) -> _Offer:
    """Look up and price what is asked for, under the customer's lock."""
    customer_id = customer.customer_id
    pack = queries.pack_on_sale(client_id=client.pk, uid=command.pack_uid)
    if not pack.stock:
        raise stock.PackSoldOut(field="gift_pos_id")
    address = queries.address(customer_id=customer_id, address_id=command.address_id)
    coupon = queries.coupon(customer_id=customer_id, uid=command.coupon_uid) if command.coupon_uid else None
    if coupon is not None and queries.is_held(coupon):
        raise CouponUsed(field="coupon_id")
    return _Offer(
        client=client, customer=customer, command=command, pack=pack, coupon=coupon, address=address,
        price=pricing.price(pack=pack, coupon=coupon, at=at), level_before=queries.level_code(customer_id=customer_id),
    )  # fmt: skip


@transaction_required
def _buy(offer: _Offer, *, at: datetime.datetime) -> Order:
    """Place the order, do what a paid pack says, and take the stock: last, as many want it."""
    for _attempt in range(TRIES_MAX):
        try:
            order_id = place(_placement(offer, at=at))
        except NotEnough:
            payable = yuan_text(offer.price.payable_fen)
            raise BalanceTooSmall(field="pay_type", payable=payable) from None
        if order_id is not None:
            break
        if order_queries.by_client_order_no(client_id=offer.client.pk, client_order_no=offer.command.key):
            raise NumberReused(field="Idempotency-Key")  # of another customer, at the same moment
    else:
        raise NoNumberFree
    order = Order.objects.get(pk=order_id)
    if order.status not in AWAITING_CASH:
        orders.fulfil(order=order, at=at)
    stock.take(pack_id=offer.pack.pk)
    return order


def _placement(offer: _Offer, *, at: datetime.datetime) -> Placement:
    command, payable_fen = offer.command, offer.price.payable_fen
    return Placement(
        number=numbers.clocked(at=at),
        family=FAMILY,
        client_id=offer.client.pk,
        customer_id=offer.customer.customer_id,
        client_order_no=command.key,
        client_pay_no="",
        fingerprint=fingerprint_of(command),
        title=offer.pack.title,
        total_fen=payable_fen,
        shipping_fen=0,
        points_fen=0,
        balance_fen=payable_fen if command.pay_type == PayType.BALANCE else 0,
        points_first=False,
        expires_at=at + _waits(offer),
        at=at,
        actor=offer.client.actor,
        document=Document(insert=_DOCUMENT, parameters=_document(offer)),
    )


def _waits(offer: _Offer) -> datetime.timedelta:
    """
    How long the order may wait: as the client's do.

    But one for Alipay can still be paid whenever the same call finds it, or it would hold stock for nothing.
    """
    waits = datetime.timedelta(seconds=offer.client.order_ttl_seconds)
    if offer.command.pay_type == PayType.BALANCE:
        return waits
    replay = datetime.timedelta(seconds=settings.PARTNER_REPLAY_SECONDS)
    return max(waits, replay + GATEWAY_MARGIN + GATEWAY_MINIMUM)


def _document(offer: _Offer) -> dict[str, object]:
    """Return the order's own copy of all that may change later."""
    pack, customer, address = offer.pack, offer.customer, offer.address
    return {
        "uid": new_uid(),
        "pay_type": offer.command.pay_type.value,
        "pack_id": pack.pk,
        "coupon_id": offer.coupon.pk if offer.coupon else None,
        "pack_title": pack.title,
        "order_name": pack.order_name,
        "description": pack.description,
        "price_fen": offer.price.list_fen,
        "deduct_fen": offer.price.deduct_fen,
        "score": pack.score,
        "level_id": pack.level_id,
        "level_before": offer.level_before,
        "user_phone": customer.phone,
        "user_real_name": customer.real_name,
        "receive_name": address.name,
        "receive_phone": address.phone,
        "receive_address": address.address,
    }


@outside_transaction
def _lead_to_alipay(*, client: ApiClient, order: Order, mode: Mode, at: datetime.datetime) -> str:
    """Return the address at which the order's cash is paid; "" where none is due (any more)."""
    if not order.cash_fen or order.status not in AWAITING_CASH:
        return ""
    payer = charges.Payer(return_url=f"{settings.BASE_URL}{WpayView.path(order.number)}?returned=1")
    try:
        charge = charges.pay_by(
            order_id=order.pk, channel=Channel.ALIPAY, mode=mode, actor=client.actor, at=at, payer=payer
        )  # fmt: skip
    except RefusedByGateway:
        closing.close(order_id=order.pk, actor=client.actor, at=at, reason=REFUSED)
        raise
    except (OrderNotPayable, OrderExpired):  # it was paid, closed or came to its end meanwhile: it is told as it is
        return ""
    if not charge.payload.get("url"):
        raise PaymentUnanswered
    return str(charge.payload["url"])


@outside_transaction
def cancel(*, client: ApiClient, user_id: str, number: str, at: datetime.datetime, reason: str = "") -> PartnerOrder:
    """
    Close an order that its customer does not want to pay any more. See `closing.close` for the other errors.

    :raises OrderUnknown: if the client's customer has none of that number
    """
    document = queries.detail(number=number, client_id=client.pk, user_id=user_id)
    closing.close(order_id=document.order_id, actor=client.actor, at=at, reason=reason)
    return queries.detail(number=number, client_id=client.pk)
