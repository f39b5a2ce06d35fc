"""What can happen to a trade. Each operation is one transaction, the notifications it causes included."""

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from payments.simulator import notices, rooms
from payments.simulator.models import Merchant, Refund, Trade

Status = Trade.Status


class AlreadyPaid(Exception):
    """The number belongs to a trade that was paid."""


class AlreadyClosed(Exception):
    """The number belongs to a trade that is over."""


class OtherTerms(Exception):
    """The number belongs to a trade (or a refund) of another content."""


class NotWaiting(Exception):
    """Only a trade that waits for its payer can be paid or closed."""


class NotRefundable(Exception):
    """The trade was not paid, or is past refunding."""


class RefundExceedsTrade(Exception):
    """More would go back than came."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Terms:
    """What a merchant asks money for. A number asked for again must come with the same `content`."""

    api: str = ""
    product: str
    out_trade_no: str
    amount_fen: int
    subject: str
    body: str = ""
    notify_url: str = ""
    return_url: str = ""
    quit_url: str = ""
    offer_until: datetime.datetime
    lifetime_s: int
    pay_until: datetime.datetime | None = None
    particulars: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # plain JSON

    def same_content(self, trade: Trade) -> bool:
        names = ("api", "product", "amount_fen", "subject", "body", "particulars")
        return all(getattr(self, name) == getattr(trade, name) for name in names)


@transaction.atomic
def offer(*, merchant: Merchant, terms: Terms) -> Trade:
    """
    Write down what the merchant asks for. The trade begins now or when the payer opens it, as its gateway has it.

    :raises AlreadyPaid, AlreadyClosed, OtherTerms: the number was used before
    """
    trade = Trade.objects.filter(merchant=merchant, out_trade_no=terms.out_trade_no).first()
    if trade is None:
        return _begin(merchant, terms)
    if trade.paid_at:
        raise AlreadyPaid
    if trade.status == Status.CLOSED and trade.exists:
        raise AlreadyClosed
    if not terms.same_content(trade):
        raise OtherTerms
    if trade.status == Status.CLOSED:  # a code that ran out unseen: the merchant gets a new one
        trade.status, trade.closed_at = Status.OFFERED, None
        trade.token, trade.offer_until = rooms.of(merchant.gateway).new_token(terms.api), terms.offer_until
    trade.notify_url, trade.return_url, trade.quit_url = terms.notify_url, terms.return_url, terms.quit_url
    trade.save()
    return trade


@transaction.atomic
def open_trade(*, trade_id: int) -> Trade:
    """The payer has the code scanned or the link opened: from now on the gateway knows the trade."""
    trade = Trade.objects.get(pk=trade_id)
    if trade.status != Status.OFFERED:
        return trade
    now = timezone.now()
    if now >= trade.offer_until:
        return _close(trade, at=now)
    trade.trade_no = rooms.of(trade.merchant.gateway).new_trade_no()
    _start(trade, at=now)
    trade.save()
    return trade


@transaction.atomic
def pay(*, trade_id: int, amount_fen: int | None = None) -> Trade:
    """
    The payer pays. With another `amount_fen` the gateway's own book says that amount ever after.

    :raises NotWaiting: it is paid, closed or expired
    """
    trade = open_trade(trade_id=trade_id)
    now = timezone.now()
    if trade.status != Status.WAITING or (trade.expires_at and now >= trade.expires_at):
        raise NotWaiting(trade.status)
    trade.amount_fen = amount_fen or trade.amount_fen
    trade.trade_no = trade.trade_no or rooms.of(trade.merchant.gateway).new_trade_no()
    trade.status, trade.paid_at = Status.PAID, now
    trade.save()
    notices.enqueue(trade=trade, event="paid")
    return trade


@transaction.atomic
def close(*, trade_id: int) -> Trade:
    """
    End an unpaid trade.

    :raises NotWaiting: it is paid or closed
    """
    trade = Trade.objects.get(pk=trade_id)
    if not trade.payable:
        raise NotWaiting(trade.status)
    return _close(trade, at=timezone.now())


@transaction.atomic
def age(*, trade_id: int, by: datetime.timedelta) -> Trade:
    """Let a trade have been asked for earlier by so much. The limits set for it stay."""
    trade = Trade.objects.get(pk=trade_id)
    trade.offered_at -= by
    if trade.started_at:
        trade.started_at -= by
    trade.save()
    return trade


@transaction.atomic
def finish(*, trade_id: int) -> Trade:
    """
    The time for refunds is over.

    :raises NotWaiting: it is not paid
    """
    trade = Trade.objects.get(pk=trade_id)
    if trade.status != Status.PAID:
        raise NotWaiting(trade.status)
    trade.status, trade.closed_at = Status.FINISHED, timezone.now()
    trade.save()
    notices.enqueue(trade=trade, event="finished")
    return trade


@transaction.atomic
def refund(
    *,
    trade_id: int,
    request_no: str,
    amount_fen: int,
    reason: str = "",
    moves: bool = True,
    by_console: bool = False,
) -> tuple[Refund, bool]:
    """
    Give money back, once per `request_no`; the second value says whether money moved by this very call.

    :raises OtherTerms: the number was used for another amount
    :raises NotRefundable: not paid, or past refunding
    :raises RefundExceedsTrade: more than is left
    """
    trade = Trade.objects.get(pk=trade_id)
    known = trade.refunds.filter(request_no=request_no).first()
    if known and known.amount_fen != amount_fen:
        raise OtherTerms
    if known and known.moved:
        return known, False
    if not trade.paid_at or trade.status == Status.FINISHED:
        raise NotRefundable(trade.status)
    if trade.refunded_fen + amount_fen > trade.amount_fen:
        raise RefundExceedsTrade
    made, _ = trade.refunds.update_or_create(
        request_no=request_no,
        defaults={
            "amount_fen": amount_fen,
            "reason": reason,
            "moved": moves,
            "by_console": by_console,
            "made_at": timezone.now(),
        },
    )
    if moves:
        _book_refund(trade, made)
    return made, moves


def close_expired() -> int:
    """Close what nobody paid in time; how many."""
    now = timezone.now()
    expired = Q(status=Status.OFFERED, offer_until__lte=now) | Q(status=Status.WAITING, expires_at__lte=now)
    if not Trade.objects.filter(expired).exists():
        return 0
    with transaction.atomic():
        return len([_close(trade, at=now) for trade in Trade.objects.filter(expired)])


def _begin(merchant: Merchant, terms: Terms) -> Trade:
    room, now = rooms.of(merchant.gateway), timezone.now()
    trade = Trade(
        merchant=merchant,
        token=room.new_token(terms.api),
        prepay_id=room.new_prepay_id(),
        offered_at=now,
        **dataclasses.asdict(terms),
    )
    if room.BEGINS_WHEN_ASKED:
        _start(trade, at=now)
    trade.save()
    return trade


def _start(trade: Trade, *, at: datetime.datetime) -> None:
    ends = at + datetime.timedelta(seconds=trade.lifetime_s)
    trade.expires_at = min(ends, trade.pay_until) if trade.pay_until else ends
    trade.status, trade.started_at = Status.WAITING, at


def _book_refund(trade: Trade, made: Refund) -> None:
    if trade.refunded_fen == trade.amount_fen:
        trade.status, trade.closed_at = Status.CLOSED, made.made_at
        trade.save()
    notices.enqueue(trade=trade, event="refunded", refund=made)


def _close(trade: Trade, *, at: datetime.datetime) -> Trade:
    trade.status, trade.closed_at = Status.CLOSED, at
    trade.save()
    notices.enqueue(trade=trade, event="closed")
    return trade
