"""A merchant of WeChat Pay v2, written from the protocol alone: no code of the adapter or the simulator."""

import base64
import hashlib
import hmac
import json
import secrets
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any, Self

import httpx
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from tests.simulator.receiver import Receiver
from tests.simulator_process import SimulatedWechatMerchant

TAKEN = b"<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"
SCENE = json.dumps({"h5_info": {"type": "Wap", "wap_url": "https://shop.example", "wap_name": "商城"}})


class V2Receiver(Receiver):
    """Keeps the fields of what came, and answers as WeChat wants it."""

    def read(self, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        return fields(body.decode())

    def take(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        status, answer = super().take(headers, body)
        return status, TAKEN if answer == b"success" else answer


class WechatV2Client:
    def __init__(self, merchant: SimulatedWechatMerchant, *, notify_url: str, sign_type: str = "MD5") -> None:
        self.merchant, self.notify_url, self.sign_type = merchant, notify_url, sign_type
        self.http = httpx.Client(base_url=merchant.base_url, timeout=5, trust_env=False, verify=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def order(self, number: str, **changed: Any) -> dict[str, str]:
        return self.call("pay/unifiedorder", **self.goods(number, **changed))

    def query(self, number: str) -> dict[str, str]:
        return self.call("pay/orderquery", out_trade_no=number)

    def close(self, number: str) -> dict[str, str]:
        return self.call("pay/closeorder", out_trade_no=number)

    def refund(self, number: str, refund_no: str, fee: int, **changed: Any) -> dict[str, str]:
        return self.call("secapi/pay/refund", **self.refund_goods(number, refund_no, fee, **changed))

    def refund_query(self, refund_no: str) -> dict[str, str]:
        return self.call("pay/refundquery", out_refund_no=refund_no)

    def goods(self, number: str, **changed: Any) -> dict[str, Any]:
        return {
            "body": "碎花连衣裙",
            "out_trade_no": number,
            "total_fee": 2012,
            "spbill_create_ip": "14.23.150.211",
            "notify_url": self.notify_url,
            "trade_type": "NATIVE",
            "product_id": "1",
            **changed,
        }

    def refund_goods(self, number: str, refund_no: str, fee: int, **changed: Any) -> dict[str, Any]:
        named = {"out_trade_no": number, "out_refund_no": refund_no, "total_fee": 2012, "refund_fee": fee}
        return {**named, "notify_url": self.notify_url, **changed}

    def call(self, path: str, **content: Any) -> dict[str, str]:
        """The answer's fields, its signature verified where WeChat signs."""
        answer = fields(self.post(path, self.signed(content)).text)
        if answer["return_code"] == "SUCCESS":
            assert self.genuine(answer), answer
        else:
            assert "sign" not in answer
        return answer

    def post(self, path: str, content: Mapping[str, Any], **headers: str) -> httpx.Response:
        inner = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in content.items())
        return self.http.post(f"/{path}", content=f"<xml>{inner}</xml>".encode(), headers=headers)

    def signed(self, content: Mapping[str, Any]) -> dict[str, str]:
        common = {"appid": self.merchant.app_id, "mch_id": self.merchant.mch_id, "nonce_str": secrets.token_hex(16)}
        if self.sign_type != "MD5":
            common["sign_type"] = self.sign_type
        told = {name: str(value) for name, value in {**common, **content}.items() if value is not None}
        return {**told, "sign": self.sign(told)}

    def sign(self, told: Mapping[str, str], *, sign_type: str = "") -> str:
        names = sorted((name for name in told if name != "sign" and told[name] != ""), key=str.encode)
        text = "&".join(f"{name}={told[name]}" for name in names) + f"&key={self.merchant.api_key}"
        if (sign_type or self.sign_type) == "MD5":
            return hashlib.md5(text.encode()).hexdigest().upper()
        return hmac.new(self.merchant.api_key.encode(), text.encode(), hashlib.sha256).hexdigest().upper()

    def genuine(self, told: Mapping[str, str]) -> bool:
        return told.get("sign") == self.sign(told)

    def opened(self, notice: Mapping[str, str]) -> dict[str, str]:
        """What a refund notice tells. A ValueError where it was hidden under another key, or changed."""
        secret = hashlib.md5(self.merchant.api_key.encode()).hexdigest().encode()
        decryptor, unpadder = Cipher(algorithms.AES(secret), modes.ECB()).decryptor(), PKCS7(128).unpadder()
        padded = decryptor.update(base64.b64decode(notice["req_info"], validate=True)) + decryptor.finalize()
        return fields((unpadder.update(padded) + unpadder.finalize()).decode(), root="root")

    def for_page(self, prepay_id: str) -> dict[str, str]:
        """What the merchant's page hands to WeChat (JSAPI)."""
        told = {
            "appId": self.merchant.app_id,
            "timeStamp": "1533188289",
            "nonceStr": "1533188289855",
            "package": f"prepay_id={prepay_id}",
            "signType": self.sign_type,
        }
        return {**told, "paySign": self.sign(told)}

    def for_app(self, prepay_id: str) -> dict[str, str]:
        told = {
            "appid": self.merchant.app_id,
            "partnerid": self.merchant.mch_id,
            "prepayid": prepay_id,
            "package": "Sign=WXPay",
            "noncestr": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS",
            "timestamp": "1533188289",
        }
        return {**told, "sign": self.sign(told)}


def fields(text: str, *, root: str = "xml") -> dict[str, str]:
    element = ET.fromstring(text)
    assert element.tag == root
    assert len({field.tag for field in element}) == len(element)
    return {field.tag: field.text or "" for field in element}
