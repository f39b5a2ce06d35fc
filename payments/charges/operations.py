"""
Cash, attempt by attempt. Each step is safe to repeat.

start    one transaction: lock the order, mint the attempt's number, commit the intention
submit   no transaction: tell the gateway, with the attempt's number as its idempotency key
settle   one transaction: record what the gateway says, move the money, move the order

A lost answer leaves the attempt `unknown`; `payments.charges.sweep` asks until it knows.
"""

import dataclasses
import datetime

import structlog
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments.charges import queries, settlement, sweep
from payments.charges.models import Charge
from payments.charges.states import OPEN, Event, Status
from payments.errors import Conflict, OnetillError, TryAgain
from payments.gateways import registry
from payments.gateways.base import GatewayRefused, GatewayUnavailable, Mode, Outcome, PaymentRequest, PaymentState
from payments.gateways.models import Channel
from payments.orders import operations as orders
from payments.orders.models import Order
from payments.orders.states import AWAITING_CASH
from payments.orders.states import Status as OrderStatus
from payments.transactions import outside_transaction, transaction

log = structlog.get_logger(__name__)

# The gateway stops taking money before we give the order up, and no attempt starts too short to be paid: WeChat wants
# more than a minute. Neither keeps a code or a prepay_id for more than two hours, and WeChat's H5 address leads
# nowhere after five minutes.
GATEWAY_MARGIN = datetime.timedelta(seconds=60)
GATEWAY_MINIMUM = datetime.timedelta(seconds=90)
GATEWAY_LONGEST = datetime.timedelta(hours=2)
H5_LONGEST = datetime.timedelta(minutes=5)


class OrderNotPayable(Conflict):
    """Nothing is to be paid in this way (any more): one of the following says why."""


class OrderPaid(OrderNotPayable):
    code = "order_paid"
    message = _("This order is paid: nothing is left to be paid.")


class OrderRefunded(OrderNotPayable):
    """Paid, and given back in part or in full."""

    code = "order_refunded"
    message = _("This order was paid and refunded. To buy again, place a new order.")


class OrderClosed(OrderNotPayable):
    code = "order_closed"
    message = _("This order is closed and cannot be paid any more. Place a new order.")


class OrderFromBalance(OrderNotPayable):
    code = "order_from_balance"
    message = _("This order is paid from the customer's balance, where it was placed. There is no other way to pay it.")


class OrderExpired(OnetillError):
    code = "order_expired"
    message = _("The time to pay this order has run out. Place a new order.")


class RefusedByGateway(OnetillError):
    """The gateway will not take this payment. The attempt is failed, the order can be paid another way."""

    code = "gateway_refused"
    message = _("The payment service did not accept this payment (%(answer)s). Choose another way to pay.")


