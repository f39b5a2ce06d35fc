"""
Refunds of many orders at once: foreseen, confirmed, and then asked for one by one in the background.

What was confirmed are rows. A line becomes its refund, or is refused, in one transaction under its order's lock; so a
worker that dies leaves a line done or waiting, and who takes it up again does nothing twice.
"""

import dataclasses
import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

import structlog
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments import audit, transactions
from payments.charges.models import CASH, Charge
from payments.charges.states import Status as ChargeStatus
from payments.errors import Conflict, Malformed, OnetillError, TryAgain
from payments.ledger.operations import NotEnough
from payments.money import yuan_text
from payments.orders import operations as orders
from payments.orders.models import Order
from payments.refunds import operations, queries, submission
from payments.refunds.batch_models import BATCH_NUMBER_LENGTH_MAX, RefundBatch, RefundBatchLine
from payments.refunds.models import REASON_LENGTH_MAX, Refund
from payments.refunds.operations import RefundCommand, Split
from payments.refunds.planner import RefundExceeds
from payments.refunds.states import LegStatus, LineEvent, LineStatus, Status, next_line_status
from payments.transactions import outside_transaction, savepoint, transaction, transaction_required

log = structlog.get_logger(__name__)

TASK = "payments.refund_batches_due"
ORDERS_MAX = 200  # in one batch
LEASE = datetime.timedelta(seconds=60)  # a worker that dies holds a line no longer than this

# Why a line was refused, in a sentence: it keeps the error's code alone.
_REFUSALS: tuple[type[OnetillError], ...] = (
    operations.OrderNotPaid, operations.OrderClosed, operations.OrderRefunded, operations.RefundedMeanwhile,
    operations.TooManyRefunds, operations.RefundNumberReused, NotEnough,
)  # fmt: skip
SENTENCES: dict[str, str | Promise] = {
    **{error.code: error.message for error in _REFUSALS},
    RefundExceeds.code: _("Less than that is left of what was paid."),
}


class AllOnItsWay(operations.OrderRefunded):
    """What was paid and has not gone back is reserved for refunds that are on their way or wait."""

    message = _("All of this order is on its way back already, or waits for a second person.")


