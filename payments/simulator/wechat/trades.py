"""What a merchant can do with its orders, whichever API it speaks. Each API words the refusals itself."""

import contextlib
import datetime
import secrets
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from payments.simulator import book, refunds
from payments.simulator.book import Terms
from payments.simulator.faults import Strike
from payments.simulator.models import Merchant, Refund, Trade

Status = Trade.Status
REFUNDABLE_FOR = datetime.timedelta(days=365)
MOST_REFUNDS = 50


class NoSuchTrade(Exception):
    """The merchant has no order of that number."""


class TooEarly(Exception):
    """An order cannot be closed in its first five minutes."""


class NoSuchRefund(Exception):
    """The merchant has no refund of that number."""


class TooManyRefunds(Exception):
    """An order takes fifty refunds."""


def place(merchant: Merchant, terms: Terms) -> Trade:
    """
    The order, new or as it was asked for before with the same content.

    :raises book.AlreadyPaid, book.AlreadyClosed, book.OtherTerms: the number was used before
    """
    book.close_expired()
    return book.offer(merchant=merchant, terms=terms)


def find(merchant: Merchant, *, out_trade_no: str = "", transaction_id: str = "") -> Trade:
    """
    The order of this number, WeChat Pay's own before the merchant's.

    :raises NoSuchTrade: nothing of the kind
    """
    book.close_expired()
    wanted = {"trade_no": transaction_id} if transaction_id else {"out_trade_no": out_trade_no}
    trade = Trade.objects.select_related("merchant").filter(merchant=merchant, **wanted).first()
    if trade is None:
        raise NoSuchTrade
    return trade


def number_of(merchant: Merchant, named: Mapping[str, Any]) -> str:
    """The merchant's number of the order that is meant, whichever number is `named`; empty where none is known."""
    if number := named.get("out_trade_no"):
        return str(number)
    ways = {
        "transaction_id": "trade_no",
        "refund_id": "refunds__refund_no",
        "out_refund_no": "refunds__request_no",
    }
    for name, field in ways.items():
        if number := named.get(name):
            trade = Trade.objects.filter(merchant=merchant, **{field: str(number)}).first()
            return trade.out_trade_no if trade else ""
    return ""


def close(trade: Trade, strike: Strike) -> None:
    """
    End an unpaid order.

    :raises TooEarly: made within the last five minutes (or however long the merchant was registered with)
    :raises book.AlreadyPaid, book.AlreadyClosed: too late
    """
    if strike.kind == "order_paid":
        with contextlib.suppress(book.NotWaiting):  # somebody was faster
            book.pay(trade_id=trade.pk)
    with transaction.atomic():
        trade = Trade.objects.select_related("merchant").get(pk=trade.pk)
        if trade.paid_at:
            raise book.AlreadyPaid
        if not trade.payable:
            raise book.AlreadyClosed
        wait = datetime.timedelta(seconds=trade.merchant.particulars["closable_after_s"])
        if strike.kind == "close_refused" or timezone.now() < trade.offered_at + wait:
            raise TooEarly
        book.close(trade_id=trade.pk)


@transaction.atomic
def refund(
    trade: Trade,
    strike: Strike,
    *,
    api: str,
    out_refund_no: str,
    amount_fen: int,
    reason: str = "",
    notify_url: str = "",
    by_console: bool = False,
) -> Refund:
    """
    Accept a refund. Accepted is not done: the money moves (and that is told) a while later.

    :raises book.OtherTerms: the number was used for another amount, or for another order
    :raises book.NotRefundable: not paid, or paid more than a year ago
    :raises book.RefundExceedsTrade, TooManyRefunds: more than is left
    """
    elsewhere = Refund.objects.filter(trade__merchant=trade.merchant, request_no=out_refund_no).exclude(trade=trade)
    if elsewhere.exists():
        raise book.OtherTerms
    if trade.paid_at and timezone.now() > trade.paid_at + REFUNDABLE_FOR:
        raise book.NotRefundable
    others = trade.refunds.exclude(request_no=out_refund_no)
    if others.count() >= MOST_REFUNDS:
        raise TooManyRefunds
    asked = refunds.Asked(
        api=api,
        request_no=out_refund_no,
        refund_no=f"5030{timezone.localtime():%d%m%Y%Y%m%d}{secrets.randbelow(10**8):08d}",
        amount_fen=amount_fen,
        reason=reason,
        notify_url=notify_url,
        by_console=by_console,
    )
    ends = {"refund_not_done": "never", "abnormal_refund": "abnormal", "refund_closed": "closed"}.get(strike.kind, "")
    return refunds.ask(trade_id=trade.pk, asked=asked, ends=ends)


def find_refund(merchant: Merchant, *, out_refund_no: str = "", refund_id: str = "") -> Refund:
    """
    The refund of this number, WeChat Pay's own before the merchant's.

    :raises NoSuchRefund: nothing of the kind
    """
    refunds.settle_due()
    wanted = {"refund_no": refund_id} if refund_id else {"request_no": out_refund_no}
    made = Refund.objects.select_related("trade__merchant").filter(trade__merchant=merchant, **wanted).first()
    if made is None:
        raise NoSuchRefund
    return made