_NOT_PAYABLE: dict[OrderStatus, type[OrderNotPayable]] = {
    OrderStatus.PARTLY_REFUND: OrderRefunded,
    OrderStatus.TOTAL_REFUND: OrderRefunded,
    OrderStatus.CLOSED: OrderClosed,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Payer:
    """What a gateway wants to know of whoever pays: openid (JSAPI), address, and where to lead them afterwards."""

    payer_id: str = ""
    payer_address: str = ""
    return_url: str = ""


@outside_transaction
def pay_by(
    *, order_id: int, channel: str, mode: Mode, actor: str, at: datetime.datetime, payer: Payer | None = None
) -> Charge:
    """
    Lead a payer to the gateway: return the open attempt of this channel and mode, or a new one.

    An open attempt of another mode or channel is asked about first and closed where the gateway closes it. Where it
    will not yet (WeChat's first five minutes, an Alipay code that nobody has scanned), the new attempt starts all the
    same, and the sweep goes on trying to close the old one.

    :raises OrderNotPayable: if the order is paid, refunded, closed or the balance's to pay (one of its kinds)
    :raises OrderExpired: if too little time is left
    :raises queries.NoGatewayAccount: if the gateway is not set up
    :raises RefusedByGateway: if the gateway says no
    :raises registry.GatewayBusy: if too many calls are under way
    """
    payer = payer or Payer()
    for charge in queries.open_charges(order_id=order_id):
        if not _is_same(charge, channel=channel, mode=mode, payer=payer):
            retire(charge_id=charge.pk, at=at)
    charge = start(order_id=order_id, channel=channel, mode=mode, actor=actor, at=at, payer=payer)
    charge = submit(charge_id=charge.pk, at=at)
    if charge.status == Status.FAILED:
        raise RefusedByGateway(answer=charge.last_answer)
    return charge


def start(
    *, order_id: int, channel: str, mode: Mode, actor: str, at: datetime.datetime, payer: Payer | None = None
) -> Charge:
    """
    Commit the intention to take the order's cash at a gateway. Every other open attempt is replaced by this one.

    See `pay_by` for the errors.
    """
    payer = payer or Payer()
    with transaction():
        order = orders.lock(order_id=order_id)
        longest = H5_LONGEST if (channel, mode) == (Channel.WECHAT, Mode.WAP) else GATEWAY_LONGEST
        expires_at = min(_check_payable(order=order, at=at), at + longest)
        account = queries.account_for(client_id=order.client_id, channel=channel, mode=mode, family=order.family)
        standing = [
            charge
            for charge in queries.open_charges(order_id=order_id).filter(gateway_account=account, expires_at__gt=at)
            if _is_same(charge, channel=channel, mode=mode, payer=payer)
        ]
        attempt = queries.next_attempt(order=order)
        charge = standing[0] if standing else Charge.objects.create(
            order=order,
            attempt=attempt,
            number=f"{order.number}_{attempt}",
            tender=channel,
            mode=mode,
            gateway_account=account,
            amount_fen=order.cash_fen,
            created_at=at,
            expires_at=expires_at,
            next_query_at=sweep.next_query_at(queries=0, at=at),
            **dataclasses.asdict(payer),
        )  # fmt: skip
        queries.open_charges(order_id=order_id).update(is_replaced=~Q(pk=charge.pk))
        charge.is_replaced = False
        return charge


def _is_same(charge: Charge, *, channel: str, mode: Mode, payer: Payer) -> bool:
    """Whether this attempt leads the payer where they want to go. A JSAPI payment is bound to one openid."""
    return (charge.tender, charge.mode, charge.payer_id) == (channel, mode, payer.payer_id)


def check_awaits_payment(*, order: Order) -> None:
    """:raises OrderNotPayable: if the order is paid, refunded or closed (one of its kinds)"""
    if order.status not in AWAITING_CASH:
        raise _NOT_PAYABLE.get(OrderStatus(order.status), OrderPaid)


def _check_payable(*, order: Order, at: datetime.datetime) -> datetime.datetime:
    """Return when no attempt on the locked order may be open any more."""
    check_awaits_payment(order=order)
    if not order.cash_fen:
        raise OrderFromBalance
    expires_at = order.expires_at - GATEWAY_MARGIN
    if expires_at - at < GATEWAY_MINIMUM:
        raise OrderExpired
    return expires_at


@outside_transaction
def submit(*, charge_id: int, at: datetime.datetime) -> Charge:
    """
    Tell the gateway about a committed attempt and record what it says.

    Calling again after a lost answer repeats the same request under the same number, to the letter.
    """
    charge = Charge.objects.select_related("order", "gateway_account").get(pk=charge_id)
    account = charge.gateway_account
    if charge.status not in {Status.STARTED, Status.UNKNOWN} or account is None or charge.expires_at is None:
        return charge
    request = PaymentRequest(
        number=charge.number,
        mode=Mode(charge.mode),
        amount_fen=charge.amount_fen,
        subject=charge.order.title,
        expires_at=charge.expires_at,
        notify_url=registry.notify_url(account),
        return_url=charge.return_url,
        payer_address=charge.payer_address,
        payer_id=charge.payer_id,
    )
    try:
        with registry.place_for_a_call():
            started = registry.adapter(account).create_payment(request)
    except GatewayUnavailable as error:
        log.warning("charge_unknown", charge=charge.number, error=str(error))
        return settlement.note(charge_id=charge_id, event=Event.LOST, answer=str(error), at=at)
    except GatewayRefused as error:
        log.warning("charge_refused", charge=charge.number, error=str(error))
        event = Event.REFUSED if error.permanent else Event.LOST
        return settlement.note(charge_id=charge_id, event=event, answer=str(error), at=at)
    return settlement.note(charge_id=charge_id, event=Event.ACCEPTED, payload=dict(started.payload), at=at)


@outside_transaction
def reconcile(*, charge_id: int, at: datetime.datetime) -> Charge:
    """Ask the gateway what became of an attempt and settle what it answers."""
    charge, _outcome = inquire(charge_id=charge_id, at=at)
    return charge


@outside_transaction
def inquire(*, charge_id: int, at: datetime.datetime, must_ask: bool = False) -> tuple[Charge, Outcome]:
    """
    Reconcile; return the attempt as it stands then, and what the gateway said: UNKNOWN where it did not answer.

    :raises registry.GatewayBusy: if it `must_ask` and too many calls are under way
    """
    charge = Charge.objects.select_related("gateway_account").get(pk=charge_id)
    if charge.gateway_account is None:
        return charge, Outcome.UNKNOWN
    try:
        with registry.place_for_a_call():
            state = registry.adapter(charge.gateway_account).query_payment(charge.number)
    except TryAgain as error:  # nothing was asked: this account's trouble is not that of the other ways to pay
        if must_ask and isinstance(error, registry.GatewayBusy):
            raise
        log.warning("query_not_sent", charge=charge.number, error=error.code)
        return charge, Outcome.UNKNOWN
    except (GatewayUnavailable, GatewayRefused) as error:
        log.warning("query_unanswered", charge=charge.number, error=str(error))
        state = PaymentState(outcome=Outcome.UNKNOWN, number=charge.number, gateway_status=str(error))
    return settlement.settle(charge_id=charge_id, state=state, at=at), state.outcome


@outside_transaction
def retire(*, charge_id: int, at: datetime.datetime, must_ask: bool = False) -> tuple[Charge, Outcome]:
    """
    Stop an attempt that is not wanted any more: ask, close at the gateway, ask again where it was too late.

    Where the gateway will not close (yet), the attempt stays open and the sweep goes on asking about it. Returns the
    attempt and the gateway's last word about it: UNKNOWN where it did not answer.

    :raises registry.GatewayBusy: if it `must_ask` and too many calls are under way
    """
    charge, outcome = inquire(charge_id=charge_id, at=at, must_ask=must_ask)
    if charge.status not in OPEN or charge.gateway_account is None:
        return charge, outcome
    try:
        with registry.place_for_a_call():
            result = registry.adapter(charge.gateway_account).close_payment(charge.number)
    except (GatewayUnavailable, GatewayRefused, TryAgain) as error:
        if must_ask and isinstance(error, registry.GatewayBusy):
            raise
        log.warning("close_unanswered", charge=charge.number, error=str(error))
        return charge, Outcome.UNKNOWN
    if result.outcome is Outcome.FAILED:
        return inquire(charge_id=charge_id, at=at, must_ask=must_ask)
    if result.outcome is Outcome.SUCCEEDED:
        charge = settlement.note(charge_id=charge_id, event=Event.CLOSED, answer=result.gateway_status, at=at)
    return charge, result.outcome


def sweep_due(*, limit: int = 100) -> int:
    """
    Ask about every charge whose query is due, each on its own. Returns how many were taken.

    A gateway that does not answer for one is not waited for again in this run: the rest of its are due when their
    lease runs out.
    """
    leased = sweep.lease_due(at=timezone.now(), limit=limit)
    silent: set[int | None] = set()
    for charge_id, account_id in leased:
        if account_id in silent:
            continue
        try:
            _charge, outcome = _ask(charge_id=charge_id, at=timezone.now())
        except Exception:
            # One charge's trouble must not keep the others waiting. Its lease runs out and it is due again.
            log.exception("sweep_failed", charge_id=charge_id)
        else:
            silent |= {account_id} if outcome is Outcome.UNKNOWN else set()
    return len(leased)


@outside_transaction
def ask(*, charge_id: int, at: datetime.datetime) -> Charge:
    """Ask about an attempt; close it too where another replaced it, or its order no longer waits for cash."""
    charge, _outcome = _ask(charge_id=charge_id, at=at)
    return charge


def _ask(*, charge_id: int, at: datetime.datetime) -> tuple[Charge, Outcome]:
    is_wanted = Charge.objects.filter(
        pk=charge_id, is_replaced=False, order__status__in=AWAITING_CASH, order__expires_at__gt=at
    ).exists()
    step = inquire if is_wanted else retire
    return step(charge_id=charge_id, at=at)
