"""How a bill is fetched: what is asked, whom the adapters believe, and where they do not follow."""

import dataclasses
import datetime
import hashlib
import urllib.parse

import pytest

from payments.gateways import bills
from payments.gateways.alipay.client import AlipayClient, address
from payments.gateways.alipay.gateway import AlipayGateway
from payments.gateways.base import BillNotReady, BillUnusable, GatewayRefused, GatewayUnavailable
from payments.gateways.http import Limits
from payments.gateways.wechat_v2.client import WechatV2Client
from payments.gateways.wechat_v2.gateway import WechatV2Gateway
from payments.gateways.wechat_v3.gateway import WechatV3Gateway
from tests.payments.gateways import scripted, test_alipay_bill, test_wechat_bill, wechat_v2_samples, wechat_v3_samples

DAY = test_wechat_bill.DAY
BILL = "alipay.data.dataservice.bill.downloadurl.query"
TEN = datetime.datetime(2026, 11, 28, 10, tzinfo=bills.SHANGHAI)  # when the bill of DAY is certainly made
EVENING = TEN - datetime.timedelta(microseconds=1)
NO_BILL = {"code": "40004", "msg": "Business Failed", "sub_code": "isp.bill_not_exist", "sub_msg": "账单不存在"}


@pytest.fixture
def v3_bill():
    ours = {test_wechat_bill.MERCHANT: wechat_v3_samples.MERCHANT_ID, test_wechat_bill.APP: wechat_v3_samples.APP_ID}
    text = test_wechat_bill.GENUINE.decode()
    for theirs, own in ours.items():
        text = text.replace(theirs, own)
    return text.encode()


@pytest.fixture
def site(server):
    return server.url.removesuffix("/gateway.do")


@pytest.fixture
def v3_leads_to(v3_answers, site):
    """The signed answer before the file."""

    def lead(file, **change):
        there = {
            "hash_type": "SHA1",
            "hash_value": hashlib.sha1(file, usedforsecurity=False).hexdigest(),
            "download_url": f"{site}/v3/billdownload/file?token=a%2Fb_-1",
        }
        v3_answers({**there, **change})

    return lead


# --- v2


def test_v2_asks_for_all_trades_of_the_day_and_signs_it(server, wechat_v2):
    server.then(scripted.body(test_wechat_bill.GENUINE))

    assert len(wechat_v2.download_bill(DAY).entries) == 2

    assert wechat_v2_samples.sent(server) == ("/pay/downloadbill", {"bill_type": "ALL", "bill_date": "20261127"})


@pytest.mark.parametrize(
    "answer",
    [
        {"return_code": "FAIL", "return_msg": "No Bill Exist", "error_code": "20002"},
        {"return_code": "FAIL", "return_msg": "no bill exist"},
        {"return_code": "FAIL", "return_msg": "账单不存在", "error_code": "20002"},
    ],
)
def test_no_bill_of_v2_means_no_trade_from_ten_oclock_on(server, wechat_v2_account, answer):
    server.then(*[scripted.body(wechat_v2_samples.markup(answer))] * 2)

    with pytest.raises(BillNotReady):
        WechatV2Gateway(wechat_v2_account, now=lambda: EVENING).download_bill(DAY)

    assert WechatV2Gateway(wechat_v2_account, now=lambda: TEN).download_bill(DAY).entries == ()


def test_a_bill_of_v2_that_is_being_made_is_not_ready(server, wechat_v2):
    server.then(scripted.body(wechat_v2_samples.markup({"return_code": "FAIL", "return_msg": "Bill Creating"})))

    with pytest.raises(BillNotReady):
        wechat_v2.download_bill(DAY)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html><body>502 Bad Gateway</body></html>",
        b"<xml>",
        b"<xml><return_code>SUCCESS</return_code></xml>",
        "<xml><return_code>FAIL</return_code><return_msg>签名错误</return_msg></xml>".encode(),
    ],
)
def test_what_v2_says_without_a_bill_is_believed_in_nothing_else(server, wechat_v2, answer):
    server.then(scripted.body(answer))

    with pytest.raises(GatewayUnavailable):
        wechat_v2.download_bill(DAY)


# --- v3


def test_v3_fetches_the_file_with_a_signed_request_and_checks_its_hash(server, v3_gateway, v3_leads_to, v3_bill):
    v3_leads_to(v3_bill)
    server.then(scripted.body(v3_bill))

    assert len(v3_gateway.download_bill(DAY).entries) == 2

    asked, fetched = server.requests
    assert asked.path == "/v3/bill/tradebill?bill_date=2026-11-27&bill_type=ALL"
    assert fetched.path == "/v3/billdownload/file?token=a%2Fb_-1"
    assert fetched.headers["Authorization"].startswith('WECHATPAY2-SHA256-RSA2048 mchid="1230000109"')
    assert fetched.method == "GET"


