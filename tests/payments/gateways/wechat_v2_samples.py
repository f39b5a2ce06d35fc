"""What we ask of WeChat Pay v2 and what it answers, for the tests of the adapter. Signed by code of its own."""

import base64
import datetime
import hashlib
import hmac
import xml.etree.ElementTree as ET

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from payments.gateways.base import Mode, PaymentRequest, RefundRequest

APP_ID, MERCHANT_ID, API_KEY = "wx2421b1c4370ec43b", "1900000109", "0123456789abcdef0123456789ABCDEF"
NUMBER, REFUND = "2018061530000035_1", "2018061530000035_1r1"
OURS = {"appid": APP_ID, "mch_id": MERCHANT_ID, "nonce_str": "5K8264ILTKCH16CQ"}
SUCCESS = {"return_code": "SUCCESS", "return_msg": "OK", **OURS, "result_code": "SUCCESS"}
REQUEST = PaymentRequest(
    number=NUMBER,
    mode=Mode.QR,
    amount_fen=201272,
    subject="订单 a=b&c <1>]]>",
    expires_at=datetime.datetime(2026, 2, 1, 16, 30, tzinfo=datetime.UTC),
    notify_url="https://shop.example/notify",
    return_url="https://shop.example/back?a=1&b=中",
    payer_address="203.0.113.7",
)
REFUND_REQUEST = RefundRequest(
    number=REFUND,
    charge_number=NUMBER,
    amount_fen=1000,
    total_fen=201272,
    reason="返回",
    notify_url="https://shop.example/notify",
)
STARTED = SUCCESS | {"trade_type": "NATIVE", "prepay_id": "wx02133732", "code_url": "weixin://wxpay/bizpayurl?pr=bJ1"}
PAID = SUCCESS | {
    "out_trade_no": NUMBER,
    "transaction_id": "4200000001",
    "trade_state": "SUCCESS",
    "total_fee": "201272",
    "cash_fee": "200000",
    "settlement_total_fee": "200500",
    "fee_type": "CNY",
    "openid": "oUpF8uMEb4qRXf22hE3X68TekukE",
    "time_end": "20260131120001",
}
REFUND_ACCEPTED = SUCCESS | {
    "out_trade_no": NUMBER,
    "out_refund_no": REFUND,
    "refund_id": "5000000001",
    "refund_fee": "1000",
    "cash_refund_fee": "900",
}
REFUND_FOUND = SUCCESS | {
    "out_trade_no": NUMBER,
    "total_fee": "201272",
    "refund_count": "1",
    "out_refund_no_0": REFUND,
    "refund_id_0": "5000000001",
    "refund_fee_0": "1000",
    "settlement_refund_fee_0": "900",
    "refund_status_0": "SUCCESS",
    "refund_success_time_0": "2026-01-31 13:00:00",
}
NOTICE = {name: text for name, text in PAID.items() if name not in {"trade_state", "return_msg"}}
SEALED = {
    "out_trade_no": NUMBER,
    "transaction_id": "4200000001",
    "out_refund_no": REFUND,
    "refund_id": "5000000001",
    "total_fee": "201272",
    "refund_fee": "1000",
    "settlement_refund_fee": "900",
    "refund_status": "SUCCESS",
    "success_time": "2026-01-31 13:00:00",
    "refund_recv_accout": "用户零钱",
}


def no(code, words="…"):
    return SUCCESS | {"result_code": "FAIL", "err_code": code, "err_code_des": words}


def sign(fields, key=API_KEY, sign_type="MD5"):
    pairs = [f"{name}={fields[name]}" for name in sorted(fields) if fields[name] not in ("", None) and name != "sign"]
    text = "&".join([*pairs, f"key={key}"]).encode()
    if sign_type == "MD5":
        return hashlib.md5(text).hexdigest().upper()
    return hmac.new(key.encode(), text, "sha256").hexdigest().upper()


def markup(fields, root="xml"):
    inner = "".join(f"<{name}><![CDATA[{text}]]></{name}>" for name, text in fields.items())
    return f"<{root}>{inner}</{root}>".encode()


def signed(fields, key=API_KEY, sign_type="MD5"):
    return markup({**fields, "sign": sign(fields, key, sign_type)})


def sealed_notice(sealed, *, key=API_KEY, **envelope):
    """A refund notice: an open envelope round what only the key opens."""
    padder = padding.PKCS7(128).padder()
    text = padder.update(markup(sealed, root="root")) + padder.finalize()
    encryptor = Cipher(algorithms.AES(hashlib.md5(key.encode()).hexdigest().encode()), modes.ECB()).encryptor()
    req_info = base64.b64encode(encryptor.update(text) + encryptor.finalize()).decode()
    return markup({"return_code": "SUCCESS", **OURS, **envelope, "req_info": req_info})


def fields_of(body):
    """A request as another parser reads it."""
    return {element.tag: element.text or "" for element in ET.fromstring(body)}


def sent(server):
    """The last request's path below the base and its fields, its signature checked by another hand than ours."""
    request = server.requests[-1]
    fields = fields_of(request.body)
    assert fields["sign"] == sign(fields, sign_type=fields["sign_type"])
    assert (fields["appid"], fields["mch_id"], len(fields["nonce_str"])) == (APP_ID, MERCHANT_ID, 32)
    own = {"appid", "mch_id", "nonce_str", "sign_type", "sign"}
    return request.path.removeprefix("/gateway.do"), {name: text for name, text in fields.items() if name not in own}
