"""The JSON examples of document 003, each in a world of its own: same keys, same types, the shapes of its values."""

import hashlib
import json
import re
import time
from urllib.parse import parse_qs

import pytest

from payments.models import Charge
from tests.calls import Text, post
from tests.faults.test_alipay_end_to_end import connect
from tests.payments.api.accounts import connect_wechat_v2, connect_wechat_v3
from tests.world import TOKEN, make_client, make_customer

pytestmark = pytest.mark.django_db

# The document's examples of what is sent, to the letter but for the number.
PUSH_WECHAT = {"order_type": "Order", "order_number": "12346", "type": "NATIVE"}
PUSH_ALIPAY = {"order_number": "1234", "order_type": "Order", "type": "QRCODE"}


@pytest.fixture(autouse=True)
def shop():
    shop = make_client()
    make_customer(client=shop)
    return shop


def order(client, **fields):
    params = {"order_type": "Order", "user_id": "442090", "title": "DEMO", "total_amount": Text("0.11"), **fields}
    status, answer = post(client, "/rest/order", params)
    assert (status, list(answer), list(answer["data"])) == (200, ["status_code", "data"], ["order_number"])
    return answer["data"]["order_number"]


def push(client, path, params):
    """POST with the bare token, as the document has it."""
    response = client.post(
        path, data=json.dumps(params), content_type="application/json", headers={"authorization": TOKEN}
    )
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    return response.json()


@pytest.mark.parametrize("path", ["/rest/wx/push_order", "/rest/wx/push_order/"])
def test_the_code_of_wechat(client, simulator, path):
    account = connect_wechat_v2(simulator)
    number = order(client)

    answer = push(client, path, PUSH_WECHAT | {"order_number": number})

    told = answer["data"]
    assert answer == {
        "status_code": 0,
        "data": {
            "timeStamp": told["timeStamp"],
            "codeUrl": told["codeUrl"],
            "package": told["package"],
            "paySign": told["paySign"],
            "totalFee": "11",
            "appId": account.app_id,
            "signType": "MD5",
            "title": "DEMO",
            "nonceStr": told["nonceStr"],
        },
    }
    assert abs(int(told["timeStamp"]) - time.time()) < 60
    assert re.fullmatch(r"weixin://wxpay/bizpayurl\?pr=\w+", told["codeUrl"])
    assert re.fullmatch(r"prepay_id=wx\w+", told["package"])
    assert re.fullmatch(r"[0-9A-Za-z]{13,32}", told["nonceStr"])
    assert told["paySign"] == md5_pay_sign(told, key=account.credentials()["api_key"])
    assert simulator.scan_code(told["codeUrl"])["out_trade_no"] == f"{number}_1"


def md5_pay_sign(told, *, key):
    """WeChat v2's, by hand: the five names in the order of their bytes."""
    text = "&".join(f"{name}={told[name]}" for name in ("appId", "nonceStr", "package", "signType", "timeStamp"))
    return hashlib.md5(f"{text}&key={key}".encode()).hexdigest().upper()


def test_the_code_of_wechat_with_an_apiv3_account(client, simulator):
    account = connect_wechat_v3(simulator)
    number = order(client)

    answer = push(client, "/rest/wx/push_order", PUSH_WECHAT | {"order_number": number})

    told = answer["data"]
    assert answer == {
        "status_code": 0,
        "data": {
            "timeStamp": told["timeStamp"],
            "codeUrl": told["codeUrl"],
            "package": "",
            "paySign": told["paySign"],
            "totalFee": "11",
            "appId": account.app_id,
            "signType": "RSA",
            "title": "DEMO",
            "nonceStr": told["nonceStr"],
        },
    }
    assert {type(value) for value in told.values()} == {str}
    assert len(told["paySign"]) > 300
    assert simulator.scan_code(told["codeUrl"])["out_trade_no"] == f"{number}_1"


@pytest.mark.parametrize("path", ["/rest/ali/push_order", "/rest/ali/push_order/"])
def test_the_code_of_alipay(client, simulator, path):
    connect(simulator, notify_base="http://127.0.0.1:9")
    number = order(client)

    answer = push(client, path, PUSH_ALIPAY | {"order_number": number})

    code = answer["data"]["qr_code"]
    assert answer == {"status_code": 0, "data": {"qr_code": code, "qrCode": code}}
    assert code == simulator.trade(f"{number}_1")["code_url"] == Charge.objects.get().payload["qr_code"]


def test_the_text_for_the_alipay_app(client, simulator):
    connect(simulator, notify_base="http://127.0.0.1:9")
    number = order(client, total_amount=Text("11.1"))

    answer = push(client, "/rest/ali/push_order", PUSH_ALIPAY | {"order_number": number, "type": "APP"})

    text = answer["data"]["order_string"]
    assert answer == {"status_code": 0, "data": {"order_string": text, "orderString": text}}
    told = {name: values[0] for name, values in parse_qs(text, strict_parsing=True).items()}
    assert told["method"] == "alipay.trade.app.pay"
    content = json.loads(told["biz_content"])
    assert (content["out_trade_no"], content["subject"], content["total_amount"]) == (f"{number}_1", "DEMO", "11.10")
    assert simulator.use_app(text)["resultStatus"] == "9000"