def test_a_file_of_another_hash_is_refused_whatever_it_says(server, v3_gateway, v3_leads_to, v3_bill):
    v3_leads_to(v3_bill)
    server.then(scripted.body(v3_bill.replace(b"20.12", b"20.13")))

    with pytest.raises(BillUnusable) as unusable:
        v3_gateway.download_bill(DAY)

    assert unusable.value.reason == "hash"


def test_a_hash_in_capitals_is_the_same_hash(server, v3_gateway, v3_leads_to, v3_bill):
    v3_leads_to(v3_bill, hash_value=hashlib.sha1(v3_bill, usedforsecurity=False).hexdigest().upper())
    server.then(scripted.body(v3_bill))

    assert len(v3_gateway.download_bill(DAY).entries) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"download_url": "https://evil.example/v3/billdownload/file?token=1"},
        {"download_url": "{site}.evil.example/v3/billdownload/file?token=1"},
        {"download_url": "{site}@evil.example/"},
        {"download_url": "{site}"},
        {"download_url": "/v3/billdownload/file"},
        {"download_url": "file:///etc/passwd"},
        {"download_url": "{site}/v3/bill download"},
        {"download_url": "{site}/v3/账单"},
        {"download_url": ""},
        {"download_url": None},
        {"hash_type": "MD5"},
        {"hash_value": ""},
    ],
)
def test_an_answer_that_leads_elsewhere_or_proves_nothing_is_not_followed(
    server, v3_gateway, v3_leads_to, site, change
):
    v3_leads_to(b"", **{name: value and value.format(site=site) for name, value in change.items()})

    with pytest.raises(GatewayUnavailable):
        v3_gateway.download_bill(DAY)

    assert len(server.requests) == 1


def test_an_unsigned_answer_of_v3_leads_nowhere(server, v3_gateway, site):
    server.then(scripted.body(b'{"hash_type":"SHA1"}'))

    with pytest.raises(GatewayUnavailable):
        v3_gateway.download_bill(DAY)

    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_file_that_does_not_come_is_unavailable(server, v3_gateway, v3_leads_to, v3_bill, status):
    v3_leads_to(v3_bill)
    server.then(scripted.body(v3_bill, status=status, Location="/elsewhere"))

    with pytest.raises(GatewayUnavailable):
        v3_gateway.download_bill(DAY)

    assert len(server.requests) == 2


def test_no_statement_of_v3_means_no_trade_from_ten_oclock_on(v3_account, v3_answers):
    for at in (EVENING, TEN):
        v3_answers(wechat_v3_samples.no("NO_STATEMENT_EXIST"), status=400, timestamp=int(at.timestamp()))

    with pytest.raises(BillNotReady):
        WechatV3Gateway(v3_account, now=lambda: EVENING).download_bill(DAY)

    assert WechatV3Gateway(v3_account, now=lambda: TEN).download_bill(DAY).entries == ()


def test_a_statement_of_v3_that_is_being_made_is_not_ready_whenever(v3_gateway, v3_answers):
    v3_answers(wechat_v3_samples.no("STATEMENT_CREATING"), status=400)

    with pytest.raises(BillNotReady):
        v3_gateway.download_bill(DAY)


def test_another_no_of_v3_is_a_refusal(v3_gateway, v3_answers):
    v3_answers(wechat_v3_samples.no("NO_AUTH"), status=403)

    with pytest.raises(GatewayRefused):
        v3_gateway.download_bill(DAY)


@pytest.mark.parametrize("number", ["a|b*c@d-e", "1" * 64])
def test_a_refund_that_the_console_numbered_can_be_asked_for(server, v3_gateway, v3_answers, number):
    v3_answers({**wechat_v3_samples.REFUNDED, "out_refund_no": number})

    assert v3_gateway.query_refund(number, charge_number=wechat_v3_samples.NUMBER).number == number

    assert urllib.parse.unquote(server.requests[0].path) == f"/v3/refund/domestic/refunds/{number}"


@pytest.mark.parametrize("number", ["", "a/b", "a?b", "..", "a b", "中", "1" * 65])
def test_what_is_no_refund_number_is_not_asked_for(server, v3_gateway, number):
    with pytest.raises(GatewayRefused):
        v3_gateway.query_refund(number, charge_number=wechat_v3_samples.NUMBER)

    assert server.requests == []


