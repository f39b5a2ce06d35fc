"""WeChat Pay's bill, from bytes: v2 and APIv3 hand out the same text."""

import datetime

import pytest

from payments.gateways import bills, wechat_bill
from payments.gateways.base import BillEntry, BillEntryKind, BillUnusable

DAY = datetime.date(2026, 11, 27)
APP, MERCHANT = "wx2421b1c4370ec43b", "1900000109"
NAMES = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,"
    "代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,"
    "申请退款金额,费率备注"
)
PAID = (
    f"`2026-11-27 10:00:01,`{APP},`{MERCHANT},`0,`,`4200000001,`2026112700000001_1,`oUpF8,`NATIVE,`SUCCESS,`CMB_DEBIT,"
    "`CNY,`20.00,`0.12,`0,`0,`0.00,`0.00,`,`,`裙,`,`0.12000,`0.60%,`20.12,`0.00,`"
)
REFUNDED = (
    f"`2026-11-27 23:59:59,`{APP},`{MERCHANT},`0,`,`4200000001,`2026112700000001_1,`oUpF8,`NATIVE,`REFUND,`CMB_DEBIT,"
    "`CNY,`0.00,`0.00,`5030000001,`1900000109202611270001,`4.90,`0.10,`ORIGINAL,`SUCCESS,`裙,`,`-0.02940,`0.60%,`0.00,"
    "`5.00,`"
)
TOTAL_NAMES = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
TOTALS = "`2,`20.00,`4.90,`0.10,`0.09060,`20.12,`5.00"
GENUINE = f"\ufeff{NAMES}\r\n{PAID}\r\n{REFUNDED}\r\n{TOTAL_NAMES}\r\n{TOTALS}".encode()
SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))


def read(file, **change):
    return wechat_bill.read(file, **{"day": DAY, "merchant_id": MERCHANT, **change})


def changed(*pairs):
    text = GENUINE.decode()
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    return text.encode()


def refusal(file, **change):
    with pytest.raises(BillUnusable) as unusable:
        read(file, **change)
    assert unusable.value.reason in BillUnusable.REASONS
    return unusable.value.reason


def test_a_bill_tells_payments_and_refunds():
    bill = read(GENUINE)

    assert bill.day == DAY
    assert bill.sha256 == bills.digest(GENUINE)
    assert bill.entries == (
        BillEntry(
            kind=BillEntryKind.PAYMENT,
            number="2026112700000001_1",
            trade_no="4200000001",
            app_id=APP,
            amount_fen=2012,  # the order's, of which a coupon paid a part
            fee_fen=12,
            status="SUCCESS",
            at=datetime.datetime(2026, 11, 27, 10, 0, 1, tzinfo=SHANGHAI),
        ),
        BillEntry(
            kind=BillEntryKind.REFUND,
            number="2026112700000001_1",
            refund_number="1900000109202611270001",
            trade_no="4200000001",
            app_id=APP,
            amount_fen=500,
            fee_fen=-3,
            status="REFUND SUCCESS",
            at=datetime.datetime(2026, 11, 27, 23, 59, 59, tzinfo=SHANGHAI),
        ),
    )


@pytest.mark.parametrize(("before", "after"), [("\ufeff", ""), ("\r\n", "\n"), ("`0.00,`\r\n总", "`0.00,`\t\r\n总")])
def test_what_does_not_matter_is_tolerated(before, after):
    file = GENUINE.decode().replace(before, after).encode()

    assert read(file).entries == read(GENUINE).entries


def test_columns_are_found_by_their_names_wherever_they_stand():
    def moved(line, mark):
        first, *others = line.removeprefix("`").split(mark)
        return "`" * line.startswith("`") + mark.join([first, *reversed(others), "beside"])

    lines = [moved(NAMES, ","), moved(PAID, ",`"), moved(REFUNDED, ",`"), TOTAL_NAMES, TOTALS]

    assert read("\n".join(lines).encode()).entries == read(GENUINE).entries


@pytest.mark.parametrize(
    "title",
    [
        "一,二",
        "一,`二,`三",
        "一\n二",
        "一\r\n`二",
        "总交易单数,`9",
        "一\n总交易单数,`9",
        "``",
        ",`" * 30,
        '"',
        "一\n`2026",
    ],
)
def test_a_title_may_hold_whatever_lines_are_made_of(title):
    assert read(changed(("`裙", f"`{title}"))).entries == read(GENUINE).entries


def test_a_title_that_imitates_a_line_is_found_out():
    forged = PAID.replace("4200000001", "4200000002")

    assert refusal(changed(("`裙", f"`裙\n{forged}"))) in {"truncated", "malformed"}


