"""What we ask of Alipay and what it answers, for the tests of the adapter."""

import datetime

from payments.gateways.alipay import codec
from payments.gateways.base import Mode, PaymentRequest, RefundRequest
from tests.payments.gateways.conftest import APP_ID, SELLER_ID

NUMBER, REFUND = "2018061530000035_1", "2018061530000035_1r1"
QUERY, CLOSE = "alipay.trade.query", "alipay.trade.close"
REFUNDING, REFUND_QUERY = "alipay.trade.refund", "alipay.trade.fastpay.refund.query"
PRECREATE = "alipay.trade.precreate"
SHANGHAI = codec.SHANGHAI
REQUEST = PaymentRequest(
    number=NUMBER,
    mode=Mode.QR,
    amount_fen=201272,
    subject="订单 a=b&c/d",
    expires_at=datetime.datetime(2026, 2, 1, 16, 30, tzinfo=datetime.UTC),
    notify_url="https://shop.example/notify",
    return_url="https://shop.example/back",
)
REFUND_REQUEST = RefundRequest(number=REFUND, charge_number=NUMBER, amount_fen=1000, total_fen=201272, reason="返回")
PAID = {
    "code": "10000",
    "msg": "Success",
    "out_trade_no": NUMBER,
    "trade_no": "2026013122001",
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "2012.72",
    "receipt_amount": "2000.00",
    "buyer_logon_id": "ifv***@sandbox.com",
    "send_pay_date": "2026-01-31 12:00:01",
}
NO_TRADE = {"code": "40004", "msg": "Business Failed", "sub_code": "ACQ.TRADE_NOT_EXIST", "sub_msg": "交易不存在"}
REFUNDED = {
    "code": "10000",
    "out_trade_no": NUMBER,
    "fund_change": "Y",
    "refund_fee": "30.00",
    "gmt_refund_pay": "2026-01-31 13:00:00",
}
REFUND_FOUND = {
    "code": "10000",
    "out_trade_no": NUMBER,
    "out_request_no": REFUND,
    "refund_amount": "10.00",
    "refund_status": "REFUND_SUCCESS",
    "total_amount": "2012.72",
    "gmt_refund_pay": "2026-01-31 13:00:00",
}
NO_REFUND = {"code": "10000", "msg": "Success"}
NOTICE = {
    "app_id": APP_ID,
    "seller_id": SELLER_ID,
    "notify_id": "2026013100222120001",
    "notify_type": "trade_status_sync",
    "charset": "utf-8",
    "out_trade_no": NUMBER,
    "trade_no": "2026013122001",
    "trade_status": "TRADE_SUCCESS",
    "total_amount": "2012.72",
    "receipt_amount": "2000.00",
    "buyer_logon_id": "ifv***@sandbox.com",
    "gmt_payment": "2026-01-31 12:00:01",
    "subject": "a+b 中文",
}


def no(sub_code, code="40004"):
    return {"code": code, "msg": "Business Failed", "sub_code": sub_code, "sub_msg": "…"}
