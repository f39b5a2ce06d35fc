"""What the gateway makes of WeChat Pay's notices, and of what only looks like one."""

import base64
import dataclasses
import datetime
import json

import pytest

from payments.gateways.base import Acknowledgement, NotificationKind, NotificationRejected, Outcome, RawNotification
from payments.gateways.wechat_v3 import codec
from tests.payments.gateways.wechat_v3_samples import (
    BEIJING,
    MERCHANT_ID,
    NUMBER,
    PAID,
    REFUND,
    REFUND_TOLD,
    compact,
    envelope,
    seal,
    signature_headers,
)

NOW = datetime.datetime(2026, 1, 31, 4, 0, 2, tzinfo=datetime.UTC)


@pytest.fixture
def deliver(wechat_key):
    """A delivery as WeChat signs it, now; `body` is signed as it is."""

    def deliver(body, *, key=wechat_key, **signed):
        signed = {"timestamp": int(NOW.timestamp()), **signed}
        return RawNotification(headers=signature_headers(key, body, **signed), body=body, received_at=NOW)

    return deliver


@pytest.fixture
def parse(v3_gateway, deliver):
    return lambda told: v3_gateway.parse_notification(deliver(compact(told)))


@pytest.fixture
def refused(v3_gateway):
    def refused(raw):
        with pytest.raises(NotificationRejected) as rejected:
            v3_gateway.parse_notification(raw)
        return rejected.value.reason

    return refused


def refund_envelope(**change):
    told = REFUND_TOLD | change
    return envelope(told, event=f"REFUND.{told['refund_status']}", original="refund", associated_data="refund")


# --- what is told


def test_a_payment_is_told_with_everything(parse):
    notification = parse(envelope(PAID))

    assert (notification.kind, notification.notification_id) == (NotificationKind.PAYMENT, "EV-2018022511223320873")
    assert notification.refund is None
    payment = notification.payment
    assert (payment.outcome, payment.number, payment.amount_fen) == (Outcome.SUCCEEDED, NUMBER, 201272)
    assert payment.paid_at == datetime.datetime(2026, 1, 31, 12, 0, 1, tzinfo=BEIJING)
    assert payment.trade_no == "1217752501201407033233368018"


def test_a_payment_that_is_not_made_yet_is_told_as_it_is(parse):
    told = {name: value for name, value in PAID.items() if name not in {"success_time", "transaction_id"}}

    assert parse(envelope(told | {"trade_state": "USERPAYING"})).payment.outcome is Outcome.PENDING


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("SUCCESS", Outcome.SUCCEEDED), ("ABNORMAL", Outcome.PENDING), ("CLOSED", Outcome.FAILED)],
)
def test_a_refund_is_told_with_its_own_amount_and_its_payment_was_paid(parse, status, outcome):
    notification = parse(refund_envelope(refund_status=status))

    assert (notification.kind, notification.payment.outcome) == (NotificationKind.REFUND, Outcome.SUCCEEDED)
    assert (notification.payment.number, notification.payment.amount_fen) == (NUMBER, 201272)
    refund = notification.refund
    assert (refund.outcome, refund.number, refund.amount_fen) == (outcome, REFUND, 1000)
    assert (refund.gateway_status, refund.refunded_at) == (
        status, datetime.datetime(2026, 1, 31, 13, tzinfo=BEIJING),
    )  # fmt: skip


@pytest.mark.parametrize("associated_data", ["transaction", "", "anything"])
def test_the_additional_data_are_free_and_may_be_missing(parse, associated_data):
    told = envelope(PAID, associated_data=associated_data)
    if not associated_data:
        del told["resource"]["associated_data"]

    assert parse(told).payment.number == NUMBER


@pytest.mark.parametrize("spell", [str, str.lower, str.upper, lambda name: name.replace("Wechatpay", "WechatPay")])
def test_the_names_of_headers_are_of_any_case(v3_gateway, deliver, spell):
    raw = deliver(compact(envelope(PAID)))
    spelt = dataclasses.replace(raw, headers={spell(name): text for name, text in raw.headers.items()})

    assert v3_gateway.parse_notification(spelt).payment.number == NUMBER


