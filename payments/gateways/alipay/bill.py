"""
Alipay's bill of a day: a ZIP of CSVs in GBK, the lines and a summary of them, each between lines that begin with `#`
and say whose and of which day it is, and what it adds up to. Bytes in, a Bill out; no I/O, no clock.

The files are told apart by what they begin with: their names are in GBK as well, which no ZIP knows of.

Source: opendocs.alipay.com/open/204/106262
"""

import csv
import dataclasses
import datetime
import io
import re
import zipfile
import zlib
from collections.abc import Sequence

from payments.gateways import bills
from payments.gateways.base import Bill, BillEntry, BillEntryKind, BillUnusable

CHARSET = "gb18030"  # all of GBK, and what Alipay's later titles need
LINES, SUMMARY = "#支付宝业务明细查询", "#支付宝业务汇总查询"
END = "列表结束"
COLUMNS = (
    "支付宝交易号",
    "商户订单号",
    "业务类型",
    "商品名称",
    "创建时间",
    "完成时间",
    "订单金额（元）",
    "商家实收（元）",
    "退款批次号/请求号",
    "服务费（元）",
)
PAYMENTS, REFUNDS, IN_ALL = "交易订单总笔数", "退款订单总笔数", "合计"
KINDS = {"交易": BillEntryKind.PAYMENT, "退款": BillEntryKind.REFUND}
MOST_FILES = 64
MARK_WITHIN = 128  # bytes from the beginning
LOCAL_HEADER = b"PK\x03\x04"

_ACCOUNT = re.compile(r"账号：\[([0-9]+)\]")
_DAY = re.compile(r"起始日期：\[([0-9]{4})年([0-9]{2})月([0-9]{2})日 00:00:00\]")
_TOTALS = {
    BillEntryKind.PAYMENT: re.compile(r"#交易合计：([0-9]+)笔，商家实收共(-?[0-9.]+)元"),
    BillEntryKind.REFUND: re.compile(r"#退款合计：([0-9]+)笔，商家实收退款共(-?[0-9.]+)元"),
}
_TIME = re.compile(r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\s*")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Sheet:
    remarks: str  # the lines with `#`
    names: list[str]
    lines: list[list[str]]


def read(file: bytes, *, day: datetime.date, seller_id: str) -> Bill:
    """
    The bill is the seller's, whichever of the seller's apps (or codes on a counter) the money came by.

    :raises BillUnusable: it is not whole, not in order, or not the bill that was asked for
    """
    lines: list[_Sheet] = []
    summaries: list[_Sheet] = []
    for content in _unpacked(file):
        if any(title.encode() in content[:MARK_WITHIN] for title in (LINES, SUMMARY)):
            raise BillUnusable("charset", "UTF-8")  # which may pass for GBK
        text = bills.decoded(content, CHARSET)
        if not text.startswith((LINES, SUMMARY)):
            raise BillUnusable("malformed", f"neither a bill's lines nor their summary: {text[:32]!r}")
        found = lines if text.startswith(LINES) else summaries
        found.append(_sheet(text, day=day, seller_id=seller_id))
    if not lines:
        raise BillUnusable("truncated", "the lines are missing")
    entries = [entry for sheet in lines for entry in _entries(sheet)]
    for sheet in summaries:
        _check_summary(sheet, entries)
    return Bill(day=day, entries=tuple(entries), sha256=bills.digest(file))


def _unpacked(file: bytes) -> list[bytes]:
    """The CSVs, together no more than a bill may have, whatever the ZIP says of itself."""
    left = bills.MOST_BYTES
    contents = []
    try:
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) > MOST_FILES:
                raise BillUnusable("malformed", f"{len(members)} files")
            for member in members:
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise BillUnusable("malformed", "packed in an unknown way")
                with archive.open(member) as packed:
                    contents.append(packed.read(left + 1))
                left -= len(contents[-1])
                if left < 0:
                    raise BillUnusable("malformed", f"more than {bills.MOST_BYTES} bytes")
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as error:
        reason = "truncated" if _lacks_its_end(file) else "malformed"
        raise BillUnusable(reason, f"not a ZIP: {error}") from error
    return contents


def _lacks_its_end(file: bytes) -> bool:
    return file.startswith(LOCAL_HEADER) and not zipfile.is_zipfile(io.BytesIO(file))


