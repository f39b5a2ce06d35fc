"""What the gateway makes of WeChat Pay v2's notices."""

import datetime

import pytest

from payments.gateways.base import Acknowledgement, NotificationKind, NotificationRejected, Outcome, RawNotification
from payments.gateways.wechat_v2.codec import SHANGHAI
from tests.payments.gateways.wechat_v2_samples import NOTICE, NUMBER, REFUND, SEALED, markup, sealed_notice, signed


@pytest.fixture
def parse(wechat_v2):
    return lambda body: wechat_v2.parse_notification(RawNotification(headers={}, body=body))


@pytest.fixture
def rejection(parse):
    def rejection(body):
        with pytest.raises(NotificationRejected) as rejected:
            parse(body)
        return rejected.value.reason

    return rejection


@pytest.mark.parametrize("how", [{"sign_type": "MD5"}, {"sign_type": "HMAC-SHA256"}])
@pytest.mark.parametrize("named", [{}, {"sign_type": "MD5"}, {"sign_type": "HMAC-SHA256"}])
def test_a_payment_is_told_with_everything_however_it_was_signed(parse, how, named):
    notification = parse(signed(NOTICE | named, **how))

    assert (notification.kind, notification.notification_id) == (
        NotificationKind.PAYMENT,
        f"4200000001:{NOTICE['out_trade_no']}",
    )
    assert notification.refund is None
    payment = notification.payment
    assert (payment.outcome, payment.number, payment.amount_fen) == (Outcome.SUCCEEDED, NUMBER, 201272)
    assert payment.paid_at == datetime.datetime(2026, 1, 31, 12, 0, 1, tzinfo=SHANGHAI)
    assert (payment.trade_no, payment.gateway_status) == ("4200000001", "SUCCESS")


@pytest.mark.parametrize("change", [{"result_code": "FAIL"}, {"return_code": "FAIL"}, {"result_code": ""}])
@pytest.mark.parametrize("code", ["", "SYSTEMERROR", "CLOSED", "SUCCESS", "REFUND"])
def test_a_notice_that_is_not_a_plain_yes_pays_nothing_and_is_not_the_paid_one(parse, change, code):
    notification = parse(signed(NOTICE | change | {"err_code": code}))

    assert (notification.kind, notification.payment.outcome) == (NotificationKind.PAYMENT, Outcome.UNKNOWN)
    assert (notification.payment.number, notification.payment.paid_at) == (NUMBER, None)
    assert notification.notification_id == f"4200000001:{code or 'FAIL'}"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("SUCCESS", Outcome.SUCCEEDED),
        ("CHANGE", Outcome.PENDING),
        ("REFUNDCLOSE", Outcome.FAILED),
        ("ODD", Outcome.UNKNOWN),
    ],
)
def test_a_refund_is_told_by_what_was_sealed(parse, status, outcome):
    notification = parse(sealed_notice(SEALED | {"refund_status": status}))

    assert (notification.kind, notification.notification_id) == (NotificationKind.REFUND, f"5000000001:{status}")
    refund, payment = notification.refund, notification.payment
    assert (refund.outcome, refund.number, refund.amount_fen) == (outcome, REFUND, 1000)
    assert (refund.gateway_status, refund.refunded_at) == (
        status, datetime.datetime(2026, 1, 31, 13, tzinfo=SHANGHAI) if status == "SUCCESS" else None,
    )  # fmt: skip
    assert (payment.outcome, payment.number, payment.amount_fen) == (Outcome.SUCCEEDED, NUMBER, 201272)


def test_each_state_of_a_refund_is_a_notice_of_its_own_and_a_repeat_is_not(parse):
    first = parse(sealed_notice(SEALED | {"refund_status": "CHANGE"}))
    repeat = parse(sealed_notice(SEALED | {"refund_status": "CHANGE"}, nonce_str="another"))
    later = parse(sealed_notice(SEALED))

    assert first.notification_id == repeat.notification_id != later.notification_id


