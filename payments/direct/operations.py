"""Orders as document 003 names them, by our number: made, led to WeChat or Alipay, given back, closed."""

import dataclasses
import datetime
import hashlib
import json

from django.utils.translation import gettext_lazy as _

from payments.charges import operations as charges
from payments.charges.models import Charge
from payments.charges.placement import NO_DOCUMENT, Document, NoNumberFree, NumberReused, Placement, place
from payments.charges.states import Status as ChargeStatus
from payments.clients.models import ApiClient
from payments.closing import operations as closing
from payments.customers import queries as customers
from payments.customers.queries import CustomerFrozen
from payments.errors import TryAgain
from payments.gateways.base import Mode
from payments.gateways.models import Channel
from payments.orders import numbers
from payments.orders import queries as orders
from payments.orders.models import Order, OrderKind
from payments.refunds import operations as refunds
from payments.refunds.models import Refund
from payments.refunds.operations import RefundCommand
from payments.transactions import outside_transaction

FAMILY = "payments"
NUMBER_DIGITS = 12
TRIES_MAX = 20

_APPOINTMENT = """
    INSERT INTO payments_appointment (order_id, appointment_time, appointment_for)
    SELECT id, %(appointment_time)s, %(appointment_for)s FROM placed
"""


class GatewayUnanswered(TryAgain):
    """The attempt may or may not have begun. Trying again repeats the same request, under the same number."""

    code = "gateway_unanswered"
    message = _("The payment service has not answered. Send the same call again: nothing is charged twice.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Booking:
    """What an appointment books."""

    time: datetime.datetime
    subject: str  # for whom, or for what


@dataclasses.dataclass(frozen=True, kw_only=True)
class OrderCommand:
    """What an order is made of, checked. `booking` of an appointment, and of nothing else; amounts in fen."""

    kind: OrderKind
    user_id: str
    title: str
    total_fen: int
    booking: Booking | None = None
    client_order_no: str = ""
    notify_url: str = ""
    expires_in_s: int | None = None  # None: as long as the client's orders wait

    def fingerprint(self) -> str:
        """What a repeated call must repeat: everything."""
        told = dataclasses.asdict(self)
        if self.booking:
            told["booking"]["time"] = self.booking.time.astimezone(datetime.UTC).isoformat()
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def document(self) -> Document:
        if self.booking is None:
            return NO_DOCUMENT
        return Document(
            insert=_APPOINTMENT,
            parameters={"appointment_time": self.booking.time, "appointment_for": self.booking.subject},
        )


def place_order(*, client: ApiClient, command: OrderCommand, at: datetime.datetime) -> str:
    """
    Make an order and return its number. With a number of the client's own, the same call again returns the same.

    :raises customers.CustomerUnknown: if the client has no customer of that user id
    :raises CustomerFrozen: if staff have frozen the customer
    :raises NumberReused: if the client's number stands for anything else
    """
    customer = customers.by_user_id(client_id=client.pk, user_id=command.user_id)
    fingerprint = command.fingerprint()
    for _attempt in range(TRIES_MAX):
        known = orders.by_client_order_no(client_id=client.pk, client_order_no=command.client_order_no)
        if known is not None:
            if (known.family, known.fingerprint) != (FAMILY, fingerprint):
                raise NumberReused(field="out_trade_no")
            return known.number
        if customer.is_frozen:
            raise CustomerFrozen
        placement = _placement(
            client=client, customer_id=customer.customer_id, command=command, fingerprint=fingerprint, at=at,
        )  # fmt: skip
        if place(placement) is not None:
            return placement.number
    raise NoNumberFree


def _placement(
    *,
    client: ApiClient,
    customer_id: int,
    command: OrderCommand,
    fingerprint: str,
    at: datetime.datetime,
) -> Placement:
    """Document 003 knows no points: all of it is cash."""
    waits_s = client.order_ttl_seconds if command.expires_in_s is None else command.expires_in_s
    return Placement(
        number=numbers.dated(at=at, digits=NUMBER_DIGITS),
        family=FAMILY,
        kind=command.kind.value,
        client_id=client.pk,
        customer_id=customer_id,
        client_order_no=command.client_order_no,
        client_pay_no="",
        fingerprint=fingerprint,
        title=command.title,
        total_fen=command.total_fen,
        shipping_fen=0,
        points_fen=0,
        points_first=False,
        notify_url=command.notify_url,
        expires_at=at + datetime.timedelta(seconds=waits_s),
        at=at,
        actor=client.actor,
        document=command.document(),
    )


@outside_transaction
def push(*, order_id: int, channel: Channel, mode: Mode, actor: str, at: datetime.datetime) -> Charge:
    """
    Start a payment of the order at the gateway, or return the open one of that mode, with its payload.

    See `charges.pay_by` for what else may be said.

    :raises GatewayUnanswered: if it is not known yet whether the gateway waits for the payer
    """
    charge = charges.pay_by(order_id=order_id, channel=channel, mode=mode, actor=actor, at=at)
    if charge.status != ChargeStatus.PENDING:
        raise GatewayUnanswered
    return charge


@outside_transaction
def refund(*, client: ApiClient, number: str, command: RefundCommand, at: datetime.datetime) -> Refund:
    """
    Refund the client's order of that number, whatever family made it. See `refunds.request` for the other errors.

    :raises orders.OrderUnknown: if the client has none
    """
    order = orders.by_number(number=number, client_id=client.pk)
    return refunds.refund(order_id=order.pk, command=command, actor=client.actor, at=at)


@outside_transaction
def close(*, client: ApiClient, number: str, reason: str, at: datetime.datetime) -> Order:
    """
    Close the client's order of that number, whatever family made it. See `closing.close` for the other errors.

    :raises orders.OrderUnknown: if the client has none
    """
    order = orders.by_number(number=number, client_id=client.pk)
    return closing.close(order_id=order.pk, actor=client.actor, at=at, reason=reason)
