"""The bills of the three protocols, byte by byte, and what the control API lets them say."""

import csv
import datetime
import hashlib
import io
import zipfile
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.simulator.merchant import AlipayClient
from tests.simulator.wechat_v2_merchant import WechatV2Client
from tests.simulator.wechat_v3_merchant import WechatV3Client
from tests.simulator_process import Simulator

NUMBER, REFUND = "2018061530000035_1", "2018061530000035_1r1"
BILL = "alipay.data.dataservice.bill.downloadurl.query"
KINDS = ("missing", "extra", "amount", "status", "fee")


def today() -> datetime.date:
    return datetime.datetime.now(ZoneInfo("Asia/Shanghai")).date()


def v2_bill(client: WechatV2Client, day: datetime.date, **content: str) -> httpx.Response:
    asked = {"bill_type": "ALL", "bill_date": f"{day:%Y%m%d}", **content}
    return client.post("pay/downloadbill", client.signed(asked))


def alipay_zip(client: AlipayClient, day: datetime.date) -> zipfile.ZipFile:
    address = client.call(BILL, {"bill_type": "trade", "bill_date": f"{day}"})["bill_download_url"]
    return zipfile.ZipFile(io.BytesIO(client.http.get(address).content))


def cells(line: str) -> list[str]:
    assert line.startswith("`")
    return line.removeprefix("`").split(",`")


def pay_and_refund(simulator: Simulator, client: WechatV2Client) -> None:
    client.order(NUMBER)
    simulator.pay(NUMBER)
    client.refund(NUMBER, REFUND, 500)
    assert client.refund_query(REFUND)["refund_status_0"] == "SUCCESS"


# --- WeChat Pay v2


