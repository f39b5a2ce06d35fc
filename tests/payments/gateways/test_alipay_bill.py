"""Alipay's bill, from bytes: a ZIP of CSVs in GBK."""

import datetime
import io
import itertools
import zipfile

import pytest

from payments.gateways import bills
from payments.gateways.alipay import bill as alipay_bill
from payments.gateways.base import BillEntry, BillEntryKind, BillUnusable

DAY = datetime.date(2026, 11, 27)
SELLER = "2088102146225135"
SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))
NAMES = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,"
    "商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,"
    "卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
PAID = (
    "2026112722001410000001\t,2026112700000001_1\t,交易\t,裙,2026-11-27 09:59:59,2026-11-27 10:00:01,\t,\t,\t,\t,"
    "*杨(137****2600)\t,20.12,20.02,0.00,0.00,0.00,0.10,0.00,,0.00\t,0.00,\t,-0.12,0.00,备注"
)
REFUNDED = (
    "2026112722001410000001\t,2026112700000001_1\t,退款\t,裙,2026-11-27 09:59:59,2026-11-27 23:59:59,\t,\t,\t,\t,"
    "*杨(137****2600)\t,-5.00,-5.00,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,console-7\t,0.03,0.00,"
)
HEAD = """#支付宝业务明细查询
#账号：[20881021462251350156]
#起始日期：[2026年11月27日 00:00:00]   终止日期：[2026年11月28日 00:00:00]
#-----------------------------------------业务明细列表----------------------------------------
"""
END = """#-----------------------------------------业务明细列表结束------------------------------------
#交易合计：1笔，商家实收共20.02元，商家优惠共0.10元
#退款合计：1笔，商家实收退款共-5.00元，商家优惠退款共0.00元
#导出时间：[2026年11月28日 06:27:10]
"""
LINES = f"{HEAD}{NAMES}\n{PAID}\n{REFUNDED}\n{END}"
SUMMARY = """#支付宝业务汇总查询
#账号：[20881021462251350156]
#起始日期：[2026年11月27日 00:00:00]   终止日期：[2026年11月28日 00:00:00]
#-----------------------------------------业务汇总列表----------------------------------------
门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,服务费（元）,分润（元）,实收净额（元）
\t,\t,1,1,15.12,15.02,-0.09,0.00,14.93
合计,,1,1,15.12,15.02,-0.09,0.00,14.93
#----------------------------------------业务汇总列表结束-------------------------------------
#导出时间：[2026年11月28日 06:27:10]
"""


def packed(*texts, charset="gbk", method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for index, text in enumerate(texts):
            archive.writestr(f"{index}.csv", text.replace("\n", "\r\n").encode(charset))
    return file.getvalue()


def resealed(file, before, after):
    """The same ZIP with other bytes in it, as if it had been packed with them."""
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        contents = {name: archive.read(name).replace(before, after) for name in archive.namelist()}
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return again.getvalue()


GENUINE = packed(LINES, SUMMARY)


def read(file, **change):
    return alipay_bill.read(file, **{"day": DAY, "seller_id": SELLER, **change})


def changed(before, after, *, text=LINES):
    assert before in text
    spoilt = text.replace(before, after)
    return packed(spoilt, SUMMARY) if text is LINES else packed(LINES, spoilt)


def refusal(file, **change):
    with pytest.raises(BillUnusable) as unusable:
        read(file, **change)
    assert unusable.value.reason in BillUnusable.REASONS
    return unusable.value.reason


def test_a_bill_tells_payments_and_refunds():
    bill = read(GENUINE)

    assert (bill.day, bill.sha256) == (DAY, bills.digest(GENUINE))
    assert bill.entries == (
        BillEntry(
            kind=BillEntryKind.PAYMENT,
            number="2026112700000001_1",
            trade_no="2026112722001410000001",
            amount_fen=2012,  # the order's, not what the merchant's own coupon left of it
            fee_fen=12,
            status="交易",
            at=datetime.datetime(2026, 11, 27, 10, 0, 1, tzinfo=SHANGHAI),
        ),
        BillEntry(
            kind=BillEntryKind.REFUND,
            number="2026112700000001_1",
            refund_number="console-7",
            trade_no="2026112722001410000001",
            amount_fen=500,
            fee_fen=-3,
            status="退款",
            at=datetime.datetime(2026, 11, 27, 23, 59, 59, tzinfo=SHANGHAI),
        ),
    )


def test_files_are_told_apart_by_what_they_hold_and_lines_may_be_in_several():
    more = LINES.replace("2026112700000001_1", "2026112700000002_1")
    summary = SUMMARY.replace(",1,1,", ",2,2,")

    for files in itertools.permutations([LINES, more, summary]):
        assert {entry.number for entry in read(packed(*files)).entries} == {"2026112700000001_1", "2026112700000002_1"}


def test_a_fee_written_above_zero_is_the_same_fee():
    assert read(changed("-0.12,", "0.12,")).entries == read(GENUINE).entries


def test_columns_are_found_by_their_names_wherever_they_stand():
    def moved(line):
        cells = line.split(",")
        return ",".join([*reversed(cells), "beside"])

    lines = f"{HEAD}{moved(NAMES)}\n{moved(PAID)}\n{moved(REFUNDED)}\n{END}"

    assert read(packed(lines, SUMMARY)).entries == read(GENUINE).entries


@pytest.mark.parametrize(
    "title",
    ['"一,二"', '"一\n二"', '"一\n#业务明细列表结束"', '"一""二"', "一,二", "一,二,三", '一"二', "#", "交易", "€"],
)
def test_a_title_may_hold_whatever_lines_are_made_of(title):
    assert (
        read(packed(LINES.replace(",裙,", f",{title},"), SUMMARY, charset="gb18030")).entries == read(GENUINE).entries
    )


def test_a_remark_with_commas_is_one_remark():
    assert read(changed("0.00,备注\n2026", "0.00,一,二,三\n2026")).entries == read(GENUINE).entries


@pytest.mark.parametrize("kept", range(0, len(GENUINE) - 1, 13))
def test_a_bill_cut_off_anywhere_is_truncated(kept):
    assert refusal(GENUINE[:kept]) == ("truncated" if kept > 3 else "malformed")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{REFUNDED}\n", ""),
        (END, ""),
        (END[END.index("#交易") :], ""),
        ("合计：1笔，商家实收共", "合计：2笔，商家实收共"),
    ],
)
def test_fewer_lines_than_are_counted_are_a_truncated_bill(before, after):
    assert refusal(changed(before, after)) == "truncated"