def _sheet(text: str, *, day: datetime.date, seller_id: str) -> _Sheet:
    try:
        records = [record for record in csv.reader(io.StringIO(text, newline="")) if record]
    except csv.Error as error:
        raise BillUnusable("malformed", str(error)) from error
    remarks = "\n".join(",".join(record) for record in records if record[0].startswith("#"))
    names, *lines = [record for record in records if not record[0].startswith("#")] or [[]]
    account, starts = _ACCOUNT.search(remarks), _DAY.search(remarks)
    if not account or not starts:
        raise BillUnusable("malformed", "it does not say whose and of which day it is")
    if not account[1].startswith(seller_id):  # digits of an inner account follow
        raise BillUnusable("wrong_merchant", account[1][:32])
    if (starts[1], starts[2], starts[3]) != (f"{day:%Y}", f"{day:%m}", f"{day:%d}"):
        raise BillUnusable("wrong_day", starts[0][:64])
    if END not in remarks:
        raise BillUnusable("truncated", "the list has no end")
    return _Sheet(remarks=remarks, names=[name.strip() for name in names], lines=lines)


def _entries(sheet: _Sheet) -> list[BillEntry]:
    read_line = bills.columns(sheet.names, COLUMNS)
    rows = [read_line(_fitted(line, sheet.names)) for line in sheet.lines]
    for kind, pattern in _TOTALS.items():
        said = pattern.search(sheet.remarks)
        if not said:
            raise BillUnusable("truncated", "it does not say what it adds up to")
        received = [bills.units(row["商家实收（元）"]) for row in rows if KINDS.get(row["业务类型"]) is kind]
        if len(received) != int(said[1]):
            raise BillUnusable("truncated", f"{len(received)} lines, where {said[1][:16]} are counted")
        if abs(sum(received)) != abs(bills.units(said[2])):
            raise BillUnusable("malformed", f"{said[0][:64]} is not the sum of its lines")
    return [_entry(row) for row in rows]


def _fitted(cells: list[str], names: Sequence[str]) -> list[str]:
    """The cells of a line, where a title or a remark with commas in it that nobody quoted is one cell again."""
    title, last = names.index("商品名称"), len(names) - 1
    if len(cells) > len(names) and names[title + 1 : title + 2] == ["创建时间"]:
        ends = next((at for at in range(title + 1, len(cells)) if _TIME.fullmatch(cells[at])), title + 1)
        cells = [*cells[:title], ",".join(cells[title:ends]), *cells[ends:]]
    return [*cells[:last], ",".join(cells[last:])] if len(cells) > len(names) else cells


def _entry(row: dict[str, str]) -> BillEntry:
    """
    What goes out is written below zero, and whether a fee is depends on the bill: kept with a payment, given back
    with a refund.
    """
    kind = KINDS.get(row["业务类型"])
    if kind is None:
        raise BillUnusable("malformed", f"a line that is {row['业务类型'][:32]!r}")
    amount_fen, fee_fen = abs(bills.units(row["订单金额（元）"])), abs(bills.units(row["服务费（元）"]))
    if not amount_fen or not row["支付宝交易号"]:
        raise BillUnusable("malformed", "a line about nothing")
    return BillEntry(
        kind=kind,
        number=row["商户订单号"],
        refund_number=row["退款批次号/请求号"] if kind is BillEntryKind.REFUND else "",
        trade_no=row["支付宝交易号"],
        amount_fen=amount_fen,
        fee_fen=fee_fen if kind is BillEntryKind.PAYMENT else -fee_fen,
        status=row["业务类型"],
        at=bills.moment(row["完成时间"]),
    )


def _check_summary(sheet: _Sheet, entries: Sequence[BillEntry]) -> None:
    """Counts only: Alipay does not say which of its sums are less the refunds. The lines' own end has the sums."""
    read_line = bills.columns(sheet.names, (PAYMENTS, REFUNDS))
    in_all = [read_line(line) for line in sheet.lines if line[0].strip() == IN_ALL]
    if len(in_all) != 1:
        raise BillUnusable("truncated", "the summary has no total")
    for name, kind in ((PAYMENTS, BillEntryKind.PAYMENT), (REFUNDS, BillEntryKind.REFUND)):
        counted = sum(entry.kind is kind for entry in entries)
        if in_all[0][name] != str(counted):
            raise BillUnusable("truncated", f"{counted} lines, where the summary counts {in_all[0][name][:16]!r}")