def test_v2s_bill_is_text_with_backticks_and_totals(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    pay_and_refund(simulator, wechat_v2)

    answer = v2_bill(wechat_v2, today())

    text = answer.content.decode()
    assert text.startswith(
        "\ufeff交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态"
    )
    names, paid, refunded, total_names, totals = text.removeprefix("\ufeff").split("\r\n")
    payment = dict(zip(names.split(","), cells(paid), strict=True))
    refund = dict(zip(names.split(","), cells(refunded), strict=True))
    trade = simulator.trade(NUMBER)
    assert (
        payment.items()
        >= {
            "公众账号ID": wechat_v2.merchant.app_id,
            "商户号": wechat_v2.merchant.mch_id,
            "微信订单号": trade["trade_no"],
            "商户订单号": NUMBER,
            "交易类型": "NATIVE",
            "交易状态": "SUCCESS",
            "订单金额": "20.12",
            "商户退款单号": "0",
            "退款金额": "0.00",
            "商品名称": "碎花连衣裙",
            "手续费": "0.12000",
            "费率": "0.60%",
        }.items()
    )
    assert (
        refund.items()
        >= {
            "交易状态": "REFUND",
            "商户订单号": NUMBER,
            "商户退款单号": REFUND,
            "微信退款单号": trade["refunds"][0]["refund_no"],
            "退款金额": "5.00",
            "申请退款金额": "5.00",
            "退款状态": "SUCCESS",
            "订单金额": "0.00",
            "手续费": "-0.03000",
        }.items()
    )
    assert payment["交易时间"].startswith(f"{today()} ")
    assert (total_names.split(",")[0], cells(totals)) == (
        "总交易单数",
        ["2", "20.12", "5.00", "0.00", "0.09000", "20.12", "5.00"],
    )


@pytest.mark.parametrize(
    ("fen", "fee"), [(1, "0.00000"), (83, "0.00000"), (84, "0.01000"), (250, "0.02000"), (10_000_000, "600.00000")]
)
def test_a_fee_is_six_per_mille_rounded_half_up(
    simulator: Simulator, wechat_v2: WechatV2Client, fen: int, fee: str
) -> None:
    wechat_v2.order(NUMBER, total_fee=fen)
    simulator.pay(NUMBER)

    assert cells(v2_bill(wechat_v2, today()).text.split("\r\n")[1])[22] == fee


@pytest.mark.parametrize(
    ("asked", "message", "code"),
    [
        ({}, "No Bill Exist", "20002"),
        ({"bill_date": "2026-01-01"}, "invalid bill_date", "20001"),
        ({"bill_date": "20261399"}, "invalid bill_date", "20001"),
        ({"bill_date": "99991231"}, "No Bill Exist", "20002"),
        ({"bill_date": "00010101"}, "No Bill Exist", "20002"),
        ({"bill_type": "REFUND"}, "invalid bill_type", "20001"),
        ({"tar_type": "GZIP"}, "invalid bill_type", "20001"),
    ],
)
def test_v2_says_no_with_a_code_and_without_a_signature(
    wechat_v2: WechatV2Client, asked: dict[str, str], message: str, code: str
) -> None:
    answer = wechat_v2.call("pay/downloadbill", **{"bill_type": "ALL", "bill_date": "20260101", **asked})

    assert answer == {"return_code": "FAIL", "return_msg": message, "error_code": code}


def test_v2s_bill_is_the_merchants_alone(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    pay_and_refund(simulator, wechat_v2)
    with WechatV2Client(simulator.register_wechat_merchant(), notify_url=wechat_v2.notify_url) as stranger:
        assert "No Bill Exist" in v2_bill(stranger, today()).text

    asked = {"bill_type": "ALL", "bill_date": f"{today():%Y%m%d}"}
    forged = wechat_v2.post("pay/downloadbill", wechat_v2.signed(asked) | {"bill_date": "20260101"})

    assert "签名错误" in forged.text


# --- APIv3


def v3_bill(client: WechatV3Client, day: datetime.date | str = "") -> httpx.Response:
    return client.send("GET", f"/v3/bill/tradebill?bill_date={day or today()}&bill_type=ALL")


def test_v3s_answer_leads_to_a_file_of_that_hash_for_the_merchant_alone(
    simulator: Simulator, wechat_v3: WechatV3Client
) -> None:
    wechat_v3.create("native", NUMBER)
    simulator.pay(NUMBER)

    there = wechat_v3.verified(v3_bill(wechat_v3))

    address = urlsplit(there["download_url"])
    path = f"{address.path}?{address.query}"
    file = wechat_v3.send("GET", path)
    assert (there["hash_type"], there["hash_value"]) == ("SHA1", hashlib.sha1(file.content).hexdigest())
    assert NUMBER in file.text
    assert "Wechatpay-Signature" not in file.headers
    assert wechat_v3.http.get(path).status_code == 401
    assert wechat_v3.send("GET", path, signature="AAAA").status_code == 401
    other = simulator.register_wechat_merchant()
    with WechatV3Client(other, notify_url=wechat_v3.notify_url) as stranger:
        assert stranger.send("GET", path).status_code == 404


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("bill_date=2026-01-01", "NO_STATEMENT_EXIST"),
        ("bill_date=20260101", "PARAM_ERROR"),
        ("", "PARAM_ERROR"),
        ("bill_date=2026-01-01&bill_type=REFUND", "PARAM_ERROR"),
        ("bill_date=2026-01-01&tar_type=GZIP", "PARAM_ERROR"),
    ],
)
def test_v3_says_no_under_a_signature(wechat_v3: WechatV3Client, query: str, code: str) -> None:
    assert wechat_v3.refused(wechat_v3.send("GET", f"/v3/bill/tradebill?{query}")) == (400, code)


def test_v3s_bill_that_is_being_made_says_so(simulator: Simulator, wechat_v3: WechatV3Client) -> None:
    simulator.arm("bill_not_ready")

    assert wechat_v3.refused(v3_bill(wechat_v3)) == (400, "STATEMENT_CREATING")


# --- Alipay


