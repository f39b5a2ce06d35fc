"""An Alipay merchant, written from the protocol on `cryptography` alone: no code of the adapter or the simulator."""

import base64
import datetime
import functools
import json
import re
from typing import Any, Self
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from tests.simulator_process import SimulatedMerchant


class AlipayClient:
    def __init__(self, merchant: SimulatedMerchant, *, notify_url: str) -> None:
        self.merchant, self.notify_url = merchant, notify_url
        self.http = httpx.Client(timeout=60, trust_env=False, verify=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def precreate(self, number: str, **content: Any) -> dict[str, Any]:
        return self.call("alipay.trade.precreate", self.goods(number, **content), notify_url=self.notify_url)

    def query(self, number: str) -> dict[str, Any]:
        return self.call("alipay.trade.query", {"out_trade_no": number})

    def close(self, number: str) -> dict[str, Any]:
        return self.call("alipay.trade.close", {"out_trade_no": number})

    def refund(self, number: str, amount: str, **content: Any) -> dict[str, Any]:
        return self.call("alipay.trade.refund", {"out_trade_no": number, "refund_amount": amount, **content})

    def refund_query(self, number: str, request_no: str) -> dict[str, Any]:
        content = {"out_trade_no": number, "out_request_no": request_no}
        return self.call("alipay.trade.fastpay.refund.query", content)

    def link(self, product: str, number: str, **common: str) -> str:
        """The signed address of the desktop (`page`) or phone (`wap`) page."""
        code = {"page": "FAST_INSTANT_TRADE_PAY", "wap": "QUICK_WAP_WAY"}[product]
        content = self.goods(number, product_code=code)
        signed = self.sign(
            self.parameters(f"alipay.trade.{product}.pay", content, notify_url=self.notify_url, **common)
        )
        return f"{self.merchant.gateway_url}?{urlencode(signed)}"

    def order_string(self, number: str) -> str:
        content = self.goods(number, product_code="QUICK_MSECURITY_PAY")
        return urlencode(self.sign(self.parameters("alipay.trade.app.pay", content, notify_url=self.notify_url)))

    def call(self, method: str, content: Any, **common: str) -> dict[str, Any]:
        """The answer's node, its signature verified."""
        response = self.post(self.sign(self.parameters(method, content, **common)))
        return self.verified(method, response.text)

    def post(self, parameters: dict[str, str]) -> httpx.Response:
        return self.http.post(self.merchant.gateway_url, data=parameters)

    def goods(self, number: str, **content: Any) -> dict[str, Any]:
        return {"out_trade_no": number, "total_amount": "20.12", "subject": "碎花连衣裙", **content}

    def parameters(self, method: str, content: Any, **common: str) -> dict[str, str]:
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        serials = {
            "app_cert_sn": self.merchant.app_cert_sn,
            "alipay_root_cert_sn": self.merchant.alipay_root_cert_sn,
        }
        return {
            "app_id": self.merchant.app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": beijing(),
            "version": "1.0",
            "biz_content": text,
            **(serials if self.merchant.mode == "certificate" else {}),
            **common,
        }

    def sign(self, parameters: dict[str, str]) -> dict[str, str]:
        key = _private_key(self.merchant.app_private_key)
        content = pairs({name: value for name, value in parameters.items() if name != "sign"})
        signature = key.sign(content.encode(), padding.PKCS1v15(), hashes.SHA256())
        return {**parameters, "sign": base64.b64encode(signature).decode()}

    def verified(self, method: str, document: str) -> dict[str, Any]:
        text, signature = self.split(method, document)
        assert self.genuine(text, signature), document
        return json.loads(text)

    def split(self, method: str, document: str) -> tuple[str, str]:
        """The node's exact text and the signature that stands beside it."""
        name = method.replace(".", "_") + "_response"
        match = re.fullmatch(rf'{{"{name}":({{.*}})(?:,"alipay_cert_sn":"\w+")?,"sign":"([^"]+)"}}', document)
        assert match, document
        return match[1], match[2]

    def genuine(self, text: str, signature: str, *, public_key: str = "") -> bool:
        if self.merchant.mode == "certificate":
            key = x509.load_pem_x509_certificate(self.merchant.alipay_certificate.encode()).public_key()
        else:
            key = serialization.load_pem_public_key((public_key or self.merchant.alipay_public_key).encode())
        try:
            key.verify(base64.b64decode(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def genuine_notice(self, notice: dict[str, str]) -> bool:
        signed = {name: value for name, value in notice.items() if name not in {"sign", "sign_type"}}
        return self.genuine(pairs(signed), notice["sign"])


@functools.cache
def _private_key(text: str) -> Any:
    return serialization.load_pem_private_key(text.encode(), None)


def pairs(parameters: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted(parameters.items()) if value)


def beijing(*, off: datetime.timedelta = datetime.timedelta()) -> str:
    return (datetime.datetime.now(ZoneInfo("Asia/Shanghai")) + off).strftime("%Y-%m-%d %H:%M:%S")
