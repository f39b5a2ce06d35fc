"""wechatpayv3, somebody else's client, talks to the simulator as it would to WeChat Pay."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.wechat_v3_merchant import Delivery, V3Receiver
from tests.simulator_process import SimulatedWechatMerchant, Simulator

wechatpayv3 = pytest.importorskip("wechatpayv3")

NUMBER = "2018061530000035_1"
AMOUNT = {"total": 2012, "currency": "CNY"}


@pytest.fixture(params=["public_key", "certificate"])
def merchant(request: pytest.FixtureRequest, simulator: Simulator) -> SimulatedWechatMerchant:
    return simulator.register_wechat_merchant(mode=request.param, closable_after_s=0)


@pytest.fixture
def sdk(merchant: SimulatedWechatMerchant, v3_receiver: V3Receiver, tmp_path: Path) -> "wechatpayv3.WeChatPay":
    """
    In certificate mode it finds one strange certificate in its directory, so that it does not ask the real WeChat Pay
    when it is made, and downloads ours when it first meets it.
    """
    known: dict[str, str] = {"cert_dir": str(tmp_path)}
    if merchant.mode == "public_key":
        known = {"public_key": merchant.platform_public_key, "public_key_id": merchant.platform_public_key_id}
    (tmp_path / "strange.pem").write_text(merchant.app_certificate)
    sdk = wechatpayv3.WeChatPay(
        wechatpay_type=wechatpayv3.WeChatPayType.NATIVE,
        mchid=merchant.mch_id,
        private_key=merchant.app_private_key,
        cert_serial_no=merchant.app_cert_sn,
        appid=merchant.app_id,
        apiv3_key=merchant.api_v3_key,
        notify_url=v3_receiver.url,
        **known,
    )
    sdk._core._gate_way = merchant.base_url
    return sdk


def answered(answer: tuple[int, Any], *, status: int = 200) -> Any:
    """The body; the SDK has verified the signature of a 2xx."""
    assert answer[0] == status, answer
    return json.loads(answer[1]) if answer[1] else None


def read(sdk: "wechatpayv3.WeChatPay", delivery: Delivery) -> Any:
    return sdk.callback(headers=dict(delivery.headers), body=delivery.body)


def test_it_is_paid_told_refunded_and_told(
    simulator: Simulator, v3_receiver: V3Receiver, sdk: "wechatpayv3.WeChatPay"
) -> None:
    offered = answered(sdk.pay(description="碎花 + 连衣裙", out_trade_no=NUMBER, amount=AMOUNT))
    assert offered["code_url"].startswith("weixin://wxpay/bizpayurl?pr=")
    assert answered(sdk.query(out_trade_no=NUMBER))["trade_state"] == "NOTPAY"

    transaction_id = simulator.pay(NUMBER)["trade_no"]

    told = read(sdk, v3_receiver.wait_for(1)[0])
    assert (told["event_type"], told["resource"]["transaction_id"]) == ("TRANSACTION.SUCCESS", transaction_id)
    assert answered(sdk.query(transaction_id=transaction_id))["trade_state"] == "SUCCESS"
    asked = sdk.refund(
        out_refund_no="R1",
        out_trade_no=NUMBER,
        amount={"refund": 500, **AMOUNT},
        notify_url=v3_receiver.url,
        reason="不合身",
    )
    assert answered(asked)["status"] == "PROCESSING"
    told = read(sdk, v3_receiver.wait_for(2)[1])
    assert (told["event_type"], told["resource"]["out_refund_no"]) == ("REFUND.SUCCESS", "R1")
    assert answered(sdk.query_refund("R1"))["status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("pay_type", "extra", "name"),
    [
        ("JSAPI", {"payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}}, "prepay_id"),
        ("APP", {}, "prepay_id"),
        ("H5", {"scene_info": {"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}}}, "h5_url"),
    ],
)
def test_its_other_products_are_understood(
    sdk: "wechatpayv3.WeChatPay", pay_type: str, extra: dict[str, Any], name: str
) -> None:
    kind = wechatpayv3.WeChatPayType[pay_type]

    assert answered(sdk.pay(description="x", out_trade_no=NUMBER, amount=AMOUNT, pay_type=kind, **extra))[name]


def test_its_close_is_understood(simulator: Simulator, sdk: "wechatpayv3.WeChatPay") -> None:
    sdk.pay(description="x", out_trade_no=NUMBER, amount=AMOUNT)

    assert answered(sdk.close(NUMBER), status=204) is None

    assert simulator.trade(NUMBER)["status"] == "closed"
    assert answered(sdk.close(NUMBER), status=400)["code"] == "ORDER_CLOSED"


@pytest.mark.parametrize("product", ["JSAPI", "APP"])
def test_what_it_signs_for_the_payer_opens_the_payment(
    simulator: Simulator, merchant: SimulatedWechatMerchant, sdk: "wechatpayv3.WeChatPay", product: str
) -> None:
    payer = {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"} if product == "JSAPI" else None
    kind = wechatpayv3.WeChatPayType[product]
    prepay_id = answered(sdk.pay(description="x", out_trade_no=NUMBER, amount=AMOUNT, pay_type=kind, payer=payer))[
        "prepay_id"
    ]
    stamp = str(int(time.time()))
    signed = f"prepay_id={prepay_id}" if product == "JSAPI" else prepay_id
    signature = sdk.sign([merchant.app_id, stamp, "n0nce", signed])
    if product == "JSAPI":
        parameters = {
            "appId": merchant.app_id,
            "timeStamp": stamp,
            "nonceStr": "n0nce",
            "package": signed,
            "signType": "RSA",
            "paySign": signature,
        }
    else:
        parameters = {
            "appid": merchant.app_id,
            "partnerid": merchant.mch_id,
            "prepayid": prepay_id,
            "package": "Sign=WXPay",
            "noncestr": "n0nce",
            "timestamp": stamp,
            "sign": signature,
        }

    assert simulator.use_wechat(parameters)["result"] == "ok"

    assert simulator.trade(NUMBER)["status"] == "paid"


@pytest.mark.parametrize("fault", ["forged", "tampered", "signtest"])
def test_it_reads_no_notification_that_proves_nothing(
    simulator: Simulator, v3_receiver: V3Receiver, sdk: "wechatpayv3.WeChatPay", fault: str
) -> None:
    sdk.pay(description="x", out_trade_no=NUMBER, amount=AMOUNT)
    simulator.arm(fault)

    simulator.pay(NUMBER)

    assert read(sdk, v3_receiver.wait_for(1)[0]) is None


@pytest.mark.parametrize("fault", ["bad_signature", "unsigned_success"])
def test_it_trusts_no_answer_that_is_not_signed_rightly(
    simulator: Simulator, sdk: "wechatpayv3.WeChatPay", fault: str
) -> None:
    sdk.pay(description="x", out_trade_no=NUMBER, amount=AMOUNT)
    simulator.arm(fault)

    with pytest.raises(Exception, match=r"signature|algorithm"):
        sdk.query(out_trade_no=NUMBER)


@pytest.mark.parametrize("merchant", ["certificate"], indirect=True)
def test_it_downloads_a_new_certificate_when_it_meets_one(
    simulator: Simulator, v3_receiver: V3Receiver, merchant: SimulatedWechatMerchant, sdk: "wechatpayv3.WeChatPay"
) -> None:
    sdk.pay(description="x", out_trade_no=NUMBER, amount=AMOUNT)
    simulator.arm("key_switch")

    simulator.pay(NUMBER)

    delivery = v3_receiver.wait_for(1)[0]
    assert delivery.headers["Wechatpay-Serial"] not in merchant.platform_certificate_serials
    assert read(sdk, delivery)["resource"]["out_trade_no"] == NUMBER


def test_it_fetches_the_bill_of_a_day(simulator: Simulator, sdk: "wechatpayv3.WeChatPay") -> None:
    answered(sdk.pay(description="碎花连衣裙", out_trade_no=NUMBER, amount=AMOUNT))
    simulator.pay(NUMBER)

    there = answered(sdk.trade_bill(bill_date=simulator.trade(NUMBER)["paid_at"][:10], tar_type=""))
    status, file = sdk.download_bill(there["download_url"])

    assert status == 200
    assert f"`{NUMBER}," in file.decode()
