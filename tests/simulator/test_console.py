"""Refunds that the merchant's staff make at the gateway's own console: the shop hears of them, and did not ask."""

import re

import httpx
import pytest

from tests.simulator.merchant import AlipayClient
from tests.simulator.receiver import Receiver
from tests.simulator.test_pages import browser, submit
from tests.simulator.wechat_v2_merchant import V2Receiver, WechatV2Client
from tests.simulator.wechat_v3_merchant import V3Receiver, WechatV3Client
from tests.simulator_process import Simulator

__all__ = ["browser"]
NUMBER = "2018061530000035_1"


def trades_page(browser: httpx.Client) -> httpx.Response:
    """The page of the only trade, in English."""
    found = re.search(r"/trades/\d+/", browser.get("/", params={"lang": "en"}).text)
    assert found
    return browser.get(found[0])


def test_alipay_refunds_at_once_and_repeats_the_payments_notice(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver
) -> None:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)
    receiver.wait_for(1)

    first = simulator.refund(NUMBER, 500)
    receiver.wait_for(2)
    last = simulator.refund(NUMBER, 1512)

    told = receiver.wait_for(3)[1:]
    assert all(alipay.genuine_notice(notice) for notice in told)
    assert [(notice["trade_status"], notice["refund_fee"], notice["out_biz_no"]) for notice in told] == [
        ("TRADE_SUCCESS", "5.00", first["request_no"]),
        ("TRADE_CLOSED", "20.12", last["request_no"]),
    ]
    assert alipay.refund_query(NUMBER, first["request_no"])["refund_amount"] == "5.00"
    assert (first["by_console"], first["moved"]) == (True, True)


def test_v2_tells_a_refund_that_no_call_asked_for(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver
) -> None:
    wechat_v2.order(NUMBER)
    simulator.pay(NUMBER)
    v2_receiver.wait_for(1)

    made = simulator.refund(NUMBER, 500)

    told = wechat_v2.opened(v2_receiver.wait_for(2)[1])
    assert (told["out_refund_no"], told["refund_fee"], told["refund_status"]) == (made["request_no"], "500", "SUCCESS")
    assert (told["out_trade_no"], told["refund_request_source"]) == (NUMBER, "VENDOR_PLATFORM")
    assert made["request_no"].startswith(wechat_v2.merchant.mch_id)
    assert wechat_v2.refund_query(made["request_no"])["refund_fee_0"] == "500"


def test_v3_tells_a_refund_that_no_call_asked_for(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver
) -> None:
    wechat_v3.create("native", NUMBER)
    simulator.pay(NUMBER)
    v3_receiver.wait_for(1)

    made = simulator.refund(NUMBER, 500)

    told = wechat_v3.told(v3_receiver.wait_for(2)[1])
    assert (told["out_refund_no"], told["amount"]["refund"]) == (made["request_no"], 500)
    assert told["refund_status"] == "SUCCESS"
    assert wechat_v3.verified(wechat_v3.refund_query(made["request_no"]))["status"] == "SUCCESS"


def test_the_number_can_be_chosen_and_is_one_refund(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)

    made = [simulator.refund(NUMBER, 500, request_no="desk_7") for _ in range(2)]

    assert {each["request_no"] for each in made} == {"desk_7"}
    assert simulator.trade(NUMBER)["refunded_fen"] == 500


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 400),
        ({"amount_fen": 0}, 400),
        ({"amount_fen": "1"}, 400),
        ({"amount_fen": 1, "request_no": 7}, 400),
        ({"amount_fen": 1, "request_no": "a-b"}, 400),
        ({"amount_fen": 2013}, 409),
    ],
)
def test_what_cannot_be_given_back_is_refused(
    simulator: Simulator, alipay: AlipayClient, asked: dict[str, object], status: int
) -> None:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)

    answer = httpx.post(f"{simulator.control}trades/{NUMBER}/refund", json=asked, trust_env=False)

    assert answer.status_code == status
    assert answer.json()["error"]
    assert simulator.trade(NUMBER)["refunds"] == []


@pytest.fixture(params=["alipay", "wechat"])
def unpaid(request: pytest.FixtureRequest) -> str:
    if request.param == "alipay":
        request.getfixturevalue("alipay").precreate(NUMBER)
    else:
        request.getfixturevalue("wechat_v2").order(NUMBER)
    return NUMBER


def test_an_unpaid_trade_is_not_refunded(simulator: Simulator, unpaid: str) -> None:
    answer = httpx.post(f"{simulator.control}trades/{unpaid}/refund", json={"amount_fen": 1}, trust_env=False)

    assert answer.status_code == 409
    assert simulator.trade(unpaid)["refunds"] == []


def test_a_person_gives_back_on_the_trades_page(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver, browser: httpx.Client
) -> None:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)
    receiver.wait_for(1)
    page = trades_page(browser)

    after = submit(browser, page, f"{page.url.path}refund", amount="5.1")

    assert "The gateway's console" in page.text
    assert 'value="20.12"' in page.text  # what is left
    assert "Made at the console" in after.text
    assert 'value="15.02"' in after.text
    assert receiver.wait_for(2)[1]["refund_fee"] == "5.10"


@pytest.mark.parametrize("amount", ["", "-1", "0", "20.13", "1e1", "中"])
def test_an_amount_that_is_none_gives_nothing_back(
    simulator: Simulator, alipay: AlipayClient, browser: httpx.Client, amount: str
) -> None:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)
    page = trades_page(browser)

    assert submit(browser, page, f"{page.url.path}refund", amount=amount).status_code == 200

    assert simulator.trade(NUMBER)["refunds"] == []


def test_a_page_offers_nothing_to_give_back_where_nothing_is_left(
    simulator: Simulator, alipay: AlipayClient, browser: httpx.Client
) -> None:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)
    simulator.refund(NUMBER, 2012)

    assert "/refund" not in trades_page(browser).text