def test_a_body_is_verified_as_it_came_spaces_line_feeds_and_all(v3_gateway, deliver, refused):
    body = json.dumps(envelope(PAID), indent=2).encode() + b"\r\n"
    raw = deliver(body)

    assert v3_gateway.parse_notification(raw).payment.number == NUMBER
    assert refused(dataclasses.replace(raw, body=body.rstrip())) == "bad_signature"
    assert refused(dataclasses.replace(raw, body=compact(json.loads(body)))) == "bad_signature"


# --- who tells it


@pytest.mark.parametrize("name", ["Timestamp", "Nonce", "Serial", "Signature"])
@pytest.mark.parametrize("text", [None, "", " ", "中", "\x00", "x" * 200, "WECHATPAY/SIGNTEST/x", "1e9", "-1", "１２"])
def test_missing_and_odd_headers_are_refused(deliver, refused, name, text):
    raw = deliver(compact(envelope(PAID)))
    headers = {header: value for header, value in raw.headers.items() if not header.endswith(f"-{name}")}
    if text is not None:
        headers[f"Wechatpay-{name}"] = text

    assert refused(dataclasses.replace(raw, headers=headers)) == "bad_signature"


def test_wechats_probe_is_refused_and_named(v3_gateway, deliver):
    raw = deliver(compact(envelope(PAID)))
    probe = "WECHATPAY/SIGNTEST/" + raw.headers["Wechatpay-Signature"][19:]

    with pytest.raises(NotificationRejected, match="probe") as rejected:
        v3_gateway.parse_notification(
            dataclasses.replace(raw, headers={**raw.headers, "Wechatpay-Signature": probe})
        )  # fmt: skip

    assert rejected.value.reason == "bad_signature"


def test_a_notice_signed_by_a_stranger_is_forged(deliver, refused, strangers_key, merchant_key):
    body = compact(envelope(PAID))

    assert refused(deliver(body, key=strangers_key)) == "bad_signature"
    assert refused(deliver(body, key=merchant_key)) == "bad_signature"
    assert refused(deliver(body, key=strangers_key, serial="PUB_KEY_ID_0")) == "bad_signature"


@pytest.mark.parametrize("seconds", [-299, -1, 0, 299])
def test_a_notice_is_fresh_for_five_minutes_around_its_arrival(v3_gateway, deliver, seconds):
    raw = deliver(compact(envelope(PAID)), timestamp=int(NOW.timestamp()) + seconds)

    assert v3_gateway.parse_notification(raw).payment.number == NUMBER


@pytest.mark.parametrize("seconds", [-100_000, -300, 300, 100_000])
def test_a_stale_notice_is_refused(deliver, refused, seconds):
    assert refused(deliver(compact(envelope(PAID)), timestamp=int(NOW.timestamp()) + seconds)) == "bad_signature"


def test_a_line_feed_may_not_move_the_borders_of_what_is_signed(deliver, refused):
    nonce, body = "5K8264ILTKCH16CQ2502SI8ZNMTM67VS", compact(envelope(PAID))
    raw = deliver(b"first line\n" + body, nonce=nonce)

    moved = {**raw.headers, "Wechatpay-Nonce": f"{nonce}\nfirst line"}

    assert refused(dataclasses.replace(raw, headers=moved, body=body)) == "bad_signature"


# --- for whom


@pytest.mark.parametrize("change", [{"mchid": "1230000110"}, {"appid": "wx0"}, {"mchid": None}, {"appid": None}])
def test_a_payment_of_another_merchant_is_not_ours(deliver, refused, change):
    assert refused(deliver(compact(envelope(PAID | change)))) == "wrong_merchant"


def test_a_refund_of_another_merchant_is_not_ours(deliver, refused):
    assert refused(deliver(compact(refund_envelope(mchid="1230000110")))) == "wrong_merchant"


def test_what_is_sealed_under_another_key_is_not_ours(deliver, refused):
    assert refused(deliver(compact(envelope(PAID, key="f" * 32)))) == "wrong_merchant"


# --- what cannot be read