def test_alipays_bill_is_a_zip_of_two_tables_in_gbk(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER, subject='连衣裙, "碎花"\n第二行')
    simulator.pay(NUMBER)
    alipay.refund(NUMBER, "5.00", out_request_no=REFUND)

    archive = alipay_zip(alipay, today())

    names = [info.filename.encode("cp437").decode("gbk") for info in archive.infolist()]
    account = f"{alipay.merchant.seller_id}0156"
    assert names == [f"{account}_{today():%Y%m%d}_业务明细.csv", f"{account}_{today():%Y%m%d}_业务明细(汇总).csv"]
    assert not any(info.flag_bits & 0x800 for info in archive.infolist())
    lines, summary = (
        [*csv.reader(io.StringIO(archive.read(info).decode("gbk"), newline=""))] for info in archive.infolist()
    )
    tomorrow = today() + datetime.timedelta(days=1)
    assert [line[0] for line in lines[:3]] == [
        "#支付宝业务明细查询",
        f"#账号：[{account}]",
        f"#起始日期：[{today():%Y年%m月%d日} 00:00:00]   终止日期：[{tomorrow:%Y年%m月%d日} 00:00:00]",
    ]
    payment, refund = (dict(zip(lines[4], line, strict=True)) for line in lines[5:7])
    assert (payment["业务类型"], payment["订单金额（元）"], payment["服务费（元）"]) == ("交易\t", "20.12", "-0.12")
    assert payment["商品名称"] == '连衣裙, "碎花"\n第二行'
    assert (refund["业务类型"], refund["订单金额（元）"], refund["服务费（元）"]) == ("退款\t", "-5.00", "0.03")
    assert (refund["退款批次号/请求号"], refund["商户订单号"]) == (f"{REFUND}\t", f"{NUMBER}\t")
    assert [",".join(line) for line in lines[7:10]] == [
        "#-----------------------------------------业务明细列表结束------------------------------------",
        "#交易合计：1笔，商家实收共20.12元，商家优惠共0.00元",
        "#退款合计：1笔，商家实收退款共-5.00元，商家优惠退款共0.00元",
    ]
    assert (
        dict(zip(summary[4], summary[6], strict=True)).items()
        >= {
            "门店编号": "合计",
            "交易订单总笔数": "1",
            "退款订单总笔数": "1",
            "实收净额（元）": "15.03",
        }.items()
    )


@pytest.mark.parametrize(
    ("asked", "sub_code"),
    [
        ({"bill_date": "2026-01-01"}, "isp.bill_not_exist"),
        ({"bill_date": "2026-01"}, "isv.invalid_arguments"),
        ({"bill_date": "2026-01-01", "bill_type": "signcustomer"}, "isv.invalid_arguments"),
    ],
)
def test_alipay_says_no_under_a_signature(alipay: AlipayClient, asked: dict[str, str], sub_code: str) -> None:
    assert alipay.call(BILL, {"bill_type": "trade", **asked})["sub_code"] == sub_code


def test_an_address_that_alipay_did_not_give_leads_nowhere(simulator: Simulator) -> None:
    address = f"{simulator.url}/alipay/downloadBillFile.resource?token=guess"

    assert httpx.get(address, trust_env=False).status_code == 404


def test_alipays_address_names_seller_and_day(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)

    address = alipay.call(BILL, {"bill_type": "trade", "bill_date": f"{today()}"})["bill_download_url"]

    asked = parse_qs(urlsplit(address).query)
    assert (asked["userId"], asked["bizDates"]) == ([alipay.merchant.seller_id], [f"{today():%Y%m%d}"])


# --- differences by order


@pytest.fixture
def ten_payments(simulator: Simulator, wechat_v2: WechatV2Client) -> list[str]:
    numbers = [f"20180615300000{each}_1" for each in range(10, 20)]
    for number in numbers:
        wechat_v2.order(number)
        simulator.pay(number)
    return numbers