def test_a_summary_that_counts_otherwise_is_of_a_truncated_bill():
    assert refusal(changed("合计,,1,1", "合计,,2,1", text=SUMMARY)) == "truncated"
    assert refusal(changed("合计,,1,1", "合计,,1,0", text=SUMMARY)) == "truncated"
    assert refusal(packed(SUMMARY)) == "truncated"


def test_a_bill_in_utf_8_is_of_the_wrong_charset():
    assert refusal(packed(LINES, SUMMARY, charset="utf-8")) == "charset"
    stored = packed(LINES, SUMMARY, method=zipfile.ZIP_STORED)
    assert refusal(resealed(stored, "裙".encode("gbk"), b"\xff\xff")) == "charset"


def test_a_bill_of_another_day_is_refused():
    assert refusal(GENUINE, day=DAY + datetime.timedelta(days=1)) == "wrong_day"
    assert refusal(changed("起始日期：[2026年11月27日", "起始日期：[2026年11月26日", text=SUMMARY)) == "wrong_day"


def test_another_sellers_bill_is_refused():
    assert refusal(GENUINE, seller_id="2088102146225136") == "wrong_merchant"
    assert refusal(changed("20881021462251350156", "20880000000000000156", text=SUMMARY)) == "wrong_merchant"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("实收共20.02元", "实收共20.03元"),
        ("退款共-5.00元", "退款共-5.01元"),
        ("20.12,20.02", "20.121,20.02"),
        ("20.12,20.02", "1e1,20.02"),
        ("20.12,20.02", "0.00,20.02"),
        (",-0.12,", ",free,"),
        ("2026112722001410000001", ""),
        ("2026-11-27 10:00:01", "yesterday"),
        ("订单金额（元）", "金额"),
        ("商品名称", "订单金额（元）"),
        (",0.00,备注", ""),
        ("#账号：[20881021462251350156]\n", ""),
        ("#支付宝业务明细查询", "#另一种账单"),
    ],
)
def test_a_bill_that_is_not_in_order_is_malformed(before, after):
    assert refusal(changed(before, after)) == "malformed"


def test_a_line_of_another_kind_is_not_passed_over():
    other = PAID.replace("交易\t", "分账\t")

    assert refusal(changed(REFUNDED, f"{REFUNDED}\n{other}")) == "malformed"


@pytest.mark.parametrize("file", [b"", b"\x00", b"<html></html>", LINES.encode("gbk"), packed()])
def test_nonsense_is_refused(file):
    refusal(file)


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_does(monkeypatch):
    monkeypatch.setattr(bills, "MOST_BYTES", 1_000_000)
    bomb = packed(LINES + "#" * 2_000_000, SUMMARY)
    assert len(bomb) < 10_000

    assert refusal(bomb) == "malformed"


def test_files_without_end_and_strange_packings_are_refused():
    assert refusal(packed(*[SUMMARY] * 65)) == "malformed"
    assert refusal(packed(LINES, SUMMARY, method=zipfile.ZIP_LZMA)) == "malformed"


def test_a_changed_byte_is_found_by_the_checksum():
    stored = packed(LINES, SUMMARY, method=zipfile.ZIP_STORED)

    assert refusal(stored.replace(b"20.12,20.02", b"20.12,20.01", 1)) == "malformed"
