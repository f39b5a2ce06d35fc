"""WeChat Pay: APIv3 and v2 keep one book, and each speaks of what was asked for in it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.simulator.wechat_v2_merchant import V2Receiver, WechatV2Client
from tests.simulator.wechat_v3_merchant import V3Receiver, WechatV3Client
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"
AT_ONCE = 12


@pytest.fixture
def wechat_v2(wechat_v3: WechatV3Client, v2_receiver: V2Receiver) -> WechatV2Client:
    """The same merchant as `wechat_v3`, speaking v2."""
    return WechatV2Client(wechat_v3.merchant, notify_url=v2_receiver.url)


def test_an_order_of_v2_is_seen_closed_and_refused_by_v3(
    simulator: Simulator, wechat_v2: WechatV2Client, wechat_v3: WechatV3Client
) -> None:
    with wechat_v2:
        wechat_v2.order(NUMBER)

        assert wechat_v3.verified(wechat_v3.query(NUMBER))["trade_state"] == "NOTPAY"
        assert wechat_v3.refused(wechat_v3.create("native", NUMBER)) == (400, "INVALID_REQUEST")
        assert wechat_v3.close(NUMBER).status_code == 204
        assert wechat_v2.query(NUMBER)["trade_state"] == "CLOSED"


def test_an_order_of_v2_is_told_in_v2_and_its_refund_in_the_api_that_asked(
    simulator: Simulator,
    wechat_v2: WechatV2Client,
    wechat_v3: WechatV3Client,
    v2_receiver: V2Receiver,
    v3_receiver: V3Receiver,
) -> None:
    with wechat_v2:
        total = int(wechat_v2.goods(NUMBER)["total_fee"])
        wechat_v2.order(NUMBER)
        simulator.pay(NUMBER)
        assert v2_receiver.wait_for(1)[0]["out_trade_no"] == NUMBER

        wechat_v3.refund(NUMBER, "R1", 5, amount={"refund": 5, "total": total, "currency": "CNY"})

        assert wechat_v3.told(v3_receiver.wait_for(1)[0])["out_refund_no"] == "R1"
    assert len(v2_receiver.received) == 1


def test_one_number_asked_for_at_once_is_one_order(simulator: Simulator, wechat_v3: WechatV3Client) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: wechat_v3.create("native", NUMBER).json()["code_url"], range(AT_ONCE)))

    assert len(set(answers)) == 1
    assert len(simulator.trades()) == 1


def test_a_refund_asked_for_at_once_is_one_refund(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver
) -> None:
    wechat_v3.create("native", NUMBER)
    simulator.pay(NUMBER)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: wechat_v3.refund(NUMBER, "R1", 500).json()["refund_id"], range(AT_ONCE)))

    assert len(set(answers)) == 1
    v3_receiver.wait_for(2)
    assert simulator.trade(NUMBER)["refunded_fen"] == 500


@pytest.mark.parametrize("changed", ["appId", "timeStamp", "nonceStr", "package", "paySign", "signType"])
def test_a_page_whose_parameters_were_changed_opens_nothing(
    simulator: Simulator, wechat_v3: WechatV3Client, changed: str
) -> None:
    prepay_id = wechat_v3.create("jsapi", NUMBER).json()["prepay_id"]
    stamp = str(int(time.time()))
    signed = f"{wechat_v3.merchant.app_id}\n{stamp}\nn0nce\nprepay_id={prepay_id}\n"
    parameters = {
        "appId": wechat_v3.merchant.app_id,
        "timeStamp": stamp,
        "nonceStr": "n0nce",
        "package": f"prepay_id={prepay_id}",
        "signType": "RSA",
        "paySign": wechat_v3.sign(signed),
    }
    other = {"signType": "MD5", "timeStamp": "1"}.get(changed, parameters[changed] + "A")

    assert simulator.use_wechat(parameters | {changed: other})["result"] == "fail"
    assert simulator.trade(NUMBER)["status"] == "waiting"

    assert simulator.use_wechat(parameters)["result"] == "ok"
    assert simulator.trade(NUMBER)["status"] == "paid"
