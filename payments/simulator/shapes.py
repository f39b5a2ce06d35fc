"""The book's rows as JSON."""

import datetime
from typing import Any

from django.utils import timezone

from payments.simulator import rooms
from payments.simulator.models import BillDifference, Fault, Merchant, Notification, NotificationDelivery, Trade
from payments.simulator.money import yuan


def trade(row: Trade, *, public_url: str) -> dict[str, Any]:
    room = rooms.of(row.merchant.gateway)
    code_url = room.code_url(row, public_url)
    return {
        "gateway": row.merchant.gateway,
        "api": row.api,
        "app_id": row.merchant.app_id,
        "seller_id": row.merchant.seller_id,
        "out_trade_no": row.out_trade_no,
        "trade_no": row.trade_no,
        "product": row.product,
        "status": row.status,
        "gateway_status": room.status_word(row),
        "amount_fen": row.amount_fen,
        "amount": yuan(row.amount_fen),
        "subject": row.subject,
        "notify_url": row.notify_url,
        "return_url": row.return_url,
        "code_url": code_url,
        "prepay_id": row.prepay_id,
        "pay_url": code_url if code_url.startswith("http") else f"{public_url}/cashier/{row.token}",
        "offered_at": _time(row.offered_at),
        "started_at": _time(row.started_at),
        "expires_at": _time(row.expires_at or row.offer_until),
        "paid_at": _time(row.paid_at),
        "closed_at": _time(row.closed_at),
        "refunded_fen": row.refunded_fen,
        "refunds": [
            {
                "request_no": refund.request_no,
                "refund_no": refund.refund_no,
                "amount_fen": refund.amount_fen,
                "moved": refund.moved,
                "trouble": refund.trouble,
                "by_console": refund.by_console,
                "made_at": _time(refund.made_at),
            }
            for refund in row.refunds.all()
        ],
    }


def notification(row: Notification) -> dict[str, Any]:
    return {
        "id": row.pk,
        "notify_id": row.notify_id,
        "out_trade_no": row.trade.out_trade_no,
        "event": row.event,
        "state": row.state,
        "url": row.url,
        "due_at": _time(row.due_at),
        "failures": row.failures,
        "disturbed_by": row.disturbed_by,
        "facts": row.facts,
        "deliveries": [delivery(each) for each in row.deliveries.all()],
    }


def delivery(row: NotificationDelivery) -> dict[str, Any]:
    return {
        "sent_at": _time(row.sent_at),
        "elapsed_ms": row.elapsed_ms,
        "disturbed_by": row.disturbed_by,
        "sent": row.sent,
        "status": row.status,
        "answer": row.answer,
        "accepted": row.accepted,
    }


def fault(row: Fault) -> dict[str, Any]:
    return {"id": row.pk, "fault": row.kind, "match": row.match, "times": row.times_left, "delay_ms": row.delay_ms}


def bill_difference(row: BillDifference) -> dict[str, Any]:
    return {
        "app_id": row.merchant.app_id,
        "merchant": row.merchant.seller_id,
        "day": row.day.isoformat(),
        "kind": row.kind,
        "number": row.number,
        "refund_number": row.refund_number,
        "was": row.was,
        "shows": row.shows,
    }


def merchant(row: Merchant) -> dict[str, Any]:
    return {
        "gateway": row.gateway,
        "app_id": row.app_id,
        "seller_id": row.seller_id,
        "name": row.name,
        "app_public_key": row.app_public_key,
        "app_certificate": row.app_certificate,
        "app_cert_sn": row.app_cert_sn,
    }


def _time(moment: datetime.datetime | None) -> str | None:
    return timezone.localtime(moment).isoformat() if moment else None
