"""What v2 and APIv3 ask alike: the limits of an order, whatever its spelling."""

import datetime
import re
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from payments.simulator.book import Terms

LARGEST_FEN = 10_000_000_000
TRADE_NUMBER = re.compile(r"[0-9A-Za-z_\-|*]{6,32}")
REFUND_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
NOTIFY_URL = re.compile(r"https?://[^\s\\?#/]+(/[^\s\\?#]*)?")  # no query; https in reality, which a sandbox lacks
LONGEST_NOTIFY_URL = 255
SHORTEST = datetime.timedelta(minutes=1)
PREPAID_FOR = datetime.timedelta(hours=2)  # how long a code or a prepay_id can be paid, unless told less
# How v2 and the answers of APIv3 spell the products.
TRADE_TYPES = {"native": "NATIVE", "jsapi": "JSAPI", "h5": "MWEB", "app": "APP"}


def terms(
    *,
    api: str,
    product: str,
    out_trade_no: str,
    amount_fen: int,
    subject: str,
    notify_url: str,
    pay_until: datetime.datetime | None,
    particulars: Mapping[str, Any],
) -> Terms:
    """
    The order as the book keeps it.

    `particulars` is plain JSON: `openid` and `attach` (texts, may be left out), v2's `sign_type`, and whatever else
    makes another order when it is asked for again under the same number.
    """
    until = timezone.now() + PREPAID_FOR
    return Terms(
        api=api,
        product=product,
        out_trade_no=out_trade_no,
        amount_fen=amount_fen,
        subject=subject,
        notify_url=notify_url,
        offer_until=min(until, pay_until) if pay_until else until,
        lifetime_s=int(PREPAID_FOR.total_seconds()),
        pay_until=pay_until,
        particulars={**particulars, "time_expire": pay_until.isoformat() if pay_until else ""},
    )


def too_near(pay_until: datetime.datetime) -> bool:
    """Whether an order's end lies too near (or behind) for anybody to pay it."""
    return pay_until < timezone.now() + SHORTEST
