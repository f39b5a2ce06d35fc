"""Telling and asking gateways about refunds. What they answer, `payments.refunds.settlement` records."""

import datetime
from collections.abc import Sequence

import structlog
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.errors import Conflict, TryAgain
from payments.gateways import registry
from payments.gateways.base import GatewayRefused, GatewayUnavailable, Outcome, RefundRequest, RefundState
from payments.gateways.models import GatewayAccount
from payments.refunds import queries, settlement
from payments.refunds.models import Refund, RefundLeg
from payments.refunds.states import LegStatus, Status
from payments.transactions import outside_transaction, transaction

log = structlog.get_logger(__name__)

TASK = "payments.sweep_due_refunds"

# Whoever commits a refund tells the gateway at once; a sweep leaves it alone for so long, and so do two sweeps.
LEASE = datetime.timedelta(seconds=60)


class NothingToAsk(Conflict):
    code = "refund_not_at_gateway"
    message = _("No gateway is at this refund (any more): there is nothing to ask.")


@outside_transaction
def submit_all(*, refund_id: int, at: datetime.datetime) -> None:
    """Tell the gateway about each leg of a committed refund that it may not know of."""
    legs = RefundLeg.objects.filter(refund_id=refund_id, charge__gateway_account__isnull=False)
    for leg_id in list(legs.values_list("pk", flat=True)):
        submit(leg_id=leg_id, at=at)


@outside_transaction
def submit(*, leg_id: int, at: datetime.datetime) -> Outcome:
    """
    Tell the gateway about a committed refund, record what it says, and return that.

    Calling again after a lost answer repeats the same request under the same number: a gateway refunds it once.
    """
    leg = _load(leg_id)
    account = leg.charge.gateway_account
    if leg.status not in {LegStatus.STARTED, LegStatus.UNKNOWN} or leg.refund.status != Status.PENDING:
        return Outcome.PENDING
    assert account is not None, "our own accounts need no telling"
    request = RefundRequest(
        number=leg.number,
        charge_number=leg.charge.number,
        amount_fen=leg.amount_fen,
        total_fen=leg.charge.paid_fen or 0,
        reason=leg.refund.reason,
        notify_url=registry.notify_url(account),
    )
    try:
        with registry.place_for_a_call():
            state = registry.adapter(account).refund(request)
    except GatewayRefused as error:
        log.warning("refund_refused", leg=leg.number, error=str(error), permanent=error.permanent)
        outcome = Outcome.FAILED if error.permanent else Outcome.UNKNOWN
        state = RefundState(outcome=outcome, number=leg.number, gateway_status=str(error))
    except GatewayUnavailable as error:
        log.warning("refund_unknown", leg=leg.number, error=str(error))
        state = RefundState(outcome=Outcome.UNKNOWN, number=leg.number, gateway_status=str(error))
    except registry.GatewayBusy:  # nothing was sent: the sweep does it when the lease runs out
        return Outcome.UNKNOWN
    except TryAgain as error:
        log.warning("refund_not_sent", leg=leg.number, error=error.code)
        state = RefundState(outcome=Outcome.UNKNOWN, number=leg.number, gateway_status=error.code)
    settlement.settle(leg_id=leg_id, state=state, at=at)
    return state.outcome


@outside_transaction
def reconcile(*, leg_id: int, at: datetime.datetime) -> Outcome:
    """
    Ask the gateway what became of a refund, settle what it answers, and return that.

    What it never heard of is submitted again.
    """
    leg = _load(leg_id)
    account = leg.charge.gateway_account
    if account is None or leg.refund.status == Status.TO_APPROVE:
        return Outcome.PENDING
    if leg.status == LegStatus.STARTED:
        return submit(leg_id=leg_id, at=at)
    try:
        state = ask(account=account, number=leg.foreign_number or leg.number, charge_number=leg.charge.number)
    except registry.GatewayBusy:
        return Outcome.UNKNOWN
    if state.outcome is Outcome.NOT_FOUND and leg.status == LegStatus.UNKNOWN:
        return submit(leg_id=leg_id, at=at)
    settlement.settle(leg_id=leg_id, state=state, at=at)
    return state.outcome


@outside_transaction
def ask_now(*, refund_id: int, actor: str, at: datetime.datetime) -> list[RefundLeg]:
    """
    Ask the gateway now about each leg of a refund that may still go back there, and return those as they are then.

    :raises NothingToAsk: if no gateway is at it
    """
    with transaction():
        refund = Refund.objects.select_related("order").get(pk=refund_id)
        asked = list(queries.at_gateways(refund=refund).values_list("pk", flat=True))
        if not asked:
            raise NothingToAsk
        audit.record(actor=actor, action="refund.ask_gateway", subject=refund.order.subject, refund=refund.number)
    for leg_id in asked:
        reconcile(leg_id=leg_id, at=at)
    return list(RefundLeg.objects.filter(pk__in=asked).order_by("pk"))


@outside_transaction
def ask(*, account: GatewayAccount, number: str, charge_number: str) -> RefundState:
    """
    Return what the gateway says of a refund; what it does not answer is UNKNOWN.

    :raises registry.GatewayBusy: if nothing was asked, because too many calls are under way
    """
    try:
        with registry.place_for_a_call():
            return registry.adapter(account).query_refund(number, charge_number=charge_number)
    except registry.GatewayBusy:
        raise
    except (GatewayUnavailable, GatewayRefused, TryAgain) as error:
        log.warning("refund_query_unanswered", refund=number, error=str(error))
        return RefundState(outcome=Outcome.UNKNOWN, number=number, gateway_status=str(error))


def sweep_due(*, limit: int = 100) -> int:
    """
    Submit or ask about every leg that is due, each on its own. Returns how many were taken.

    A gateway that does not answer for one is not waited for again in this run, as `charges.sweep_due` has it.
    """
    leased = lease_due(at=timezone.now(), limit=limit)
    silent: set[int | None] = set()
    for leg_id, account_id in leased:
        if account_id in silent:
            continue
        try:
            outcome = reconcile(leg_id=leg_id, at=timezone.now())
        except Exception:  # one leg's trouble must not keep the others waiting; its lease runs out
            log.exception("refund_sweep_failed", leg_id=leg_id)
        else:
            silent |= {account_id} if outcome is Outcome.UNKNOWN else set()
    return len(leased)


def lease_due(*, at: datetime.datetime, limit: int) -> Sequence[tuple[int, int | None]]:
    """
    Take the legs that are due, so that two sweeps at once ask about none twice.

    Returns the id of each and of its gateway account.
    """
    with transaction():
        due = queries.due_for_query(at=at).select_for_update(of=("self",), skip_locked=True)
        leased = list(due.values_list("pk", "charge__gateway_account_id")[:limit])
        RefundLeg.objects.filter(pk__in=[pk for pk, _account in leased]).update(next_query_at=at + LEASE)
    return leased


def _load(leg_id: int) -> RefundLeg:
    return RefundLeg.objects.select_related("refund__order", "charge__gateway_account").get(pk=leg_id)
