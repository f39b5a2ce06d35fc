"""Refunds that take their time: taken note of now, settled by the courier's clock."""

import dataclasses
import datetime

from django.db import transaction
from django.utils import timezone

from payments.simulator import notices
from payments.simulator.book import NotRefundable, OtherTerms, RefundExceedsTrade
from payments.simulator.models import Refund, Trade

TAKES = datetime.timedelta(minutes=1)  # on the real gateway, whose clock this simulator outruns


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """What a merchant wants back."""

    api: str
    request_no: str
    refund_no: str  # the gateway's number, if this is a new one
    amount_fen: int
    reason: str = ""
    notify_url: str = ""
    by_console: bool = False


@transaction.atomic
def ask(*, trade_id: int, asked: Asked, ends: str = "") -> Refund:
    """
    Take note of a refund, once per `request_no`. One that came to nothing is tried again under its number.

    `ends` says how it will go: by itself, into one of the troubles of a refund, or (`never`) not at all until it is
    asked for again.

    :raises OtherTerms: the number was used for another amount
    :raises NotRefundable: not paid, or past refunding
    :raises RefundExceedsTrade: more than is left
    """
    trade = Trade.objects.get(pk=trade_id)
    known = trade.refunds.filter(request_no=asked.request_no).first()
    if known and known.amount_fen != asked.amount_fen:
        raise OtherTerms
    if known and (known.moved or (known.settles_at and not known.trouble)):
        return known
    if not trade.paid_at or trade.status == Trade.Status.FINISHED:
        raise NotRefundable(trade.status)
    others = trade.refunds.exclude(request_no=asked.request_no)
    if sum(refund.amount_fen for refund in others if not refund.trouble) + asked.amount_fen > trade.amount_fen:
        raise RefundExceedsTrade
    now = timezone.now()
    made = known or Refund(trade=trade, **dataclasses.asdict(asked), moved=False, made_at=now)
    made.trouble = ends if ends in Refund.Trouble.values else ""
    made.settles_at = None if ends else now + notices.scaled(TAKES)
    made.save()
    if made.trouble:
        notices.enqueue(trade=trade, event="refunded", refund=made)
    transaction.on_commit(notices.bell.set)
    return made


def settle_due() -> int:
    """Move the money of the refunds whose time has come; how many."""
    due = Refund.objects.filter(moved=False, trouble="", settles_at__lte=timezone.now())
    if not due.exists():
        return 0
    with transaction.atomic():
        return len([_settle(refund) for refund in due.select_related("trade__merchant")])


def next_due_at() -> datetime.datetime | None:
    waiting = Refund.objects.filter(moved=False, trouble="", settles_at__isnull=False).order_by("settles_at")
    return waiting.values_list("settles_at", flat=True).first()


def _settle(refund: Refund) -> Refund:
    refund.moved = True
    refund.save()
    notices.enqueue(trade=refund.trade, event="refunded", refund=refund)
    return refund
