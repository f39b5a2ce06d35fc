"""
A merchant of WeChat Pay that speaks APIv3, written from the protocol on `cryptography` alone: no code of the adapter
or the simulator.
"""

import base64
import binascii
import dataclasses
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any, Self

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.simulator.receiver import Receiver
from tests.simulator_process import SimulatedWechatMerchant

SCHEME = "WECHATPAY2-SHA256-RSA2048"


@dataclasses.dataclass(frozen=True)
class Delivery:
    headers: httpx.Headers
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


class V3Receiver(Receiver):
    """Keeps deliveries as they came, a Delivery each."""

    def read(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        return Delivery(httpx.Headers(headers), body)


class WechatV3Client:
    """`asked_serial` is sent as Wechatpay-Serial: whoever uses the public key names it."""

    def __init__(self, merchant: SimulatedWechatMerchant, *, notify_url: str) -> None:
        self.merchant, self.notify_url = merchant, notify_url
        self.asked_serial = merchant.platform_public_key_id if merchant.mode == "public_key" else ""
        self.http = httpx.Client(base_url=merchant.base_url, timeout=5, trust_env=False, verify=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def create(self, product: str, number: str, **fields: Any) -> httpx.Response:
        return self.send("POST", f"/v3/pay/transactions/{product}", self.order(product, number, **fields))

    def query(self, number: str) -> httpx.Response:
        return self.send("GET", f"/v3/pay/transactions/out-trade-no/{number}?mchid={self.merchant.mch_id}")

    def close(self, number: str) -> httpx.Response:
        path = f"/v3/pay/transactions/out-trade-no/{number}/close"
        return self.send("POST", path, {"mchid": self.merchant.mch_id})

    def refund(self, number: str, refund_no: str, fen: int, **fields: Any) -> httpx.Response:
        return self.send("POST", "/v3/refund/domestic/refunds", self.refund_body(number, refund_no, fen, **fields))

    def refund_query(self, refund_no: str) -> httpx.Response:
        return self.send("GET", f"/v3/refund/domestic/refunds/{refund_no}")

    def order(self, product: str, number: str, **fields: Any) -> dict[str, Any]:
        """A body WeChat takes; a field given as None is left out."""
        body = {
            "appid": self.merchant.app_id,
            "mchid": self.merchant.mch_id,
            "description": "碎花连衣裙",
            "out_trade_no": number,
            "notify_url": self.notify_url,
            "amount": {"total": 2012, "currency": "CNY"},
            **({"payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}} if product == "jsapi" else {}),
            **({"scene_info": {"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}}} if product == "h5" else {}),
            **fields,
        }
        return {name: value for name, value in body.items() if value is not None}

    def refund_body(self, number: str, refund_no: str, fen: int, **fields: Any) -> dict[str, Any]:
        body = {
            "out_trade_no": number,
            "out_refund_no": refund_no,
            "notify_url": self.notify_url,
            "amount": {"refund": fen, "total": 2012, "currency": "CNY"},
            **fields,
        }
        return {name: value for name, value in body.items() if value is not None}

    def send(self, method: str, path: str, body: Any = None, **changed: str) -> httpx.Response:
        """`changed`: parts of Authorization that are not what they should be; an empty one is left out."""
        text = body if isinstance(body, str) else "" if body is None else json.dumps(body, ensure_ascii=False)
        headers = {"Authorization": self.authorization(method, path, text, **changed), "Accept": "application/json"}
        headers |= {"Content-Type": "application/json"} if method == "POST" else {}
        headers |= {"Wechatpay-Serial": self.asked_serial} if self.asked_serial else {}
        return self.http.request(method, path, content=text.encode() or None, headers=headers)

    def authorization(self, method: str, path: str, body: str, **changed: str) -> str:
        parts = {
            "mchid": self.merchant.mch_id,
            "nonce_str": secrets.token_hex(16),
            "timestamp": str(int(time.time())),
            "serial_no": self.merchant.app_cert_sn,
        } | {name: value for name, value in changed.items() if name != "signature"}
        text = f"{method}\n{path}\n{parts['timestamp']}\n{parts['nonce_str']}\n{body}\n"
        parts["signature"] = changed.get("signature", self.sign(text))
        return f"{SCHEME} " + ",".join(f'{name}="{value}"' for name, value in parts.items() if value)

    def sign(self, text: str) -> str:
        key = serialization.load_pem_private_key(self.merchant.app_private_key.encode(), None)
        return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()

    def genuine(self, answer: httpx.Response | Delivery) -> bool:
        """Whether WeChat Pay signed it, under a key that the merchant was given."""
        headers, body = answer.headers, answer.content if isinstance(answer, httpx.Response) else answer.body
        known = {self.merchant.platform_public_key_id: self.public_key()} | self.certificate_keys()
        key = known.get(headers.get("Wechatpay-Serial", ""))
        if key is None or headers["Wechatpay-Signature-Type"] != SCHEME:
            return False
        message = f"{headers['Wechatpay-Timestamp']}\n{headers['Wechatpay-Nonce']}\n".encode() + body + b"\n"
        try:
            key.verify(base64.b64decode(headers["Wechatpay-Signature"]), message, padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, binascii.Error):
            return False
        return abs(time.time() - int(headers["Wechatpay-Timestamp"])) < 300

    def verified(self, answer: httpx.Response) -> dict[str, Any]:
        assert self.genuine(answer), (answer.status_code, answer.headers, answer.text)
        return answer.json()

    def refused(self, answer: httpx.Response) -> tuple[int, str]:
        """The status and the code of a refusal that WeChat Pay signed."""
        return answer.status_code, self.verified(answer)["code"]

    def opened(self, sealed: Mapping[str, Any]) -> str:
        """What an envelope under the APIv3 key holds."""
        assert sealed["algorithm"] == "AEAD_AES_256_GCM"
        cipher, secret = AESGCM(self.merchant.api_v3_key.encode()), base64.b64decode(sealed["ciphertext"])
        return cipher.decrypt(sealed["nonce"].encode(), secret, sealed["associated_data"].encode()).decode()

    def told(self, delivery: Delivery) -> dict[str, Any]:
        """The resource of a genuine notification."""
        assert self.genuine(delivery), delivery
        return json.loads(self.opened(delivery.json["resource"]))

    def public_key(self) -> Any:
        return serialization.load_pem_public_key(self.merchant.platform_public_key.encode())

    def certificate_keys(self) -> dict[str, Any]:
        read = [x509.load_pem_x509_certificate(pem.encode()) for pem in self.merchant.platform_certificates]
        return {f"{certificate.serial_number:040X}": certificate.public_key() for certificate in read}
