"""
Payments that staff confirm, because their gateway does not.

The gateway is asked first. What it confirms itself is booked by that, and nothing is left to be done by hand. Where it
does not answer, a person's word with evidence books the payment up to the client's limit, and above it a second
person's. Where it answers otherwise (closed, not known, still waiting), whoever confirms must say that they know, and
it always takes a second person; at that moment the attempt is closed at the gateway, so that nobody pays it twice.

What is booked goes the way of every payment (`charges.settlement`): it pays the order, or is a surplus. It counts for
reconciliation too: what the gateway's bill does not show is a difference there.
"""

import dataclasses
import datetime

from django.db import IntegrityError
from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.charges import operations as charges
from payments.charges import settlement
from payments.charges.models import CASH, TRADE_NO_LENGTH_MAX, Charge
from payments.charges.states import BOOKED, OPEN
from payments.errors import Conflict, Malformed, TryAgain
from payments.gateways.base import Outcome, PaymentState
from payments.manual import requests
from payments.manual.evidence import Evidence
from payments.manual.models import HandConfirmation
from payments.manual.states import Event, Status
from payments.money import yuan_text
from payments.orders.models import Order
from payments.transactions import outside_transaction, savepoint, transaction, transaction_required

CLOCKS_DIFFER = datetime.timedelta(minutes=5)


class NotToConfirm(Conflict):
    code = "not_to_confirm"
    message = _("This payment is booked already, or is none at a gateway: there is nothing to confirm.")


class GatewayConfirms(Conflict):
    """Asked, the gateway says that it is paid."""

    code = "gateway_confirms"
    message = _("The gateway itself says now that this is paid, and it is booked. Nothing is left to confirm by hand.")


class GatewayContradicts(Conflict):
    code = "gateway_contradicts"
    message = _(
        "The gateway was asked and says otherwise: %(said)s. If your evidence is stronger, tick this and choose the "
        "file again; a second person then decides."
    )


class GatewayStillWaits(TryAgain):
    code = "gateway_still_waits"
    message = _(
        "The gateway still waits for the payer and does not close this attempt yet, so it could be paid twice. Try "
        "again in a few minutes."
    )


class ConfirmedMeanwhile(Conflict):
    code = "confirmed_meanwhile"
    message = _("Somebody has confirmed this payment by hand already. See what came of that.")


