"""The bill as WeChat Pay writes it for v2 and APIv3 alike: a backtick before each cell, yuan, totals last."""

import datetime
from collections.abc import Sequence

from django.utils import timezone

from payments.simulator import bills
from payments.simulator.bills import Row
from payments.simulator.faults import Strike
from payments.simulator.models import Merchant
from payments.simulator.money import yuan
from payments.simulator.wechat import payer
from payments.simulator.wechat.terms import TRADE_TYPES

NAMES = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,"
    "代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,"
    "申请退款金额,费率备注"
)
TOTALS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
BYTE_ORDER_MARK, END_OF_LINE = "\ufeff", "\r\n"
RATE = "0.60%"


class NoBill(Exception):
    """Nothing was paid or refunded that day: no bill is made."""


class BeingMade(Exception):
    """The bill is not there yet."""


def write(*, merchant: Merchant, day: datetime.date, strike: Strike) -> bytes:
    """:raises NoBill, BeingMade: there is none (yet)"""
    if strike.kind == "bill_not_ready":
        raise BeingMade
    rows = bills.shown(merchant=merchant, day=day, strike=strike)
    if not rows:
        raise NoBill
    lines = [NAMES, *(_line(_cells(merchant, row)) for row in rows), TOTALS, _line(_totals(rows))]
    text = BYTE_ORDER_MARK + END_OF_LINE.join(lines)
    if strike.kind == "bill_truncated":
        text = text[: text.index(TOTALS) - 10]
    if strike.kind == "bill_charset":
        return text.removeprefix(BYTE_ORDER_MARK).encode("gb18030")
    return text.encode()


def _cells(merchant: Merchant, row: Row) -> list[str]:
    paid, back = (0, row.amount_fen) if row.goes_back else (row.amount_fen, 0)
    state = "REVOKED" if row.taken_back else "REFUND" if row.goes_back else "SUCCESS"
    return [
        f"{timezone.localtime(row.at):%Y-%m-%d %H:%M:%S}",
        merchant.app_id,
        merchant.seller_id,
        "0",
        "",
        row.trade_no,
        row.number,
        row.payer or payer.openid(merchant.app_id),
        TRADE_TYPES.get(row.product, "NATIVE"),
        state,
        payer.BANK_TYPE,
        "CNY",
        yuan(paid),
        "0.00",
        row.refund_no or "0",
        row.refund_number or "0",
        yuan(back),
        "0.00",
        "ORIGINAL" if row.goes_back else "",
        "SUCCESS" if row.goes_back else "",
        row.subject,
        row.attach,
        _fee(row.fee_fen),
        RATE,
        yuan(paid),
        yuan(back),
        "",
    ]


def _totals(rows: Sequence[Row]) -> list[str]:
    paid, back = (sum(row.amount_fen for row in rows if row.goes_back is going) for going in (False, True))
    fees = sum(row.fee_fen for row in rows)
    return [str(len(rows)), yuan(paid), yuan(back), "0.00", _fee(fees), yuan(paid), yuan(back)]


def _line(cells: Sequence[str]) -> str:
    return ",".join(f"`{cell}" for cell in cells)


def _fee(fee_fen: int) -> str:
    """Five decimals, as fees alone have them."""
    return f"{'-' if fee_fen < 0 else ''}{yuan(abs(fee_fen))}000"
