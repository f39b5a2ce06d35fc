"""What the gateway makes of Alipay's notices."""

import datetime

import pytest

from payments.gateways.base import Acknowledgement, NotificationKind, NotificationRejected, Outcome, RawNotification
from tests.payments.gateways import scripted
from tests.payments.gateways.alipay_samples import NOTICE, NUMBER, REFUND, SHANGHAI


@pytest.fixture
def parse(gateway, alipay_key):
    def parse(fields, key=alipay_key):
        return gateway.parse_notification(RawNotification(headers={}, body=scripted.signed_notification(key, fields)))

    return parse


def test_a_payment_is_told_with_everything(parse):
    notification = parse(NOTICE)

    assert (notification.kind, notification.notification_id) == (NotificationKind.PAYMENT, "2026013100222120001")
    assert notification.refund is None
    payment = notification.payment
    assert (payment.outcome, payment.number, payment.amount_fen) == (Outcome.SUCCEEDED, NUMBER, 201272)
    assert payment.paid_at == datetime.datetime(2026, 1, 31, 12, 0, 1, tzinfo=SHANGHAI)
    assert payment.buyer == "ifv***@sandbox.com"


UNPAID = {"gmt_payment": ""}
ONE_REFUND = {"refund_fee": "10.00", "out_biz_no": REFUND, "gmt_refund": "2026-01-31 13:00:00.123"}


@pytest.mark.parametrize(
    ("change", "kind", "outcome"),
    [
        ({"refund_fee": "0.00"}, NotificationKind.PAYMENT, Outcome.SUCCEEDED),
        ({"trade_status": "TRADE_FINISHED"}, NotificationKind.PAYMENT, Outcome.SUCCEEDED),
        ({"trade_status": "WAIT_BUYER_PAY"} | UNPAID, NotificationKind.PAYMENT, Outcome.PENDING),
        ({"trade_status": "TRADE_UNHEARD_OF"}, NotificationKind.PAYMENT, Outcome.UNKNOWN),
        ({"trade_status": "TRADE_CLOSED"} | UNPAID, NotificationKind.CLOSED, Outcome.FAILED),
        (ONE_REFUND, NotificationKind.REFUND, Outcome.SUCCEEDED),
        ({"trade_status": "TRADE_CLOSED"} | ONE_REFUND, NotificationKind.REFUND, Outcome.SUCCEEDED),
        ({"trade_status": "TRADE_CLOSED"} | UNPAID | ONE_REFUND, NotificationKind.REFUND, Outcome.SUCCEEDED),
    ],
)
def test_each_notice_has_its_kind(parse, change, kind, outcome):
    notification = parse(NOTICE | change)

    assert (notification.kind, notification.payment.outcome) == (kind, outcome)


def test_a_refund_is_told_by_its_number_and_its_amount_is_left_to_the_query(parse):
    refund = parse(NOTICE | ONE_REFUND).refund

    assert (refund.outcome, refund.number, refund.amount_fen) == (Outcome.SUCCEEDED, REFUND, None)
    assert refund.refunded_at == datetime.datetime(2026, 1, 31, 13, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    "change", [{"app_id": "2021000000000009"}, {"seller_id": "2088000000000009"}, {"app_id": ""}, {"seller_id": ""}]
)
def test_a_notice_for_another_merchant_is_not_ours(parse, change):
    with pytest.raises(NotificationRejected) as rejected:
        parse(NOTICE | change)

    assert rejected.value.reason == "wrong_merchant"


def test_a_notice_signed_by_a_stranger_is_forged(parse, strangers_key):
    with pytest.raises(NotificationRejected) as rejected:
        parse(NOTICE, key=strangers_key)

    assert rejected.value.reason == "bad_signature"


@pytest.mark.parametrize(
    "change",
    [{"notify_id": ""}, {"out_trade_no": ""}, {"total_amount": "x"}, {"total_amount": ""}, {"gmt_payment": "x"},
     {"refund_fee": "-1"}, {"charset": "utf-7"}],
)  # fmt: skip
def test_a_signed_notice_that_cannot_be_read_is_malformed(parse, change):
    with pytest.raises(NotificationRejected) as rejected:
        parse(NOTICE | change)

    assert rejected.value.reason == "malformed"


def test_a_name_that_comes_twice_makes_a_notice_malformed(gateway, alipay_key):
    body = scripted.signed_notification(alipay_key, NOTICE) + b"&total_amount=0.01"

    with pytest.raises(NotificationRejected) as rejected:
        gateway.parse_notification(RawNotification(headers={}, body=body))

    assert rejected.value.reason == "malformed"


def test_the_acknowledgement_is_seven_bytes_to_the_byte(gateway):
    success = gateway.acknowledgement(Acknowledgement.SUCCESS)

    assert (success.status, success.content_type, success.body) == (200, "text/plain", b"success")
    assert gateway.acknowledgement(Acknowledgement.FAILURE).body == b"failure"