class TradeKnown(Conflict):
    code = "trade_known"
    message = _("Another payment is booked under this number of the gateway.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConfirmCommand:
    """`number` makes a double click one request. `is_acknowledged`: whoever sends it knows that the gateway says no."""

    number: str
    trade_no: str
    paid_at: datetime.datetime
    reason: str
    evidence: Evidence
    is_acknowledged: bool = False

    def check(self, *, charge: Charge, at: datetime.datetime) -> None:
        """:raises Malformed: for what no column holds, and a time at which it cannot have been paid"""
        requests.check(number=self.number, reason=self.reason)
        if not 0 < len(self.trade_no) <= TRADE_NO_LENGTH_MAX or not self.trade_no.isprintable():
            raise Malformed(_("Send 1 to %(limit)s letters and digits."), field="trade_no", limit=TRADE_NO_LENGTH_MAX)
        if self.paid_at > at + CLOCKS_DIFFER:
            raise Malformed(_("It cannot have been paid in the future."), field="paid_at")
        if self.paid_at < charge.order.created_at - CLOCKS_DIFFER:
            raise Malformed(_("It cannot have been paid before its order was made."), field="paid_at")


@outside_transaction
def confirm(*, charge_id: int, command: ConfirmCommand, actor: str, at: datetime.datetime) -> HandConfirmation:
    """
    Confirm a payment by hand: book it, or have it wait for a second person. The same number again is the same request.

    :raises Malformed: if the command cannot be kept
    :raises NotToConfirm: if the payment is booked, or is none at a gateway
    :raises registry.GatewayBusy: if the gateway could not be asked for our other calls: silence it is not
    :raises GatewayConfirms: if the gateway says that it is paid: it is booked by that
    :raises GatewayContradicts: if the gateway says otherwise and that is not acknowledged
    :raises ConfirmedMeanwhile: if another confirmation of it waits or is done
    :raises TradeKnown: if the gateway's number is another payment's
    :raises requests.NumberReused: if the number stands for another confirmation
    """
    charge = Charge.objects.select_related("order").get(pk=charge_id)
    command.check(charge=charge, at=at)
    if (known := _known(charge_id=charge_id, command=command)) is not None:
        return known
    _check_confirmable(charge)
    charge, outcome = charges.inquire(charge_id=charge_id, at=at, must_ask=True)
    if charge.status in BOOKED:  # by the gateway's word, or by this very request's first sending
        if (known := _known(charge_id=charge_id, command=command)) is not None:
            return known
        raise GatewayConfirms
    is_contradicted = outcome is not Outcome.UNKNOWN
    if is_contradicted and not command.is_acknowledged:
        raise GatewayContradicts(field="is_acknowledged", said=charge.last_answer)
    said = charge.last_answer if is_contradicted else ""
    with transaction():
        order, charge = settlement.lock(charge_id=charge_id)
        if (known := _known(charge_id=charge_id, command=command)) is not None:
            return known
        made = _make(order=order, charge=charge, command=command, said=said, actor=actor, at=at)
        audit.record(
            actor=actor, action="charge.confirm_request", subject=order.subject,
            charge=charge.number, amount_fen=made.amount_fen, trade_no=made.trade_no, reason=made.reason,
            evidence_sha256=made.evidence_sha256, gateway_said=said,
            waits_for_approval=made.status == Status.TO_APPROVE,
        )  # fmt: skip
        if made.status == Status.DONE:
            _book(order=order, charge=charge, confirmation=made, actor=actor, at=at)
        return made


def _known(*, charge_id: int, command: ConfirmCommand) -> HandConfirmation | None:
    """Return what the number stands for already."""
    known = HandConfirmation.objects.defer("evidence").filter(number=command.number).first()
    if known is not None and (known.charge_id, known.trade_no) != (charge_id, command.trade_no):
        raise requests.NumberReused
    return known


def _check_confirmable(charge: Charge) -> None:
    if not may_be_confirmed(charge):
        raise NotToConfirm
    if HandConfirmation.objects.filter(charge=charge).exclude(status=Status.REFUSED).exists():
        raise ConfirmedMeanwhile


def may_be_confirmed(charge: Charge) -> bool:
    """Whether it is an attempt at a gateway whose money is not booked."""
    return charge.tender in CASH and charge.status not in BOOKED


@transaction_required
def _make(
    *, order: Order, charge: Charge, command: ConfirmCommand, said: str, actor: str, at: datetime.datetime
) -> HandConfirmation:
    """Write the request of a locked charge."""
    _check_confirmable(charge)
    _check_trade(charge=charge, trade_no=command.trade_no)
    limit_fen = order.client.approval_above_fen
    waits = bool(said) or (limit_fen is not None and charge.amount_fen > limit_fen)
    made = HandConfirmation(
        number=command.number,
        charge=charge,
        amount_fen=charge.amount_fen,
        trade_no=command.trade_no,
        paid_at=command.paid_at,
        reason=command.reason,
        gateway_said=said,
        is_contradicted=bool(said),
        evidence=command.evidence.content,
        evidence_name=command.evidence.name,
        evidence_type=command.evidence.type,
        evidence_sha256=command.evidence.sha256,
        status=Status.TO_APPROVE if waits else Status.DONE,
        requested_by=actor,
        requested_at=at,
    )
    try:
        with savepoint():
            made.save(force_insert=True)
    except IntegrityError as error:  # the number is another charge's, at this very moment
        raise requests.NumberReused from error
    return made


def _check_trade(*, charge: Charge, trade_no: str) -> None:
    if settlement.is_booked_elsewhere(charge=charge, trade_no=trade_no):
        raise TradeKnown(field="trade_no")


@transaction_required
def _book(
    *, order: Order, charge: Charge, confirmation: HandConfirmation, actor: str, at: datetime.datetime
) -> None:  # fmt: skip
    """What a person has confirmed is settled as if the gateway had."""
    state = PaymentState(
        outcome=Outcome.SUCCEEDED,
        number=charge.number,
        amount_fen=confirmation.amount_fen,
        trade_no=confirmation.trade_no,
        paid_at=confirmation.paid_at,
        gateway_status=settlement.BY_HAND,
    )
    settlement.settle_locked(order=order, charge=charge, state=state, actor=actor, at=at)


@outside_transaction
def approve(*, waiting_id: int, actor: str, reason: str, at: datetime.datetime) -> HandConfirmation:
    """
    Let a payment that waits for a second person be booked. The attempt is closed at the gateway before, if it is open.

    :raises four_eyes.NotToDecide: if it does not wait (any more)
    :raises four_eyes.SamePerson: if `actor` asked for it
    :raises registry.GatewayBusy: if the gateway could not be asked for our other calls
    :raises GatewayConfirms: if the gateway says meanwhile that it is paid
    :raises GatewayStillWaits: if the gateway would still take money for it
    :raises TradeKnown: if the gateway's number is another payment's
    """
    waiting = HandConfirmation.objects.defer("evidence").get(pk=waiting_id)
    requests.check_reason(reason=reason)
    requests.check_decidable(request=waiting, actor=actor)
    charge, outcome = charges.inquire(charge_id=waiting.charge_id, at=at, must_ask=True)
    is_silent = outcome is Outcome.UNKNOWN
    if charge.status in OPEN:
        charge, outcome = charges.retire(charge_id=waiting.charge_id, at=at, must_ask=True)
    if charge.status in OPEN and not (is_silent and outcome is Outcome.UNKNOWN):  # one that answers has to close it
        raise GatewayStillWaits
    with transaction():
        order, charge, waiting = _lock(waiting_id=waiting_id)
        requests.decide(request=waiting, event=Event.APPROVED, actor=actor, reason=reason, at=at)
        if charge.status in BOOKED:
            raise GatewayConfirms
        _check_trade(charge=charge, trade_no=waiting.trade_no)
        _audit(order=order, charge=charge, decided=waiting, event=Event.APPROVED)
        _book(order=order, charge=charge, confirmation=waiting, actor=actor, at=at)
        return waiting


def refuse(*, waiting_id: int, actor: str, reason: str, at: datetime.datetime) -> HandConfirmation:
    """Do not let a payment be booked by hand. See `approve` for the errors."""
    with transaction():
        order, charge, waiting = _lock(waiting_id=waiting_id)
        requests.decide(request=waiting, event=Event.REFUSED, actor=actor, reason=reason, at=at)
        _audit(order=order, charge=charge, decided=waiting, event=Event.REFUSED)
        return waiting


@transaction_required
def _lock(*, waiting_id: int) -> tuple[Order, Charge, HandConfirmation]:
    """Lock the order first, as everybody does."""
    charge_id = HandConfirmation.objects.values_list("charge_id", flat=True).get(pk=waiting_id)
    order, charge = settlement.lock(charge_id=charge_id)
    waiting = HandConfirmation.objects.defer("evidence").select_for_update(of=("self",)).get(pk=waiting_id)
    return order, charge, waiting


@transaction_required
def _audit(*, order: Order, charge: Charge, decided: HandConfirmation, event: Event) -> None:
    audit.record(
        actor=decided.decided_by, action=f"charge.confirm_{event}", subject=order.subject,
        charge=charge.number, amount=yuan_text(decided.amount_fen), requested_by=decided.requested_by,
        reason=decided.decision,
    )  # fmt: skip