@pytest.mark.parametrize("change", [{"appid": "wx0"}, {"mch_id": "1"}, {"appid": ""}, {"mch_id": ""}])
def test_a_genuine_notice_for_another_merchant_is_not_ours(rejection, change):
    assert rejection(signed(NOTICE | change)) == "wrong_merchant"
    assert rejection(sealed_notice(SEALED, **change)) == "wrong_merchant"


@pytest.mark.parametrize("key", ["f" * 32, "0123456789abcdef0123456789abcdef", ""])
@pytest.mark.parametrize("sign_type", ["MD5", "HMAC-SHA256"])
def test_a_notice_under_another_key_is_forged_whatever_merchant_it_names(rejection, key, sign_type):
    assert rejection(signed(NOTICE, key=key, sign_type=sign_type)) == "bad_signature"
    assert rejection(signed(NOTICE | {"mch_id": "1"}, key=key, sign_type=sign_type)) == "bad_signature"
    assert rejection(sealed_notice(SEALED, key=key)) == "bad_signature"


@pytest.mark.parametrize("name", sorted(NOTICE))
def test_no_field_of_a_notice_can_be_changed_added_or_left_out(rejection, name):
    genuine = signed(NOTICE)
    element = f"<{name}><![CDATA[{NOTICE[name]}]]></{name}>".encode()

    assert rejection(genuine.replace(element, f"<{name}><![CDATA[1]]></{name}>".encode())) == "bad_signature"
    assert rejection(genuine.replace(element, b"")) == "bad_signature"
    assert rejection(genuine.replace(element, element + b"<attach>x</attach>")) == "bad_signature"


@pytest.mark.parametrize("signature", ["", "0", "é" * 32, "f" * 32, "F" * 64])
def test_a_notice_without_its_signature_is_forged(rejection, signature):
    assert rejection(markup(NOTICE | {"sign": signature})) == "bad_signature"


@pytest.mark.parametrize(
    "change",
    [
        {"out_trade_no": ""},
        {"transaction_id": ""},
        {"total_fee": ""},
        {"total_fee": "1.5"},
        {"total_fee": "٣"},
        {"total_fee": "1" * 13},
        {"time_end": "x"},
        {"fee_type": "USD"},
    ],
)
def test_a_signed_notice_that_cannot_be_read_is_malformed(rejection, change):
    assert rejection(signed(NOTICE | change)) == "malformed"


@pytest.mark.parametrize(
    "change",
    [{"out_refund_no": ""}, {"out_trade_no": ""}, {"refund_id": ""}, {"refund_status": ""}, {"refund_fee": "x"},
     {"total_fee": ""}, {"success_time": "yesterday"}],
)  # fmt: skip
def test_a_sealed_notice_that_cannot_be_read_is_malformed(rejection, change):
    assert rejection(sealed_notice(SEALED | change)) == "malformed"


def test_a_sealed_notice_lends_no_weight_to_what_stands_beside_it(parse):
    notification = parse(sealed_notice(SEALED, **{name: NOTICE[name] for name in ("result_code", "total_fee")}))

    assert notification.kind is NotificationKind.REFUND


def test_a_payment_that_is_no_notice_of_ours_is_malformed(rejection):
    assert rejection(b"<xml></xml>") == "bad_signature"
    assert rejection(b"a=b") == "malformed"
    assert rejection(b"") == "malformed"


def test_the_acknowledgement_is_wechats_to_the_byte(wechat_v2):
    success, failure = (
        wechat_v2.acknowledgement(answer) for answer in (Acknowledgement.SUCCESS, Acknowledgement.FAILURE)
    )

    assert (success.status, success.content_type) == (failure.status, failure.content_type) == (200, "text/xml")
    assert success.body == (
        b"<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"
    )
    assert failure.body == (
        b"<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[FAIL]]></return_msg></xml>"
    )