SEALED = seal(compact(PAID))


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": ""},
        {"nonce": "1"},
        {"nonce": "fdasflkja484fdas"},
        {"nonce": "中" * 12},
        {"nonce": 1},
        {"nonce": None},
        {"nonce": "\ud800"},
        {"nonce": "fdasflkja485"},
        {"ciphertext": ""},
        {"ciphertext": "AAAA"},
        {"ciphertext": "!!!not-base64!!!"},
        {"ciphertext": base64.b64encode(bytes(100)).decode()},
        {"ciphertext": SEALED["ciphertext"][:-8]},
        {"ciphertext": None},
        {"associated_data": "other"},
        {"associated_data": 1},
        {"associated_data": "\ud800"},
        {"algorithm": "AEAD_SM4_GCM"},
        {"algorithm": ""},
        {"algorithm": None},
    ],
)
def test_a_sealed_part_that_does_not_open_is_refused_and_nothing_worse(deliver, refused, change):
    told = envelope(PAID)
    told["resource"] |= change

    assert refused(deliver(json.dumps(told).encode())) in {"malformed", "wrong_merchant"}


@pytest.mark.parametrize(
    "sealed",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b'{"mchid":',
        b'{"mchid":"1230000109","mchid":"1230000109"}',
        b'{"amount":NaN}',
        b"[" * 40_000,
        b'{"a":' * 8_000,
        b'{"amount":' + b"9" * 5_000 + b"}",
    ],
)
def test_what_comes_out_must_be_one_json_object(deliver, refused, sealed):
    told = envelope(PAID)
    told["resource"] |= seal(sealed)

    assert refused(deliver(compact(told))) == "malformed"


@pytest.mark.parametrize(
    "change",
    [
        {"amount": {"payer_total": 201272}},
        {"amount": {"total": 201272.0}},
        {"transaction_id": ""},
        {"success_time": ""},
        {"out_trade_no": ""},
        {"trade_state": ""},
    ],
)
def test_a_payment_without_what_matters_is_malformed(deliver, refused, change):
    assert refused(deliver(compact(envelope(PAID | change)))) == "malformed"


@pytest.mark.parametrize("change", [{"amount": {"total": 201272}}, {"out_refund_no": ""}, {"out_trade_no": ""}])
def test_a_refund_without_what_matters_is_malformed(deliver, refused, change):
    assert refused(deliver(compact(refund_envelope(**change)))) == "malformed"


@pytest.mark.parametrize(
    "told",
    [
        envelope(PAID, original="refund"),
        envelope(PAID, original=""),
        envelope(PAID, event="PAYSCORE.USER_OPEN_SERVICE", original="payscore"),
        envelope(REFUND_TOLD, event="REFUND.CLOSED", original="refund"),
        envelope(REFUND_TOLD, event="REFUND.SUCCESS"),
        envelope(PAID) | {"id": ""},
        envelope(PAID) | {"id": 1},
        envelope(PAID) | {"event_type": None},
        envelope(PAID) | {"event_type": ["TRANSACTION.SUCCESS"]},
        envelope(PAID) | {"resource": None},
        envelope(PAID) | {"resource": []},
        {},
    ],
)
def test_an_envelope_that_is_not_about_what_it_holds_is_malformed(deliver, refused, told):
    if told.get("event_type") == "PAYSCORE.USER_OPEN_SERVICE":
        told["resource"] |= seal(compact(PAID | {"mchid": MERCHANT_ID}))

    assert refused(deliver(compact(told))) == "malformed"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\x00",
        "中文".encode("gbk"),
        b"\xef\xbb\xbf{}",
        b"id=1",
        b'{"id":"1","id":"1"}',
        b"[" * 60_000,
        compact(envelope(PAID)) + b" " * codec.MAX_NOTIFICATION_BYTES,
    ],
)
def test_signed_nonsense_is_malformed(deliver, refused, body):
    assert refused(deliver(body)) == "malformed"


# --- what we answer


def test_wechat_goes_by_the_status_so_a_no_is_not_under_200(v3_gateway):
    yes, no = (v3_gateway.acknowledgement(answer) for answer in (Acknowledgement.SUCCESS, Acknowledgement.FAILURE))

    assert (yes.status, yes.body) == (200, b"")
    assert (no.status, no.content_type) == (400, "application/json")
    assert no.body.decode() == '{"code":"FAIL","message":"失败"}'
