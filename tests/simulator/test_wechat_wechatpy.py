"""wechatpy, somebody else's client, talks to the simulator as it would to WeChat Pay v2."""

import pytest

from tests.simulator.receiver import eventually
from tests.simulator.wechat_v2_merchant import V2Receiver
from tests.simulator_process import Simulator

wechatpy = pytest.importorskip("wechatpy.pay")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NUMBER = "2018061530000035_1"


class RawReceiver(V2Receiver):
    """Keeps the XML as it came."""

    def read(self, headers, body):
        return body.decode()


@pytest.fixture
def raw_receiver():
    with RawReceiver() as receiver:
        yield receiver


@pytest.fixture
def sdk(simulator: Simulator):
    merchant = simulator.register_wechat_merchant()
    sdk = wechatpy.WeChatPay(merchant.app_id, merchant.api_key, merchant.mch_id, timeout=5)
    sdk.API_BASE_URL = sdk.order.API_BASE_URL = f"{merchant.base_url}/"
    sdk._http.trust_env = False
    yield sdk
    sdk._http.close()


def order(sdk, receiver: RawReceiver, trade_type: str, **fields):
    return sdk.order.create(
        trade_type, "碎花 + 连衣裙", 2012, receiver.url, client_ip="14.23.150.211", out_trade_no=NUMBER, **fields
    )


def test_it_is_paid_told_and_refunded(simulator: Simulator, raw_receiver: RawReceiver, sdk) -> None:
    offered = order(sdk, raw_receiver, "NATIVE", product_id="1", attach="柜台 3")
    assert offered["code_url"].startswith("weixin://wxpay/bizpayurl?pr=")
    assert sdk.check_signature(dict(offered))
    assert sdk.order.query(out_trade_no=NUMBER)["trade_state"] == "NOTPAY"

    simulator.pay(NUMBER)

    notice = sdk.parse_payment_result(raw_receiver.wait_for(1)[0])
    assert (notice["out_trade_no"], notice["total_fee"], notice["attach"]) == (NUMBER, 2012, "柜台 3")
    queried = sdk.order.query(out_trade_no=NUMBER)
    assert (queried["trade_state"], queried["transaction_id"]) == ("SUCCESS", notice["transaction_id"])
    sdk.refund.apply(2012, 500, "R1", out_trade_no=NUMBER, notify_url=raw_receiver.url)
    told = sdk.parse_refund_notify_result(raw_receiver.wait_for(2)[1])
    assert (told["out_refund_no"], told["refund_status"], told["refund_fee"]) == ("R1", "SUCCESS", 500)
    found = eventually(lambda: sdk.refund.query(out_refund_no="R1"))
    assert found["refund_status_0"] == "SUCCESS"


def test_it_is_closed(simulator: Simulator, raw_receiver: RawReceiver, sdk) -> None:
    order(sdk, raw_receiver, "NATIVE", product_id="1")
    with pytest.raises(wechatpy.WeChatPayException) as early:
        sdk.order.close(NUMBER)
    simulator.age(NUMBER)

    sdk.order.close(NUMBER)

    assert early.value.errcode == "TRADE_STATE_ERROR"
    assert sdk.order.query(out_trade_no=NUMBER)["trade_state"] == "CLOSED"


def test_its_page_and_its_app_call_wechat(simulator: Simulator, raw_receiver: RawReceiver, sdk) -> None:
    prepay_id = order(sdk, raw_receiver, "JSAPI", user_id="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")["prepay_id"]
    assert simulator.use_wechat(sdk.jsapi.get_jsapi_params(prepay_id))["result"] == "ok"
    simulator.clear()

    prepay_id = order(sdk, raw_receiver, "APP")["prepay_id"]
    assert simulator.use_wechat(sdk.order.get_appapi_params(prepay_id))["result"] == "ok"


def test_its_page_for_phones(simulator: Simulator, raw_receiver: RawReceiver, sdk) -> None:
    scene = {"h5_info": {"type": "Wap", "wap_url": "https://shop.example", "wap_name": "商城"}}

    assert order(sdk, raw_receiver, "MWEB", scene_info=scene)["mweb_url"].startswith(simulator.url)


def test_a_wrong_key_is_refused(simulator: Simulator, raw_receiver: RawReceiver, sdk) -> None:
    sdk.api_key = "0" * 32

    with pytest.raises(wechatpy.WeChatPayException) as refused:
        order(sdk, raw_receiver, "NATIVE", product_id="1")

    assert (refused.value.return_code, refused.value.return_msg) == ("FAIL", "签名错误，请检查后再试")
    assert simulator.trades() == []


def test_it_fetches_the_bill_of_a_day(simulator: Simulator, raw_receiver: RawReceiver, sdk) -> None:
    order(sdk, raw_receiver, "NATIVE", product_id="1")
    simulator.pay(NUMBER)
    sdk.tools.API_BASE_URL = sdk.order.API_BASE_URL

    file = sdk.tools.download_bill(simulator.trade(NUMBER)["paid_at"][:10].replace("-", ""))

    assert f"`{NUMBER}," in file
