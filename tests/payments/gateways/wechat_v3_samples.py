"""What we ask of WeChat Pay APIv3 and what it answers and tells, for the tests of the adapter."""

import base64
import datetime
import json
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from payments.gateways.base import Mode, PaymentRequest, RefundRequest
from tests.payments.gateways import scripted

APP_ID, MERCHANT_ID, SERIAL = "wxd678efh567hg6787", "1230000109", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
API_KEY = "0123456789abcdef0123456789abcdef"
KEY_ID = "PUB_KEY_ID_0112300001092026010100000000000001"
NUMBER, REFUND = "2018061530000035_1", "2018061530000035_1r1"
BEIJING = datetime.timezone(datetime.timedelta(hours=8))
REQUEST = PaymentRequest(
    number=NUMBER,
    mode=Mode.QR,
    amount_fen=201272,
    subject="一个订单\n a=b&c/d",
    expires_at=datetime.datetime(2026, 2, 1, 16, 30, tzinfo=datetime.UTC),
    notify_url="https://shop.example/notify",
    return_url="https://shop.example/back?a=1&b=中",
    payer_address="203.0.113.7",
    payer_id="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
)
REFUND_REQUEST = RefundRequest(number=REFUND, charge_number=NUMBER, amount_fen=1000, total_fen=201272, reason="返回")
UNPAID = {"appid": APP_ID, "mchid": MERCHANT_ID, "out_trade_no": NUMBER, "trade_state": "NOTPAY"}
PAID = UNPAID | {
    "transaction_id": "1217752501201407033233368018",
    "trade_type": "NATIVE",
    "trade_state": "SUCCESS",
    "trade_state_desc": "支付成功",
    "bank_type": "CMC",
    "success_time": "2026-01-31T12:00:01+08:00",
    "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
    "amount": {"total": 201272, "payer_total": 200000, "currency": "CNY", "payer_currency": "CNY"},
}
REFUNDED = {
    "refund_id": "50000000382019052709732678859",
    "out_refund_no": REFUND,
    "transaction_id": "1217752501201407033233368018",
    "out_trade_no": NUMBER,
    "channel": "ORIGINAL",
    "success_time": "2026-01-31T13:00:00+08:00",
    "create_time": "2026-01-31T12:59:00+08:00",
    "status": "SUCCESS",
    "amount": {"total": 201272, "refund": 1000, "payer_total": 200000, "payer_refund": 990, "currency": "CNY"},
}
REFUND_TOLD = {
    "mchid": MERCHANT_ID,
    "transaction_id": "1217752501201407033233368018",
    "out_trade_no": NUMBER,
    "refund_id": "50000000382019052709732678859",
    "out_refund_no": REFUND,
    "refund_status": "SUCCESS",
    "success_time": "2026-01-31T13:00:00+08:00",
    "user_received_account": "招商银行信用卡0403",
    "amount": {"total": 201272, "refund": 1000, "payer_total": 200000, "payer_refund": 990},
}


def no(code, message="…"):
    return {"code": code, "message": message}


def compact(content) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def signature_headers(key, body: bytes, *, serial=KEY_ID, timestamp=None, nonce="5K8264ILTKCH16CQ2502SI8ZNMTM67VS"):
    timestamp = str(int(time.time()) if timestamp is None else timestamp)
    return {
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": serial,
        "Wechatpay-Signature": scripted.rsa2(key, f"{timestamp}\n{nonce}\n".encode() + body + b"\n"),
    }


def answer(key, content, *, status=200, **signed):
    """An answer as WeChat signs it; `None` is one without a body."""
    body = b"" if content is None else compact(content)
    headers = {name.replace("-", "_"): text for name, text in signature_headers(key, body, **signed).items()}
    return scripted.body(body, status=status, **headers)


def seal(content: bytes, *, key=API_KEY, nonce="fdasflkja484", associated_data="transaction"):
    sealed = AESGCM(key.encode()).encrypt(nonce.encode(), content, associated_data.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(sealed).decode(),
        "associated_data": associated_data,
        "nonce": nonce,
    }


def envelope(content, *, event="TRANSACTION.SUCCESS", original="transaction", **sealing):
    return {
        "id": "EV-2018022511223320873",
        "create_time": "2026-01-31T12:00:02+08:00",
        "resource_type": "encrypt-resource",
        "event_type": event,
        "summary": "支付成功",
        "resource": {"original_type": original, **seal(compact(content), **sealing)},
    }