def test_a_bill_without_lines_is_empty():
    file = f"{NAMES}\r\n{TOTAL_NAMES}\r\n`0,`0.00,`0.00,`0.00,`0.00000,`0.00,`0.00".encode()

    assert read(file).entries == ()


def test_a_payment_taken_back_before_it_was_settled_is_a_refund_without_a_number():
    file = changed(
        ("`NATIVE,`SUCCESS", "`MICROPAY,`REVOKED"),
        ("`20.12,`0.00,`\r\n", "`20.12,`20.12,`\r\n"),
        (TOTALS, TOTALS.replace("`5.00", "`25.12")),
    )

    taken_back = read(file).entries[0]

    assert (taken_back.kind, taken_back.refund_number, taken_back.amount_fen) == (BillEntryKind.REFUND, "", 2012)


def test_a_bill_has_the_lines_of_every_app_of_the_merchant_and_says_whose_each_is():
    file = GENUINE.decode().replace(APP, "wx0000000000000000", 1).encode()

    assert [entry.app_id for entry in read(file).entries] == ["wx0000000000000000", APP]


@pytest.mark.parametrize(
    ("fee", "fee_fen"), [("0.12499", 12), ("0.12500", 13), ("-0.12500", -13), ("0", 0), ("", 0), ("0.1", 10)]
)
def test_a_fee_finer_than_a_fen_is_rounded_half_up(fee, fee_fen):
    units = bills.units(fee, decimals=5) + bills.units("-0.02940", decimals=5)
    total = f"{'-' if units < 0 else ''}{abs(units) // 100_000}.{abs(units) % 100_000:05d}"
    file = changed(("`0.12000,", f"`{fee},"), ("`0.09060", f"`{total}"))

    assert read(file).entries[0].fee_fen == fee_fen


@pytest.mark.parametrize("kept", range(0, len(GENUINE), 7))
def test_a_bill_cut_off_anywhere_is_unusable(kept):
    assert refusal(GENUINE[:kept]) in {"truncated", "malformed"}


@pytest.mark.parametrize("mark", [TOTAL_NAMES, REFUNDED, "`5.00,`\r\n"])
def test_a_bill_without_its_end_is_truncated(mark):
    assert refusal(GENUINE.decode().partition(mark)[0].encode()) == "truncated"
    assert refusal(GENUINE[: GENUINE.index("裙".encode()) + 1]) == "truncated"  # inside of a character


def test_a_bill_in_gbk_is_of_the_wrong_charset():
    assert refusal(GENUINE.decode().removeprefix("\ufeff").encode("gbk")) == "charset"


def test_a_bill_of_another_day_is_refused():
    assert refusal(GENUINE, day=DAY - datetime.timedelta(days=1)) == "wrong_day"
    assert refusal(changed(("2026-11-27 10:00:01", "2026-11-26 10:00:01"))) == "wrong_day"


def test_another_merchants_bill_is_refused():
    assert refusal(GENUINE, merchant_id="1900000110") == "wrong_merchant"
    assert refusal(GENUINE.replace(MERCHANT.encode(), b"1900000110", 1)) == "wrong_merchant"


@pytest.mark.parametrize(
    "pair",
    [
        ("`2,`20.00", "`3,`20.00"),
        (f"{REFUNDED}\r\n", ""),
    ],
)
def test_fewer_lines_than_are_counted_are_a_truncated_bill(pair):
    assert refusal(changed(pair)) == "truncated"


@pytest.mark.parametrize(
    "pair",
    [
        ("`2,`20.00", "`2,`20.01"),
        ("`0.09060", "`0.09061"),
        ("`20.12,`5.00", "`20.13,`5.00"),
        ("`20.12,`5.00", "`20.12,`5.01"),
        ("`20.12,`0.00,`", "`20.121,`0.00,`"),
        ("`20.12,`0.00,`", "`2e1,`0.00,`"),
        ("`20.12,`0.00,`", "`NaN,`0.00,`"),
        ("`20.12,`0.00,`", "`1,234.00,`0.00,`"),
        ("`SUCCESS,`CMB", "`PERHAPS,`CMB"),
        ("`2026112700000001_1", "`"),
        ("2026-11-27 10:00:01", "2026-11-27 25:00:01"),
        ("订单金额,申请退款金额,费率备注", "申请退款金额,费率备注"),
        ("订单金额,申请退款金额,费率备注", "订单金额,订单金额,费率备注"),
        (",`0.00,`\r\n", "\r\n"),
        ("交易时间", "<html>"),
    ],
)
def test_a_bill_that_is_not_in_order_is_malformed(pair):
    assert refusal(changed(pair)) == "malformed"


@pytest.mark.parametrize("file", [b"", b"\x00", b"\xff\xfe", b"<xml></xml>", b"`" * 1000, "交易时间".encode()])
def test_nonsense_is_refused(file):
    refusal(file)