class BatchNumberReused(Conflict):
    """The same number with other orders, or by another person."""

    code = "batch_no_reused"
    message = _("This form was used for another refund of many orders. Choose the orders again.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chosen:
    """An order, and what was left of its goods and shipping when it was chosen: all of that is to go back."""

    order_id: int
    goods_fen: int
    shipping_fen: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Foreseen:
    """What would become of an order: what each tender gives back, or why nothing can."""

    order: Order
    goods_fen: int
    shipping_fen: int
    split: Split = dataclasses.field(default_factory=list)
    refusal: OnetillError | None = None
    needs_second_person: bool = False

    @property
    def amount_fen(self) -> int:
        return self.goods_fen + self.shipping_fen


def foresee(*, chosen: Sequence[Order]) -> list[Foreseen]:
    """Return what would become of each order (with its client), in three statements however many they are."""
    paying: dict[int, list[Charge]] = defaultdict(list)
    ids = [order.pk for order in chosen]
    paid = Charge.objects.filter(order__in=ids, status=ChargeStatus.SUCCEEDED).select_related("gateway_account")
    for charge in paid.order_by("order", "attempt"):
        paying[charge.order_id].append(charge)
    alone_fen = queries.refunded_alone_fen(order_ids=ids)
    return [_foresee(order, charges=paying[order.pk], alone_fen=alone_fen.get(order.pk, 0)) for order in chosen]


def _foresee(order: Order, *, charges: Iterable[Charge], alone_fen: int) -> Foreseen:
    goods_fen, shipping_fen = queries.goods_left_fen(order), queries.shipping_left_fen(order)
    try:
        operations.check_refundable(order=order)
        if not goods_fen + shipping_fen:
            raise AllOnItsWay
        command = RefundCommand(goods_fen=goods_fen, shipping_fen=shipping_fen)
        split = operations.preview(order=order, command=command, charges=charges)
    except OnetillError as error:
        return Foreseen(order=order, goods_fen=goods_fen, shipping_fen=shipping_fen, refusal=error)
    return Foreseen(
        order=order, goods_fen=goods_fen, shipping_fen=shipping_fen, split=split,
        needs_second_person=queries.needs_second_person(
            order=order, amount_fen=goods_fen + shipping_fen, alone_fen=alone_fen
        ),
    )  # fmt: skip


def confirm(
    *, number: str, chosen: Collection[Chosen], reason: str, actor: str, at: datetime.datetime
) -> tuple[RefundBatch, bool]:
    """
    Commit what is to be refunded, and say whether it is new. The same number is the same batch.

    :raises Malformed: for no order or too many, one twice, nothing to give back, or without a reason
    :raises BatchNumberReused: if the number stands for other orders, or is another person's
    """
    _check(number=number, chosen=chosen, reason=reason)
    with transaction():
        batch, is_new = RefundBatch.objects.get_or_create(
            number=number,
            defaults={"reason": reason, "requested_by": actor, "requested_at": at, "request_id": audit.request_id()},
        )
        if not is_new:
            lines = batch.lines.values_list("order_id", "seen_goods_fen", "seen_shipping_fen")
            asked = {(one.order_id, one.goods_fen, one.shipping_fen) for one in chosen}
            if batch.requested_by != actor or set(lines) != asked:
                raise BatchNumberReused
            return batch, False
        RefundBatchLine.objects.bulk_create([
            RefundBatchLine(batch=batch, order_id=one.order_id, seen_goods_fen=one.goods_fen,
                            seen_shipping_fen=one.shipping_fen, due_at=at)
            for one in chosen
        ])  # fmt: skip
        sum_fen = sum(one.goods_fen + one.shipping_fen for one in chosen)
        audit.record(
            actor=actor, action="refund_batch.confirm", subject=f"refund_batch:{batch.pk}",
            orders=len(chosen), sum=yuan_text(sum_fen), reason=reason,
        )  # fmt: skip
        transactions.wake(TASK)
        return batch, True


def _check(*, number: str, chosen: Collection[Chosen], reason: str) -> None:
    if not 0 < len(number) <= BATCH_NUMBER_LENGTH_MAX:
        raise Malformed(_("Send at most %(limit)s characters."), field="number", limit=BATCH_NUMBER_LENGTH_MAX)
    if not 0 < len(chosen) <= ORDERS_MAX:
        raise Malformed(_("Choose one to %(limit)s orders."), field="orders", limit=ORDERS_MAX)
    if len({one.order_id for one in chosen}) != len(chosen):
        raise Malformed(_("An order was chosen twice."), field="orders")
    if any(min(one.goods_fen, one.shipping_fen) < 0 or not one.goods_fen + one.shipping_fen for one in chosen):
        raise Malformed(_("Of one of these orders nothing is left to go back."), field="orders")
    if not 0 < len(reason) <= REASON_LENGTH_MAX:
        raise Malformed(_("Give a reason of at most %(limit)s characters."), field="reason", limit=REASON_LENGTH_MAX)


@outside_transaction
def process_due(*, limit: int = 10 * ORDERS_MAX) -> int:
    """
    Take the lines that are due, one after the other, until none is. Returns how many were taken.

    What one gateway leaves without an answer, the sweep of refunds tells it of: here it is not waited for again.
    """
    silent: set[int] = set()
    for taken in range(limit):
        line_id = lease_next(at=timezone.now())
        if line_id is None:
            return taken
        try:
            process(line_id=line_id, at=timezone.now(), silent=silent)
        except Exception:  # one line's trouble must not keep the others waiting; its lease runs out
            log.exception("refund_batch_line_failed", line_id=line_id)
    return limit


def lease_next(*, at: datetime.datetime) -> int | None:
    """Take the line that is due longest, so that two workers at once take none twice."""
    with transaction():
        due = RefundBatchLine.objects.filter(due_at__lte=at).order_by("due_at", "pk")
        line_id = due.select_for_update(of=("self",), skip_locked=True).values_list("pk", flat=True).first()
        if line_id is not None:
            RefundBatchLine.objects.filter(pk=line_id).update(due_at=at + LEASE)
    return line_id


@outside_transaction
def process(*, line_id: int, at: datetime.datetime, silent: set[int] | None = None) -> RefundBatchLine:
    """Ask for the refund of one line, tell the gateway of it unless it is `silent`, and return the line."""
    line, made = _ask_for(line_id=line_id, at=at)
    if made is not None and made.status == Status.PENDING:
        silent = set() if silent is None else silent
        at_gateways = made.legs.filter(charge__tender__in=CASH)
        if not silent & set(at_gateways.values_list("charge__gateway_account_id", flat=True)):
            submission.submit_all(refund_id=made.pk, at=at)
            unanswered = at_gateways.filter(status__in=(LegStatus.STARTED, LegStatus.UNKNOWN))
            silent |= set(unanswered.values_list("charge__gateway_account_id", flat=True))
    return line


def _ask_for(*, line_id: int, at: datetime.datetime) -> tuple[RefundBatchLine, Refund | None]:
    """Make a waiting line its refund, or refuse it, in one transaction. Returns the refund if it is new."""
    order_id = RefundBatchLine.objects.values_list("order_id", flat=True).get(pk=line_id)
    with transaction():
        order = orders.lock(order_id=order_id)
        line = RefundBatchLine.objects.select_for_update(of=("self",)).select_related("batch").get(pk=line_id)
        if line.status != LineStatus.WAITING:
            return line, None
        with audit.on_behalf_of(line.batch.request_id):
            return line, _ask_for_locked(line=line, order=order, at=at)


@transaction_required
def _ask_for_locked(*, line: RefundBatchLine, order: Order, at: datetime.datetime) -> Refund | None:
    try:
        with savepoint():
            made, is_new = operations.request_of(
                order=order, command=_command(line), actor=line.batch.requested_by, at=at
            )
    except TryAgain:
        raise
    except OnetillError as error:
        _settle(line=line, order=order, event=LineEvent.REFUSED, at=at, refusal=error.code)
        return None
    _settle(line=line, order=order, event=LineEvent.ASKED, at=at, refund=made)
    return made if is_new else None


def _command(line: RefundBatchLine) -> RefundCommand:
    """The refund's number follows from batch and order: repeated, it is the same refund."""
    return RefundCommand(
        goods_fen=line.seen_goods_fen, shipping_fen=line.seen_shipping_fen, reason=line.batch.reason,
        refund_no=f"{line.batch.number}-{line.order_id}", seen_left_fen=(line.seen_goods_fen, line.seen_shipping_fen),
    )  # fmt: skip


@transaction_required
def _settle(
    *,
    line: RefundBatchLine,
    order: Order,
    event: LineEvent,
    at: datetime.datetime,
    refund: Refund | None = None,
    refusal: str = "",
) -> None:
    line.status = next_line_status(status=line.status, event=event)
    line.refund, line.refusal, line.due_at, line.settled_at = refund, refusal, None, at
    line.save(update_fields=["status", "refund", "refusal", "due_at", "settled_at"])
    audit.record(
        actor=line.batch.requested_by, action=f"refund_batch.{event}", subject=order.subject, batch=line.batch_id,
        **({"refund": refund.number} if refund is not None else {"refusal": refusal}),
    )  # fmt: skip


def lines_of(batch: RefundBatch) -> QuerySet[RefundBatchLine]:
    """Return the lines of a batch, each with its order and refund."""
    return batch.lines.select_related("order", "refund").order_by("pk")