# --- Alipay


@pytest.fixture
def seller(account):
    return dataclasses.replace(account, seller_id=test_alipay_bill.SELLER)


def alipay(account, *, now=lambda: TEN):
    limits = Limits(total_seconds=1.5, connect_seconds=1.5)
    return AlipayGateway(account, client=AlipayClient(base_url=account.base_url, limits=limits), now=now)


def test_alipay_fetches_the_file_where_the_signed_answer_says(server, seller, alipay_answers, site):
    there = f"{site}/downloadBillFile.resource?bizType=trade&token=1%2F2"
    alipay_answers(BILL, {"code": "10000", "msg": "Success", "bill_download_url": there})
    server.then(scripted.body(test_alipay_bill.GENUINE))

    assert len(alipay(seller).download_bill(DAY).entries) == 2

    assert '"bill_type":"trade","bill_date":"2026-11-27"' in urllib.parse.unquote(server.requests[0].body.decode())
    assert server.requests[1].path == "/downloadBillFile.resource?bizType=trade&token=1%2F2"
    assert "sign" not in server.requests[1].path


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/bill",
        "https://dwbillcenter.alipay.com/bill",  # ours is not Alipay's own gateway
        "{site}.evil.example/bill",
        "{site}@evil.example/bill",
        "file:///etc/passwd",
        "http://[::1/bill",
        "{site}/bill\r\nX-Header: 1",
        "{site}/账单",
        "",
    ],
)
def test_alipay_is_not_followed_elsewhere(server, seller, alipay_answers, site, url):
    alipay_answers(BILL, {"code": "10000", "msg": "Success", "bill_download_url": url.format(site=site)})

    with pytest.raises(GatewayUnavailable):
        alipay(seller).download_bill(DAY)

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("url", "followed"),
    [
        ("https://dwbillcenter.alipay.com/b?a=1", "https://dwbillcenter.alipay.com/b?a=1"),
        ("http://dwbillcenter.alipay.com/b?a=1", "https://dwbillcenter.alipay.com/b?a=1"),
        ("https://openapi.alipay.com/b", "https://openapi.alipay.com/b"),
        ("https://evilalipay.com/b", None),
        ("https://alipay.com.evil.example/b", None),
        ("https://dwbillcenter.alipay.com:8443/b", None),
        ("https://x@dwbillcenter.alipay.com/b", None),
        ("https://dwbillcenter.alipaydev.com/b", None),
        ("ftp://dwbillcenter.alipay.com/b", None),
    ],
)
def test_alipays_own_bills_lie_on_another_host_of_its_domain(url, followed):
    base_url = "https://openapi.alipay.com/gateway.do"
    if followed:
        assert address(url, base_url=base_url) == followed
    else:
        with pytest.raises(GatewayUnavailable, match="address"):
            address(url, base_url=base_url)


@pytest.mark.parametrize("sub_code", ["isp.bill_not_exist", "isv.bill-not-exist"])
def test_no_bill_of_alipay_means_no_trade_from_ten_oclock_on(seller, alipay_answers, sub_code):
    for _ in range(2):
        alipay_answers(BILL, NO_BILL | {"sub_code": sub_code})

    with pytest.raises(BillNotReady):
        alipay(seller, now=lambda: EVENING).download_bill(DAY)

    assert alipay(seller).download_bill(DAY).entries == ()


def test_another_no_of_alipay_is_a_refusal_and_its_own_trouble_is_not(seller, alipay_answers):
    alipay_answers(BILL, NO_BILL | {"sub_code": "isv.invalid_arguments"})
    with pytest.raises(GatewayRefused):
        alipay(seller).download_bill(DAY)

    alipay_answers(BILL, NO_BILL | {"sub_code": "isp.unknow-error"})
    with pytest.raises(GatewayUnavailable):
        alipay(seller).download_bill(DAY)


# --- all of them


def test_a_bill_that_drips_is_cut_off_at_the_deadline(server, wechat_v2):
    server.then(scripted.drip_body)

    with pytest.raises(GatewayUnavailable):
        wechat_v2.download_bill(DAY)  # the deadline is 1.5 s here


def test_a_bill_that_is_too_large_is_not_read_to_its_end(server, wechat_v2_account):
    client = WechatV2Client(base_url=wechat_v2_account.base_url, limits=Limits(total_seconds=5, body_bytes=10_000))
    server.then(scripted.body(b"`" * 20_000))

    with pytest.raises(GatewayUnavailable, match="more than 10000 bytes"):
        WechatV2Gateway(wechat_v2_account, client=client).download_bill(DAY)
