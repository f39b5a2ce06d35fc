"""The bill as Alipay hands it out: a ZIP of two CSVs in GBK, the lines and their summary."""

import csv
import datetime
import io
import zipfile
from collections.abc import Iterable, Sequence

from payments.simulator import bills
from payments.simulator.alipay.room import BUYER_LOGON_ID, beijing
from payments.simulator.bills import Row
from payments.simulator.faults import Strike
from payments.simulator.models import Merchant
from payments.simulator.money import yuan

NAMES = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,"
    "商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,"
    "卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
SUMMARY_NAMES = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,卡消费金额（元）,"
    "服务费（元）,分润（元）,实收净额（元）"
)
INNER_ACCOUNT = "0156"  # stands behind the seller's id
RULE = "-" * 41
MADE_AT = datetime.time(6, 27, 10)  # of the next morning


class NoBill(Exception):
    """Nothing was paid or refunded that day, or the bill is not made yet: Alipay does not say which."""


def write(*, merchant: Merchant, day: datetime.date, strike: Strike) -> bytes:
    """:raises NoBill: there is none (yet)"""
    rows = bills.shown(merchant=merchant, day=day, strike=strike)
    if not rows or strike.kind == "bill_not_ready":
        raise NoBill
    if strike.kind == "bill_wrong_day":
        day -= datetime.timedelta(days=1)
    charset = "utf-8" if strike.kind == "bill_charset" else "gb18030"
    account = f"{merchant.seller_id}{INNER_ACCOUNT}"
    files = {
        f"{account}_{day:%Y%m%d}_业务明细.csv": _lines(account, day, rows),
        f"{account}_{day:%Y%m%d}_业务明细(汇总).csv": _summary(account, day, rows),
    }
    packed = _packed({name: text.encode(charset) for name, text in files.items()}, day=day)
    return packed[: len(packed) // 2] if strike.kind == "bill_truncated" else packed


def _lines(account: str, day: datetime.date, rows: Sequence[Row]) -> str:
    paid, back = ([row for row in rows if row.goes_back is going] for going in (False, True))
    return _sheet(
        [*_head("业务明细", account, day), [f"#{RULE}业务明细列表{RULE[1:]}"], NAMES.split(",")],
        [_cells(row) for row in rows],
        [
            [f"#{RULE}业务明细列表结束{RULE[5:]}"],
            [f"#交易合计：{len(paid)}笔，商家实收共{yuan(_sum(paid))}元，商家优惠共0.00元"],
            [f"#退款合计：{len(back)}笔，商家实收退款共{_signed(-_sum(back))}元，商家优惠退款共0.00元"],
            [_exported(day)],
        ],
    )


def _summary(account: str, day: datetime.date, rows: Sequence[Row]) -> str:
    paid, back = ([row for row in rows if row.goes_back is going] for going in (False, True))
    net_fen, fees_fen = _sum(paid) - _sum(back), sum(row.fee_fen for row in rows)
    totals = [
        str(len(paid)),
        str(len(back)),
        _signed(net_fen),
        _signed(net_fen),
        "0.00",
        "0.00",
        "0.00",
        _signed(-fees_fen),
        "0.00",
        _signed(net_fen - fees_fen),
    ]
    return _sheet(
        [*_head("业务汇总", account, day), [f"#{RULE}业务汇总列表{RULE[1:]}"], SUMMARY_NAMES.split(",")],
        [["\t", "\t", *totals], ["合计", "", *totals]],
        [[f"#{RULE[1:]}业务汇总列表结束{RULE[4:]}"], [_exported(day)]],
    )


def _head(what: str, account: str, day: datetime.date) -> list[list[str]]:
    begins, ends = f"{day:%Y年%m月%d日}", f"{day + datetime.timedelta(days=1):%Y年%m月%d日}"
    return [
        [f"#支付宝{what}查询"],
        [f"#账号：[{account}]"],
        [f"#起始日期：[{begins} 00:00:00]   终止日期：[{ends} 00:00:00]"],
    ]


def _cells(row: Row) -> list[str]:
    """Numbers have a tab behind them, lest a spreadsheet rounds them. What goes out is below zero."""
    amount = _signed(-row.amount_fen if row.goes_back else row.amount_fen)
    return [
        f"{row.trade_no}\t",
        f"{row.number}\t",
        "退款\t" if row.goes_back else "交易\t",
        row.subject,
        beijing(row.made_at),
        beijing(row.at),
        *["\t"] * 4,
        f"{BUYER_LOGON_ID}\t",
        amount,
        amount,
        *["0.00"] * 5,
        "",
        "0.00\t",
        "0.00",
        f"{row.refund_number}\t",
        _signed(-row.fee_fen),
        "0.00",
        "",
    ]


def _sheet(*blocks: Iterable[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    for block in blocks:
        writer.writerows(block)
    return text.getvalue()


def _packed(files: dict[str, bytes], *, day: datetime.date) -> bytes:
    """
    The names are GBK, of which a ZIP knows nothing: Python writes them with a mark that they are UTF-8, so stand-ins
    of the same length are written and replaced.
    """
    names = {f"{index}{'_' * (len(name.encode('gbk')) - 1)}": name for index, name in enumerate(files)}
    morning = day + datetime.timedelta(days=1)
    made_at = (morning.year, morning.month, morning.day, MADE_AT.hour, MADE_AT.minute, MADE_AT.second)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for stand_in, name in names.items():
            archive.writestr(zipfile.ZipInfo(stand_in, made_at), files[name], zipfile.ZIP_DEFLATED)
    content = packed.getvalue()
    for stand_in, name in names.items():
        content = content.replace(stand_in.encode(), name.encode("gbk"))
    return content


def _exported(day: datetime.date) -> str:
    return f"#导出时间：[{day + datetime.timedelta(days=1):%Y年%m月%d日} {MADE_AT}]"


def _sum(rows: Iterable[Row]) -> int:
    return sum(row.amount_fen for row in rows)


def _signed(amount_fen: int) -> str:
    return f"{'-' if amount_fen < 0 else ''}{yuan(abs(amount_fen))}"
