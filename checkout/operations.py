"""A checkout order placed, given back or closed by its client, and its customer logged in at the cashier."""

import dataclasses
import datetime
import functools

from django.db.models import F
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from checkout import queries
from checkout.models import CheckoutOrder
from checkout.queries import Checkout, Payer
from payments.charges.placement import Document, NumberReused, Placement, fingerprint_of, place
from payments.clients import login_codes
from payments.clients.models import PointsPolicy
from payments.closing import operations as closing
from payments.customers.queries import CustomerFrozen
from payments.errors import OnetillError, TryAgain
from payments.ledger import operations as ledger
from payments.ledger.accounts import Kind
from payments.models import Account, ApiClient, Order, Refund
from payments.orders import numbers
from payments.refunds import operations as refunds
from payments.refunds.operations import RefundCommand
from payments.transactions import outside_transaction, transaction

NUMBER_DIGITS = 8

# A lost race for the points or the number is tried again; from then on the customer's account is locked first.
TRIES_BEFORE_LOCKING = 3
TRIES_MAX = 20


_DOCUMENT = """
    INSERT INTO checkout_checkoutorder (order_id, redirect_url, login_generation)
    SELECT id, %(redirect_url)s, 0 FROM placed
"""


class LoginCodeInvalid(OnetillError):
    status = 403
    code = "login_code_invalid"
    message = _("This link has been used or has expired. Open the payment again in the shop.")


class _Taken(Exception):
    """A number of the order is taken: nothing was written."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PayCommand:
    """What `pay` is called with, checked. Amounts in fen."""

    out_trade_no: str
    client_pay_id: str
    total_fen: int
    shipping_fen: int
    user_id: str
    ee_no: str
    redirect_url: str
    # None: as long as the client's orders wait. A repeat need not repeat it.
    expires_in_s: int | None = dataclasses.field(default=None, compare=False)


def pay(*, client: ApiClient, command: PayCommand, at: datetime.datetime) -> Checkout:
    """
    Place an order and pay of it what the customer's points cover. The same call again returns the same order.

    :raises queries.CustomerUnknown: if user_id and ee_no do not name one customer
    :raises NumberReused: if one of the numbers stands for anything else
    :raises CustomerFrozen: if staff have frozen the customer
    """
    fingerprint = fingerprint_of(command)
    for attempt in range(TRIES_MAX):
        payer = queries.payer(
            client_id=client.pk,
            user_id=command.user_id,
            ee_no=command.ee_no,
            order_no=command.out_trade_no,
            pay_no=command.client_pay_id,
        )
        if payer.taken:
            return _same(taken=payer.taken, command=command, fingerprint=fingerprint)
        if payer.is_frozen:
            raise CustomerFrozen
        place_for = functools.partial(
            _place, client=client, command=command, fingerprint=fingerprint, payer=payer, at=at
        )
        try:
            if attempt < TRIES_BEFORE_LOCKING:
                return place_for(points_fen=payer.points_fen)
            with transaction():
                return place_for(points_fen=_lock_points(payer))
        except (_Taken, ledger.NotEnough):
            continue
    raise TryAgain(_("The customer's points keep changing. Send the same call again."))


def _same(*, taken: tuple[Checkout, ...], command: PayCommand, fingerprint: str) -> Checkout:
    if len(taken) == 1 and taken[0].fingerprint == fingerprint:
        return taken[0]
    by_order_no = any(order.client_order_no == command.out_trade_no != "" for order in taken)
    raise NumberReused(field="out_trade_no" if by_order_no else "client_pay_id")


def _lock_points(payer: Payer) -> int:
    account = Account.objects.select_for_update(of=("self",)).get(customer_id=payer.customer_id, kind=Kind.POINTS)
    return int(account.balance_fen)


def _place(
    *,
    client: ApiClient,
    command: PayCommand,
    fingerprint: str,
    payer: Payer,
    points_fen: int,
    at: datetime.datetime,
) -> Checkout:
    points_fen = min(points_fen, command.total_fen)
    waits_s = client.order_ttl_seconds if command.expires_in_s is None else command.expires_in_s
    placement = Placement(
        number=numbers.dated(at=at, digits=NUMBER_DIGITS),
        family="checkout",
        client_id=client.pk,
        customer_id=payer.customer_id,
        client_order_no=command.out_trade_no,
        client_pay_no=command.client_pay_id,
        fingerprint=fingerprint,
        title=_title(command),
        total_fen=command.total_fen,
        shipping_fen=command.shipping_fen,
        points_fen=points_fen,
        points_first=client.points_policy == PointsPolicy.POINTS_FIRST,
        expires_at=at + datetime.timedelta(seconds=waits_s),
        at=at,
        actor=client.actor,
        document=Document(insert=_DOCUMENT, parameters={"redirect_url": command.redirect_url}),
    )
    order_id = place(placement)
    if order_id is None:
        raise _Taken
    # An order that is finished here is not sent to `fulfilment.fulfil`: it delivers nothing, and asking costs as much
    # as everything else.
    return Checkout(
        order_id=order_id,
        number=placement.number,
        status=placement.status.value,
        client_order_no=placement.client_order_no,
        client_pay_no=placement.client_pay_no,
        fingerprint=fingerprint,
        total_fen=placement.total_fen,
        shipping_fen=placement.shipping_fen,
        points_fen=points_fen,
        cash_fen=placement.cash_fen,
        login_generation=0,
    )


def _title(command: PayCommand) -> str:
    """Name the order for the gateway's page and the customer's bill, who read Chinese."""
    with override("zh-hans"):
        return gettext("Order %(number)s") % {"number": command.out_trade_no or command.client_pay_id}


@outside_transaction
def refund(
    *,
    client: ApiClient,
    order_no: str,
    pay_no: str,
    command: RefundCommand,
    at: datetime.datetime,
) -> Refund:
    """
    Refund the client's order of that number. See `refunds.request` for the other errors.

    :raises queries.OrderUnknown: if the client has none
    """
    order = queries.detail(client_id=client.pk, order_no=order_no, pay_no=pay_no)
    return refunds.refund(order_id=order.order_id, command=command, actor=client.actor, at=at)


@outside_transaction
def close(*, client: ApiClient, order_no: str, pay_no: str, reason: str, at: datetime.datetime) -> Order:
    """
    Close the client's order of that number. See `closing.close` for the other errors.

    :raises queries.OrderUnknown: if the client has none
    """
    order = queries.detail(client_id=client.pk, order_no=order_no, pay_no=pay_no)
    return closing.close(order_id=order.order_id, actor=client.actor, at=at, reason=reason)


def log_in(*, number: str, code: str, at: datetime.datetime) -> Order:
    """
    Use a login code of an order, once, and return the order.

    :raises LoginCodeInvalid: if the code was used, has expired, or belongs to another order
    """
    document = CheckoutOrder.objects.select_related("order").filter(order__number=number).first()
    if document is None or not login_codes.check(code=code, number=number, generation=document.login_generation, at=at):
        raise LoginCodeInvalid
    used = CheckoutOrder.objects.filter(pk=document.pk, login_generation=document.login_generation).update(
        login_generation=F("login_generation") + 1
    )
    if not used:
        raise LoginCodeInvalid
    return document.order
