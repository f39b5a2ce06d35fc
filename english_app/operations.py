"""
Buying in the English app, in two calls.

`init` makes a purchase and, where money is to come in first, the recharge that it is for, and leads its customer to
WeChat or Alipay to pay that. `pay` pays the purchase from the balance.
"""

import contextlib
import dataclasses
import datetime

from django.utils.translation import gettext_lazy as _

from english_app import pricing, queries
from english_app.models import Agent, EnglishOrder, OrderLine, OrderType, PayWay
from english_app.pricing import Priced, Wanted
from payments.charges import from_balance
from payments.charges import operations as charges
from payments.charges import queries as charge_queries
from payments.charges.operations import GATEWAY_MARGIN, GATEWAY_MINIMUM, OrderExpired, OrderNotPayable, RefusedByGateway
from payments.charges.placement import Document, NoNumberFree, Placement, fingerprint_of, place
from payments.charges.states import OPEN
from payments.charges.states import Status as ChargeStatus
from payments.closing import operations as closing
from payments.customers import queries as customers
from payments.customers.queries import CustomerFrozen, CustomerView
from payments.errors import Conflict, OnetillError, TryAgain
from payments.gateways.base import Mode, Outcome
from payments.ledger.operations import NotEnough
from payments.models import ApiClient, Charge, Customer, Order
from payments.money import yuan_text
from payments.orders import numbers
from payments.orders import operations as orders
from payments.orders.models import OrderKind
from payments.orders.states import Status
from payments.transactions import outside_transaction, transaction, transaction_required

FAMILY = "english_app"
NUMBER_DIGITS = 12  # of 20; the others are the day
TRIES_MAX = 20
REFUSED = "refused by the gateway"
# However short a client's orders wait: so long a recharge can be paid, and be found by the same call.
WAITS_LEAST = GATEWAY_MARGIN + GATEWAY_MINIMUM + datetime.timedelta(minutes=2)
# A purchase waits longer than its recharge: what is paid at the last moment can still be spent on it.
PURCHASE_WAITS_LONGER = datetime.timedelta(minutes=30)

_DOCUMENT = """
    INSERT INTO english_app_englishorder (order_id, customer_id, type, purchase_id, app_id, agent_id, user_name, imeil,
        ip, pay_way, price_total_fen)
    SELECT id, %(customer_id)s, %(type)s, %(purchase_id)s::bigint, %(app_id)s, %(agent_id)s::bigint, %(user_name)s,
        %(imeil)s, %(ip)s::inet, %(pay_way)s, %(price_total_fen)s
    FROM placed
"""


class PriceChanged(Conflict):
    code = "price_changed"
    message = _(
        "The goods cost ¥%(total)s, not what price_total says. Show the customer the new price, then try again."
    )


class MoneyTooLittle(OnetillError):
    code = "money_too_little"
    message = _("money and the balance (¥%(balance)s) together do not cover the price. Send at least ¥%(least)s.")


class MoneyTooMuch(OnetillError):
    code = "money_too_much"
    message = _("money is more than ¥%(most)s, which no payment may be. Send less.")


class BalanceTooSmall(OnetillError):
    code = "balance_too_small"
    message = _("The balance does not cover the ¥%(total)s of this order. Pay its recharge first.")


class RechargeNotPayable(Conflict):
    code = "order_is_recharge"
    message = _("This is a recharge: it is paid at WeChat or Alipay. Send the pay_order_sn here.")


