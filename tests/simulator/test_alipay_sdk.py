"""python-alipay-sdk, somebody else's client, talks to the simulator as it would to Alipay."""

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.simulator.receiver import Receiver
from tests.simulator_process import Simulator

alipay_sdk = pytest.importorskip("alipay")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NUMBER = "2018061530000035_1"


@pytest.fixture(autouse=True)
def in_beijing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The SDK sends the local time, which Alipay takes for Beijing's."""
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(params=["key", "certificate"])
def sdk(request: pytest.FixtureRequest, simulator: Simulator, receiver: Receiver) -> "alipay_sdk.AliPay":
    merchant = simulator.register_merchant(mode=request.param)
    common = {
        "appid": merchant.app_id,
        "app_notify_url": receiver.url,
        "app_private_key_string": merchant.app_private_key,
    }
    if request.param == "key":
        sdk = alipay_sdk.AliPay(**common, alipay_public_key_string=merchant.alipay_public_key)
    else:
        sdk = alipay_sdk.DCAliPay(
            **common,
            app_public_key_cert_string=merchant.app_certificate,
            alipay_public_key_cert_string=merchant.alipay_certificate,
            alipay_root_cert_string=merchant.alipay_root_certificate,
        )
    sdk._gateway = merchant.gateway_url
    return sdk


def test_it_is_paid_told_and_refunded(simulator: Simulator, receiver: Receiver, sdk: "alipay_sdk.AliPay") -> None:
    offered = sdk.api_alipay_trade_precreate(subject="碎花 + 连衣裙", out_trade_no=NUMBER, total_amount="20.12")
    assert offered["qr_code"].startswith(f"{simulator.url}/qr/")
    assert sdk.api_alipay_trade_query(out_trade_no=NUMBER)["sub_code"] == "ACQ.TRADE_NOT_EXIST"

    simulator.pay(NUMBER)

    (notice,) = receiver.wait_for(1)
    notice = dict(notice)
    assert sdk.verify(notice, notice.pop("sign"))
    assert sdk.api_alipay_trade_query(out_trade_no=NUMBER)["trade_status"] == "TRADE_SUCCESS"
    refunded = sdk.api_alipay_trade_refund("5.00", out_trade_no=NUMBER, out_request_no="R1")
    assert refunded["fund_change"] == "Y"
    asked = sdk.api_alipay_trade_fastpay_refund_query("R1", out_trade_no=NUMBER)
    assert asked["refund_amount"] == "5.00"


def test_its_close_is_understood(simulator: Simulator, sdk: "alipay_sdk.AliPay") -> None:
    sdk.api_alipay_trade_precreate(subject="x", out_trade_no=NUMBER, total_amount="0.01")
    simulator.scan(NUMBER)

    assert sdk.api_alipay_trade_close(out_trade_no=NUMBER)["code"] == "10000"
    assert simulator.trade(NUMBER)["status"] == "closed"


def test_its_order_string_is_paid_in_the_app(simulator: Simulator, sdk: "alipay_sdk.AliPay") -> None:
    order_string = sdk.api_alipay_trade_app_pay(subject="x", out_trade_no=NUMBER, total_amount="0.01")

    answer = simulator.use_app(order_string)

    result = json.loads(answer["result"])
    text = answer["result"].split('"alipay_trade_app_pay_response":', 1)[1].split(',"sign":', 1)[0]
    assert sdk._verify(text, result["sign"])


def test_a_forged_notification_does_not_verify(
    simulator: Simulator, receiver: Receiver, sdk: "alipay_sdk.AliPay"
) -> None:
    sdk.api_alipay_trade_precreate(subject="x", out_trade_no=NUMBER, total_amount="0.01")
    simulator.arm("forged")

    simulator.pay(NUMBER)

    notice = dict(receiver.wait_for(1)[0])
    assert not sdk.verify(notice, notice.pop("sign"))


def test_it_finds_the_bill_of_a_day(simulator: Simulator, sdk: "alipay_sdk.AliPay") -> None:
    sdk.api_alipay_trade_precreate(subject="碎花 + 连衣裙", out_trade_no=NUMBER, total_amount="20.12")
    simulator.pay(NUMBER)
    asked = {"bill_type": "trade", "bill_date": simulator.trade(NUMBER)["paid_at"][:10]}

    found = sdk.server_api("alipay.data.dataservice.bill.downloadurl.query", biz_content=asked)

    assert httpx.get(found["bill_download_url"], trust_env=False).content.startswith(b"PK")