def test_the_same_seed_draws_the_same_rows_and_no_row_twice(
    simulator: Simulator, wechat_v2: WechatV2Client, ten_payments: list[str]
) -> None:
    counts = dict.fromkeys(KINDS, 2)
    app_id = wechat_v2.merchant.app_id

    first = simulator.spoil_bill(app_id, **counts, seed=7)
    simulator.call("DELETE", "bills/")
    again = simulator.spoil_bill(app_id, **counts, seed=7)
    simulator.call("DELETE", "bills/")
    other = simulator.spoil_bill(app_id, **counts, seed=8)

    assert first == again != other
    assert len({each["number"] for each in first}) == 10
    assert simulator.call("GET", f"bills/?app_id={app_id}&day={today()}")["differences"] == other
    assert simulator.call("GET", "bills/?day=2026-01-01")["differences"] == []


def test_differences_stay_until_they_are_cleared(
    simulator: Simulator, wechat_v2: WechatV2Client, ten_payments: list[str]
) -> None:
    genuine = v2_bill(wechat_v2, today()).content
    (gone,) = simulator.spoil_bill(wechat_v2.merchant.app_id, missing=1)

    spoilt = [v2_bill(wechat_v2, today()).text for _ in range(2)]

    assert spoilt[0] == spoilt[1]
    assert gone["number"] not in spoilt[0]
    assert "\r\n`9,`181.08,`0.00," in spoilt[0]
    assert simulator.call("DELETE", "bills/") == {"deleted": 1}
    assert v2_bill(wechat_v2, today()).content == genuine


def test_more_differences_than_rows_are_refused_and_none_is_kept(
    simulator: Simulator, wechat_v2: WechatV2Client, ten_payments: list[str]
) -> None:
    asked = {"app_id": wechat_v2.merchant.app_id, "missing": 6, "amount": 5}

    answer = httpx.post(f"{simulator.control}bills/", json=asked, trust_env=False)

    assert answer.status_code == 409
    assert "4 rows" in answer.json()["error"]
    assert simulator.call("GET", "bills/")["differences"] == []


def test_a_merchant_number_names_the_merchant_too(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    asked = {"merchant": wechat_v2.merchant.mch_id, "day": "2026-01-01", "extra": 1}

    (made,) = simulator.call("POST", "bills/", asked)["differences"]

    assert (made["app_id"], made["day"], made["kind"]) == (wechat_v2.merchant.app_id, "2026-01-01", "extra")
    assert made["number"] in v2_bill(wechat_v2, datetime.date(2026, 1, 1)).text


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 400),
        ({"app_id": 1}, 400),
        ({"app_id": "nobody"}, 404),
        ({"app_id": "{app_id}", "day": "tomorrow"}, 400),
        ({"app_id": "{app_id}", "day": "9999-12-31"}, 400),
        ({"app_id": "{app_id}", "missing": -1}, 400),
        ({"app_id": "{app_id}", "missing": "1"}, 400),
        ({"app_id": "{app_id}", "extra": 10_001}, 400),
        ({"app_id": "{app_id}", "missing": 1}, 409),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_told_why(
    simulator: Simulator, wechat_v2: WechatV2Client, asked: dict[str, Any], status: int
) -> None:
    filled = {
        name: value.format(app_id=wechat_v2.merchant.app_id) if isinstance(value, str) else value
        for name, value in asked.items()
    }

    answer = httpx.post(f"{simulator.control}bills/", json=filled, trust_env=False)

    assert answer.status_code == status
    assert answer.json()["error"]
    assert simulator.call("GET", "bills/")["differences"] == []


def test_differences_add_up_under_one_seed_too(
    simulator: Simulator, wechat_v2: WechatV2Client, ten_payments: list[str]
) -> None:
    asked = {"missing": 2, "extra": 3, "seed": 7}

    done = [each for _ in range(2) for each in simulator.spoil_bill(wechat_v2.merchant.app_id, **asked)]

    assert len({each["number"] for each in done}) == 10
    text = v2_bill(wechat_v2, today()).text
    assert {each["kind"] for each in done if each["number"] in text} == {"extra"}
    assert "\r\n`12," in text


def test_a_cleared_book_has_no_differences_left(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    simulator.spoil_bill(wechat_v2.merchant.app_id, extra=3)

    simulator.clear()

    assert simulator.call("GET", "bills/")["differences"] == []