class PaymentUnanswered(TryAgain):
    """Whether the gateway waits for the payer, or was paid, is not known: the orders wait, the same call finds them."""

    code = "gateway_unanswered"
    message = _(
        "The payment service has not answered. Send the same call again: it finds the same orders, and nothing is paid "
        "twice."
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class InitCommand:
    """What document 004's `init` says, checked. In fen; `money_fen` is what comes in, and may be 0."""

    user_id: str
    user_name: str
    title: str
    price_total_fen: int
    money_fen: int
    imeil: str
    pay_way: str  # "" where no money comes in
    agent_id: int | None
    goods: tuple[Wanted, ...]
    ip: str | None = dataclasses.field(default=None, compare=False)

    @property
    def fingerprint(self) -> str:
        told = [(one.good_id, one.num) for one in self.goods]
        return fingerprint_of(dataclasses.replace(self, goods=tuple(told)))  # type: ignore[arg-type]  # as JSON has it


@dataclasses.dataclass(frozen=True, kw_only=True)
class Initiated:
    """
    The purchase and, where money is to come in, the recharge that it is for, with the attempt that pays it.

    No attempt of a recharge that was paid, or came to its end, at this very moment.
    """

    purchase: Order
    recharge: Order | None
    charge: Charge | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Offer:
    client: ApiClient
    customer: CustomerView
    command: InitCommand
    goods: list[Priced]
    agent: Agent | None


@outside_transaction
def init(*, client: ApiClient, command: InitCommand, at: datetime.datetime) -> Initiated:
    """
    Make a purchase and its recharge, and start the payment of the recharge in the customer's app.

    While the purchase waits and its recharge waits, or has come in, the same call returns them.

    :raises customers.CustomerUnknown: if the client has no customer of that user id
    :raises CustomerFrozen: if staff have frozen the customer
    :raises pricing.GoodUnknown: for a good that is not on sale; see `pricing.price` for the others
    :raises PriceChanged: if the goods cost another sum than was sent
    :raises MoneyTooMuch: if more is to come in than a gateway takes
    :raises MoneyTooLittle: if money and balance do not cover it
    :raises queries.AgentUnknown: for an agent that the client does not have
    :raises charge_queries.NoGatewayAccount: if the way to pay is not set up
    :raises RefusedByGateway: if the gateway says no; both orders are closed again
    :raises PaymentUnanswered: if it is not known whether the gateway waits for the payer
    """
    customer = customers.by_user_id(client_id=client.pk, user_id=command.user_id)
    if command.money_fen:
        _check_pay_way(client_id=client.pk, pay_way=command.pay_way)
    with transaction():
        locked = Customer.objects.select_for_update(of=("self",), no_key=True).get(pk=customer.customer_id)
        if locked.is_frozen:
            raise CustomerFrozen(field="user_id")
        offer = _offer(client=client, customer=customer, command=command)
        purchase = queries.waiting(
            customer_id=customer.customer_id,
            fingerprint=command.fingerprint,
            payable_at=at + GATEWAY_MARGIN + GATEWAY_MINIMUM,
        ) or _place(offer, at=at)
    if not command.money_fen:
        return Initiated(purchase=purchase.order, recharge=None, charge=None)
    recharge = purchase.recharge  # read or made with it
    charge = _lead_to_gateway(client=client, recharge=recharge, purchase=purchase, at=at)
    return Initiated(purchase=purchase.order, recharge=recharge.order, charge=charge)


def _check_pay_way(*, client_id: int, pay_way: str) -> None:
    try:
        charge_queries.account_for(client_id=client_id, channel=pay_way, mode=Mode.APP, family=FAMILY)
    except charge_queries.NoGatewayAccount as error:
        error.field = "pay_way_name"
        raise


@transaction_required
def _offer(*, client: ApiClient, customer: CustomerView, command: InitCommand) -> _Offer:
    """Look up and price what is asked for. What the balance covers is a first answer: `pay` decides."""
    goods = pricing.price(client_id=client.pk, wanted=command.goods)
    total_fen = pricing.total_fen(goods)
    if command.price_total_fen != total_fen:
        raise PriceChanged(field="price_total", total=yuan_text(total_fen))
    if command.money_fen > pricing.TOTAL_FEN_MAX:
        raise MoneyTooMuch(field="money", most=yuan_text(pricing.TOTAL_FEN_MAX))
    if command.money_fen + customer.balance_fen < total_fen:
        least_fen = total_fen - customer.balance_fen
        raise MoneyTooLittle(field="money", balance=yuan_text(customer.balance_fen), least=yuan_text(least_fen))
    agent = queries.agent(client_id=client.pk, agent_id=command.agent_id) if command.agent_id else None
    return _Offer(client=client, customer=customer, command=command, goods=goods, agent=agent)


@transaction_required
def _place(offer: _Offer, *, at: datetime.datetime) -> EnglishOrder:
    """Place the purchase with its lines and, where money is to come in, the recharge. Both or none."""
    total_fen = offer.command.price_total_fen
    waits = max(datetime.timedelta(seconds=offer.client.order_ttl_seconds), WAITS_LEAST)
    purchase = _place_one(
        offer, type=OrderType.PURCHASE, total_fen=total_fen, waits=waits + PURCHASE_WAITS_LONGER, at=at,
    )  # fmt: skip
    lines = [one.line() for one in offer.goods]
    for line in lines:
        line.document = purchase
    OrderLine.objects.bulk_create(lines)
    if offer.command.money_fen:
        recharge = _place_one(
            offer, type=OrderType.RECHARGE, total_fen=offer.command.money_fen, waits=waits, at=at,
            purchase=purchase,
        )  # fmt: skip
        recharge.purchase = purchase
    return purchase


@transaction_required
def _place_one(
    offer: _Offer,
    *,
    type: OrderType,  # noqa: A002  the document's word
    total_fen: int,
    waits: datetime.timedelta,
    at: datetime.datetime,
    purchase: EnglishOrder | None = None,
) -> EnglishOrder:
    command, is_recharge = offer.command, type == OrderType.RECHARGE
    document = Document(
        insert=_DOCUMENT,
        parameters={
            "type": type.value,
            "purchase_id": purchase.pk if purchase else None,
            "app_id": offer.client.app_id or 0,  # one that calls by its token need not have any
            "agent_id": offer.agent.pk if offer.agent else None,
            "user_name": command.user_name,
            "imeil": command.imeil,
            "ip": command.ip,
            "pay_way": command.pay_way if is_recharge else PayWay.BALANCE.value,
            "price_total_fen": command.price_total_fen,
        },
    )
    for _attempt in range(TRIES_MAX):
        order_id = place(
            Placement(
                number=numbers.dated(at=at, digits=NUMBER_DIGITS),
                family=FAMILY,
                kind=OrderKind.RECHARGE if is_recharge else OrderKind.GOODS,
                client_id=offer.client.pk,
                customer_id=offer.customer.customer_id,
                client_order_no="",
                client_pay_no="",
                fingerprint=command.fingerprint,
                title=command.title,
                total_fen=total_fen,
                shipping_fen=0,
                points_fen=0,
                balance_fen=0 if is_recharge else total_fen,
                pays_later=not is_recharge,
                points_first=False,
                expires_at=at + waits,
                at=at,
                actor=offer.client.actor,
                document=document,
            )
        )
        if order_id is not None:
            return EnglishOrder.objects.select_related("order").get(order_id=order_id)
    raise NoNumberFree


@outside_transaction
def _lead_to_gateway(
    *, client: ApiClient, recharge: EnglishOrder, purchase: EnglishOrder, at: datetime.datetime
) -> Charge | None:
    """Start the payment of a recharge, or find the one under way; None if nothing is to be paid on it any more."""
    try:
        charge = charges.pay_by(
            order_id=recharge.order_id, channel=recharge.pay_way, mode=Mode.APP, actor=client.actor, at=at
        )
    except RefusedByGateway:
        try:
            closing.close(order_id=recharge.order_id, actor=client.actor, at=at, reason=REFUSED)
        except closing.OrderNotClosable:  # another attempt at it was paid meanwhile
            return None
        with contextlib.suppress(closing.OrderNotClosable):  # the balance has paid it meanwhile
            closing.close(order_id=purchase.order_id, actor=client.actor, at=at, reason=REFUSED)
        raise
    except (OrderNotPayable, OrderExpired):
        return None
    if charge.status == ChargeStatus.PENDING:
        return charge
    if charge.status in OPEN:
        raise PaymentUnanswered
    return None


@outside_transaction
def pay(*, client: ApiClient, user_id: str, number: str, at: datetime.datetime) -> None:
    """
    Pay a purchase from the balance; paying it again changes nothing.

    The app calls this as soon as its customer is back from WeChat or Alipay, often before those have told us: so where
    the balance is too small, the recharge is asked about first.

    :raises OrderUnknown: if the client's customer has none of that number
    :raises RechargeNotPayable: if it is a recharge
    :raises OrderNotPayable: if it is closed or refunded (one of its kinds)
    :raises OrderExpired: if its time has run out
    :raises CustomerFrozen: if staff have frozen the customer
    :raises BalanceTooSmall: if the balance does not cover it; nothing moves
    :raises PaymentUnanswered: if it does not, and whether the recharge is paid is not known
    """
    document = queries.detail(number=number, client_id=client.pk, user_id=user_id)
    if document.type == OrderType.RECHARGE:
        raise RechargeNotPayable(field="order_sn")
    if document.order.status == Status.PAY_FINISHED:
        return
    if document.order.customer.is_frozen:
        raise CustomerFrozen(field="user_id")
    try:
        _pay(order_id=document.order_id, actor=client.actor, at=at)
    except NotEnough:
        recharge = EnglishOrder.objects.filter(purchase=document).first()
        if recharge is None or not _has_come(recharge, at=at):
            raise _too_small(document) from None
        try:
            _pay(order_id=document.order_id, actor=client.actor, at=at)
        except NotEnough:
            raise _too_small(document) from None


def _pay(*, order_id: int, actor: str, at: datetime.datetime) -> None:
    with transaction():
        order = orders.lock(order_id=order_id)
        if order.status == Status.PAY_FINISHED:  # by another call, at this very moment
            return
        try:
            from_balance.pay_from_balance(order=order, actor=actor, at=at)
        except (OrderNotPayable, OrderExpired) as error:
            error.field = "order_sn"
            raise


@outside_transaction
def _has_come(recharge: EnglishOrder, *, at: datetime.datetime) -> bool:
    """
    Whether a recharge turns out to be paid when its gateway is asked.

    :raises PaymentUnanswered: if that does not tell: who has paid must not be told to pay
    """
    attempts = charge_queries.open_charges(order_id=recharge.order_id)
    outcomes = {charges.inquire(charge_id=charge.pk, at=at)[1] for charge in attempts}
    recharge.order.refresh_from_db()
    if recharge.order.status == Status.PAY_FINISHED:
        return True
    if Outcome.UNKNOWN in outcomes:
        raise PaymentUnanswered
    return False


def _too_small(document: EnglishOrder) -> BalanceTooSmall:
    return BalanceTooSmall(field="order_sn", total=yuan_text(document.order.total_fen))
