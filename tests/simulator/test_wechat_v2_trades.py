"""WeChat Pay v2: an order's way from being asked for to being paid or closed."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.simulator.receiver import eventually
from tests.simulator.wechat_v2_merchant import SCENE, V2Receiver, WechatV2Client
from tests.simulator.wechat_v3_merchant import WechatV3Client
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"
OTHERWISE = {
    "jsapi": {"trade_type": "JSAPI", "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "product_id": None},
    "h5": {"trade_type": "MWEB", "scene_info": SCENE, "product_id": None},
    "app": {"trade_type": "APP", "product_id": None},
}


def beijing(*, ahead_s: float) -> str:
    return (datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(seconds=ahead_s)).strftime("%Y%m%d%H%M%S")


@pytest.fixture(params=["MD5", "HMAC-SHA256"])
def either(request: pytest.FixtureRequest, simulator: Simulator, v2_receiver: V2Receiver) -> Iterator[WechatV2Client]:
    """A merchant of each way to sign."""
    merchant = simulator.register_wechat_merchant()
    with WechatV2Client(merchant, notify_url=v2_receiver.url, sign_type=request.param) as client:
        yield client


def test_an_order_answers_a_code_to_scan(either: WechatV2Client) -> None:
    answer = either.order(NUMBER)

    assert (answer["result_code"], answer["trade_type"]) == ("SUCCESS", "NATIVE")
    assert (answer["appid"], answer["mch_id"]) == (either.merchant.app_id, either.merchant.mch_id)
    assert re.fullmatch(r"weixin://wxpay/bizpayurl\?pr=[0-9A-Za-z]{7}", answer["code_url"])
    assert re.fullmatch(r"wx[0-9a-f]{34}", answer["prepay_id"])
    assert "mweb_url" not in answer


def test_an_order_exists_before_anybody_has_scanned_it(simulator: Simulator, either: WechatV2Client) -> None:
    either.order(NUMBER, attach="柜台 3")

    answer = either.query(NUMBER)

    assert (answer["trade_state"], answer["out_trade_no"], answer["attach"]) == ("NOTPAY", NUMBER, "柜台 3")
    assert "transaction_id" not in answer
    shape = simulator.trade(NUMBER)
    assert (shape["gateway"], shape["api"], shape["product"]) == ("wechat", "v2", "native")
    assert (shape["status"], shape["gateway_status"], shape["trade_no"]) == ("waiting", "NOTPAY", "")


def test_a_paid_order_tells_who_paid_what_and_when(simulator: Simulator, either: WechatV2Client) -> None:
    either.order(NUMBER)
    paid = simulator.pay(NUMBER)

    answer = either.query(NUMBER)

    assert (answer["trade_state"], answer["trade_type"]) == ("SUCCESS", "NATIVE")
    assert (answer["total_fee"], answer["cash_fee"], answer["fee_type"]) == ("2012", "2012", "CNY")
    assert answer["transaction_id"] == paid["trade_no"]
    assert re.fullmatch(r"[0-9]{28}", answer["transaction_id"])
    assert answer["time_end"] == datetime.fromisoformat(paid["paid_at"]).strftime("%Y%m%d%H%M%S")
    assert re.fullmatch(r"o[0-9A-Za-z_-]{27}", answer["openid"])
    found = either.call("pay/orderquery", transaction_id=answer["transaction_id"])
    assert found["out_trade_no"] == NUMBER


@pytest.mark.parametrize(("product", "kind"), [("jsapi", "JSAPI"), ("h5", "MWEB"), ("app", "APP")])
def test_each_kind_of_order_has_its_handle(
    simulator: Simulator, wechat_v2: WechatV2Client, product: str, kind: str
) -> None:
    answer = wechat_v2.order(NUMBER, **OTHERWISE[product])

    assert answer["trade_type"] == kind
    assert answer["prepay_id"] == simulator.trade(NUMBER)["prepay_id"]
    assert "code_url" not in answer
    assert ("mweb_url" in answer) == (product == "h5")
    assert simulator.trade(NUMBER)["product"] == product


def test_the_payer_whom_the_order_names_is_the_one_who_paid(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    wechat_v2.order(NUMBER, **OTHERWISE["jsapi"])
    simulator.pay(NUMBER)

    assert wechat_v2.query(NUMBER)["openid"] == OTHERWISE["jsapi"]["openid"]


def test_asking_again_with_the_same_content_answers_the_same_code(
    simulator: Simulator, wechat_v2: WechatV2Client
) -> None:
    until = beijing(ahead_s=600)
    first = wechat_v2.order(NUMBER, time_expire=until)

    again = wechat_v2.order(NUMBER, time_expire=until)

    assert (again["code_url"], again["prepay_id"]) == (first["code_url"], first["prepay_id"])
    assert len(simulator.trades()) == 1


@pytest.mark.parametrize(
    "changed",
    [{"total_fee": 2013}, {"body": "别的"}, {"attach": "x"}, {"time_expire": "20991231235959"}, OTHERWISE["app"]],
)
def test_the_same_number_with_other_content_is_refused(
    simulator: Simulator, wechat_v2: WechatV2Client, changed: dict[str, object]
) -> None:
    wechat_v2.order(NUMBER)

    answer = wechat_v2.order(NUMBER, **changed)

    assert (answer["err_code"], answer["err_code_des"]) == ("INVALID_REQUEST", "201 商户订单号重复")
    assert simulator.trade(NUMBER)["amount_fen"] == 2012


def test_one_number_of_two_merchants_is_two_orders(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver
) -> None:
    wechat_v2.order(NUMBER)
    with WechatV2Client(simulator.register_wechat_merchant(), notify_url=v2_receiver.url) as other:
        other.order(NUMBER, total_fee=1)
        simulator.call("POST", f"trades/{NUMBER}/pay?app_id={other.merchant.app_id}")

        assert other.query(NUMBER)["trade_state"] == "SUCCESS"
    assert wechat_v2.query(NUMBER)["trade_state"] == "NOTPAY"


def test_an_order_can_be_closed_after_five_minutes(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    wechat_v2.order(NUMBER)
    simulator.age(NUMBER, seconds=295)
    early = wechat_v2.close(NUMBER)
    simulator.age(NUMBER, seconds=5)

    closed = wechat_v2.close(NUMBER)

    assert (early["result_code"], early["err_code"]) == ("FAIL", "TRADE_STATE_ERROR")
    assert closed["result_code"] == "SUCCESS"
    assert wechat_v2.query(NUMBER)["trade_state"] == "CLOSED"
    assert wechat_v2.close(NUMBER)["err_code"] == "ORDERCLOSED"
    assert wechat_v2.order(NUMBER)["err_code"] == "ORDERCLOSED"


def test_a_merchant_may_be_registered_to_close_at_once(simulator: Simulator, v2_receiver: V2Receiver) -> None:
    merchant = simulator.register_wechat_merchant(closable_after_s=0)
    with WechatV2Client(merchant, notify_url=v2_receiver.url) as client:
        client.order(NUMBER)

        assert client.close(NUMBER)["result_code"] == "SUCCESS"


def test_a_paid_order_can_neither_be_closed_nor_asked_for_again(
    simulator: Simulator, wechat_v2: WechatV2Client
) -> None:
    wechat_v2.order(NUMBER)
    simulator.pay(NUMBER)

    assert wechat_v2.close(NUMBER)["err_code"] == "ORDERPAID"
    assert wechat_v2.order(NUMBER)["err_code"] == "ORDERPAID"
    assert wechat_v2.query(NUMBER)["trade_state"] == "SUCCESS"


def test_an_order_ends_when_the_merchant_said(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    wechat_v2.order(NUMBER, time_expire=beijing(ahead_s=62))
    shape = simulator.trade(NUMBER)

    left = datetime.fromisoformat(shape["expires_at"]) - datetime.fromisoformat(shape["offered_at"])
    assert timedelta(seconds=60) <= left <= timedelta(seconds=63)


def test_an_order_that_names_no_end_waits_two_hours(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    wechat_v2.order(NUMBER)
    shape = simulator.trade(NUMBER)

    left = datetime.fromisoformat(shape["expires_at"]) - datetime.fromisoformat(shape["offered_at"])
    assert left == timedelta(hours=2)


def test_an_unknown_number_is_unknown(wechat_v2: WechatV2Client) -> None:
    for call in (wechat_v2.query, wechat_v2.close):
        assert call("nobody_asked")["err_code"] == "ORDERNOTEXIST"


def test_the_code_leads_wechat_to_the_order(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    code = wechat_v2.order(NUMBER)["code_url"]

    assert simulator.scan_code(code)["out_trade_no"] == NUMBER
    address = f"{simulator.control}wechat/scan/"
    unknown = httpx.post(address, json={"code_url": "weixin://wxpay/bizpayurl?pr=nothing"}, trust_env=False)
    assert unknown.status_code == 404


def test_an_order_of_v2_can_be_seen_but_not_repeated_by_apiv3(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver
) -> None:
    wechat_v2.order(NUMBER)
    simulator.pay(NUMBER)
    with WechatV3Client(wechat_v2.merchant, notify_url=v2_receiver.url) as v3:
        seen = v3.verified(v3.query(NUMBER))

        assert (seen["trade_state"], seen["amount"]["total"]) == ("SUCCESS", 2012)
        assert v3.create("native", NUMBER).status_code == 400
    eventually(lambda: len(v2_receiver.received) == 1)
