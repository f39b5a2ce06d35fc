"""
WeChat Pay's bill of a day, as v2 and APIv3 hand it out alike: text with a backtick before each cell, and two lines
behind it that say how many lines there are and what they add up to. Bytes in, a Bill out; no I/O, no clock.

Nothing is quoted, so a title may hold whatever a line is made of. Lines begin where a backtick and a time begin one;
what is too much in a line belongs to its title. A title that imitates a line is found out by the count.

Source: pay.weixin.qq.com/doc/v3/merchant/4012227888
"""

import datetime
import re
from collections.abc import Sequence

from payments.gateways import bills
from payments.gateways.base import Bill, BillEntry, BillEntryKind, BillUnusable

CHARSET = "utf-8-sig"  # it begins with a byte order mark, mostly
FREE_TEXTS = ("商品名称", "商户数据包")  # the merchant's own, side by side
COLUMNS = (
    "交易时间",
    "公众账号ID",
    "商户号",
    "微信订单号",
    "商户订单号",
    "交易状态",
    "商户退款单号",
    "退款状态",
    "商品名称",
    "手续费",
    "订单金额",
    "申请退款金额",
)
COUNT = "总交易单数"
TOTALS = {  # at the end of the bill: in each line
    "应结订单总金额": "应结订单金额",
    "退款总金额": "退款金额",
    "手续费总金额": "手续费",
    "订单总金额": "订单金额",
    "申请退款总金额": "申请退款金额",
}
KINDS = {
    "SUCCESS": BillEntryKind.PAYMENT,
    "REFUND": BillEntryKind.REFUND,
    "REVOKED": BillEntryKind.REFUND,  # taken back before it was settled, without a refund of its own
}
FEE_DECIMALS = 5
NOTHING = "0"  # stands in the numbers of refunds that are none

_LINE = re.compile(r"^`(?=[0-9]{4}-[0-9]{2}-[0-9]{2} )", re.MULTILINE)


def read(file: bytes, *, day: datetime.date, merchant_id: str) -> Bill:
    """
    The bill is the merchant number's, and has the lines of every app that shares it.

    :raises BillUnusable: it is not whole, not in order, or not the bill that was asked for
    """
    text = bills.decoded(file, CHARSET).replace("\r\n", "\n")
    head, _, rest = text.partition("\n")
    names = [name.strip().lstrip("`") for name in head.split(",")]
    read_line = bills.columns(names, COLUMNS)
    body, end = _split_off_totals(rest)
    before, *lines = _LINE.split(body)
    if before.strip():
        raise BillUnusable("malformed", f"not a line of a bill: {before[:32]!r}")
    rows = [read_line(_fitted(line.split(",`"), names)) for line in lines]
    _check_totals(rows, *end)
    for row in rows:
        if row["商户号"] != merchant_id:
            raise BillUnusable("wrong_merchant", row["商户号"][:32])
        if not row["交易时间"].startswith(f"{day} "):
            raise BillUnusable("wrong_day", row["交易时间"][:32])
    return Bill(day=day, entries=tuple(_entry(row) for row in rows), sha256=bills.digest(file))


def _split_off_totals(text: str) -> tuple[str, tuple[str, str]]:
    body, mark, end = ("\n" + text).rpartition(f"\n{COUNT},")
    names, _, totals = end.strip().partition("\n")
    if not mark or not totals or len(names.split(",")) + 1 != len(totals.split(",")):
        raise BillUnusable("truncated", "the bill has no end")
    return body.removeprefix("\n"), (f"{COUNT},{names}", totals)


def _fitted(cells: Sequence[str], names: Sequence[str]) -> list[str]:
    """The cells of a line, where a title that looks like several cells is one again."""
    surplus = len(cells) - len(names)
    if surplus <= 0:
        return list(cells)
    title = names.index(FREE_TEXTS[0])
    after = title + surplus + 1
    return [*cells[:title], ",`".join(cells[title:after]), *cells[after:]]


def _check_totals(rows: Sequence[dict[str, str]], names: str, totals: str) -> None:
    said = dict(zip(names.split(","), (total.strip().lstrip("`") for total in totals.split(",")), strict=True))
    if not said[COUNT].isdecimal() or len(rows) != int(said[COUNT]):
        raise BillUnusable("truncated", f"{len(rows)} lines, where {said[COUNT][:16]!r} are counted")
    for total, column in TOTALS.items():
        if total in said and (not rows or column in rows[0]):
            added = sum(bills.units(row[column], decimals=FEE_DECIMALS) for row in rows)
            if added != bills.units(said[total], decimals=FEE_DECIMALS):
                raise BillUnusable("malformed", f"{total} is not the sum of its lines")


def _entry(row: dict[str, str]) -> BillEntry:
    """A payment's amount is the whole order's, a refund's what was asked for: neither is less by WeChat's coupons."""
    kind = KINDS.get(row["交易状态"])
    if kind is None:
        raise BillUnusable("malformed", f"a line that is {row['交易状态'][:32]!r}")
    is_refund = kind is BillEntryKind.REFUND
    amount_fen = abs(bills.units(row["申请退款金额" if is_refund else "订单金额"]))
    if not amount_fen or not row["商户订单号"]:
        raise BillUnusable("malformed", "a line about nothing")
    return BillEntry(
        kind=kind,
        number=row["商户订单号"],
        refund_number=row["商户退款单号"] if is_refund and row["商户退款单号"] != NOTHING else "",
        trade_no=row["微信订单号"],
        app_id=row["公众账号ID"],
        amount_fen=amount_fen,
        fee_fen=_rounded(bills.units(row["手续费"], decimals=FEE_DECIMALS)),
        status=f"{row['交易状态']} {row['退款状态']}".strip(),
        at=bills.moment(row["交易时间"]),
    )


def _rounded(thousandths: int) -> int:
    """Thousandths of a fen, in which fees are written, as fen, half up."""
    fen = (abs(thousandths) + 500) // 1000
    return fen if thousandths > 0 else -fen
