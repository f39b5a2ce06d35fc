"""
Notices under true signatures that are still not to be believed, or only so far: what the gateway's own keys could sign
and the simulator cannot be made to say. They come to our web process over HTTP.
"""

import base64
from urllib.parse import quote_plus

import pytest
from django.utils import timezone

from payments.charges import operations as charges
from payments.gateways.base import Mode
from tests.faults.gateways import (
    ALIPAY,
    CASH_FEN,
    SIDES,
    V3,
    Notice,
    booked,
    is_finished,
    place,
    place_another,
    post,
    status_of,
    verdicts,
)
from tests.payments.api.accounts import NOWHERE
from tests.payments.gateways import certificates, scripted, wechat_v2_samples, wechat_v3_samples

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def signed(simulator):
    """An order, its attempt, and what makes notices of it as the gateway signs them."""

    def signed(side):
        key = scripted.rsa_key()
        account = side.connect(simulator, notify_base=NOWHERE)
        if side is V3:
            certificate = certificates.certificate(key.public_key(), issuer_key=key)
            account.options |= {"platform_certificates": certificates.pem(certificate)}
            serial = f"{certificate.serial_number:X}"
        if side is ALIPAY:
            account.options = {"alipay_public_key": scripted.public_pem(key)}
        account.save()
        order = place()
        charge = attempt(order, side)

        def v2(change):
            fields = wechat_v2_samples.NOTICE | {
                "appid": account.app_id, "mch_id": account.merchant_id, "out_trade_no": charge.number,
                "total_fee": str(CASH_FEN),
            }  # fmt: skip
            return {}, wechat_v2_samples.signed(fields | change, key=account.credentials()["api_key"])

        def v3(change):
            paid = wechat_v3_samples.PAID | {
                "appid": account.app_id, "mchid": account.merchant_id, "out_trade_no": charge.number,
                "amount": {"total": CASH_FEN, "currency": "CNY"},
            }  # fmt: skip
            outside = {name: change[name] for name in ("id", "resource") if name in change}
            told = paid | {name: value for name, value in change.items() if name not in outside}
            envelope = wechat_v3_samples.envelope(told, key=account.credentials()["api_v3_key"])
            envelope["resource"] |= outside.pop("resource", {})
            body = wechat_v3_samples.compact(envelope | outside)
            return wechat_v3_samples.signature_headers(key, body, serial=serial), body

        def alipay(change):
            fields = {
                "app_id": account.app_id, "seller_id": account.merchant_id, "out_trade_no": charge.number,
                "total_amount": f"{CASH_FEN / 100:.2f}", "notify_id": "n1", "trade_no": "2026013122001",
                "trade_status": "TRADE_SUCCESS", "gmt_payment": "2026-01-31 12:00:01", "charset": "utf-8",
            }  # fmt: skip
            fields |= change
            return {}, scripted.signed_notification(key, fields, charset=fields["charset"])

        make = {"v2": v2, "v3": v3, "alipay": alipay}[side.name]
        return order, charge, lambda **change: _notice(side, *make(change))

    return signed


def _notice(side, headers, body):
    types = {"v2": "text/xml", "v3": "application/json", "alipay": "application/x-www-form-urlencoded"}
    named = {name.lower(): text for name, text in headers.items()}
    return Notice(headers=named | {"content-type": types[side.name]}, body=body)


def attempt(order, side):
    return charges.start(
        order_id=order.pk, channel=side.channel, mode=Mode.APP, actor="test", at=timezone.now()
    )  # fmt: skip


@pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))
def test_control_what_these_tests_sign_is_believed(site, signed, side):
    order, _charge, notice = signed(side)

    assert post(site, side, notice()) == side.yes

    assert is_finished(order)


TRADE_NO = {"v2": "transaction_id", "v3": "transaction_id", "alipay": "trade_no"}
NOTICE_ID = {"v3": "id", "alipay": "notify_id"}


@pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))
def test_a_trade_that_paid_one_order_pays_no_other_whoever_signs_it(site, signed, side):
    order, _charge, notice = signed(side)
    assert post(site, side, notice()) == side.yes
    newer = place_another(order, number="T2")
    other = attempt(newer, side)
    again = {NOTICE_ID[side.name]: "another"} if side.name in NOTICE_ID else {}

    status, _body = post(site, side, notice(out_trade_no=other.number, **again))

    assert status < 500
    assert booked() == [("escrow", CASH_FEN)]
    other.refresh_from_db()
    assert other.status == "started"
    assert status_of(newer) == ("point_paid", "needs_attention")


UNPAID = {
    "v2": {"result_code": "FAIL", "err_code": "SYSTEMERROR"},
    "v3": {"trade_state": "NOTPAY"},
    "alipay": {"trade_status": "WAIT_BUYER_PAY", "gmt_payment": ""},
}
CLOSED = {
    "v2": UNPAID["v2"],
    "v3": {"trade_state": "CLOSED"},
    "alipay": {"trade_status": "TRADE_CLOSED", "gmt_payment": ""},
}


@pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))
@pytest.mark.parametrize("then", [UNPAID, CLOSED], ids=["not paid", "closed"])
def test_what_was_paid_no_later_notice_unpays(site, signed, side, then):
    order, charge, notice = signed(side)
    assert post(site, side, notice()) == side.yes
    another = {NOTICE_ID[side.name]: "another"} if side.name in NOTICE_ID else {}

    assert post(site, side, notice(**then[side.name], **another)) == side.yes

    charge.refresh_from_db()
    assert (charge.status, charge.next_query_at) == ("succeeded", None)
    assert status_of(order) == ("pay_finished", "")
    assert booked() == [("escrow", CASH_FEN)]


@pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))
@pytest.mark.parametrize("first", [UNPAID, CLOSED], ids=["not paid", "closed"])
def test_what_was_not_paid_or_closed_and_is_paid_after_all_pays(site, signed, side, first):
    order, _charge, notice = signed(side)
    another = {NOTICE_ID[side.name]: "another"} if side.name in NOTICE_ID else {}
    assert post(site, side, notice(**first[side.name], **another)) == side.yes
    assert booked() == []

    assert post(site, side, notice()) == side.yes

    assert is_finished(order)
    assert booked() == [("escrow", CASH_FEN)]


AMOUNTS = {
    "v2": [{"total_fee": text} for text in ("-1", "201272.0", "2e5", "", "0", "９")] + [{"fee_type": "USD"}],
    "v3": [{"amount": {"total": total}} for total in (-1, 201272.0, "201272", None, True)]
    + [{"amount": {"total": CASH_FEN, "currency": "USD"}}, {"amount": 1}],
    "alipay": [{"total_amount": text} for text in ("-1", "2012.720", "2e3", "NaN", "2012,72", "２０１２.72")],
}


@pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))
def test_an_amount_that_is_none_is_no_amount(site, signed, side):
    order, _charge, notice = signed(side)

    for change in AMOUNTS[side.name]:
        assert post(site, side, notice(**change)) == side.no, change
        assert booked() == []

    assert set(verdicts()) <= {"malformed", "wrong_amount"}
    assert status_of(order) == ("point_paid", "")


OUT_OF_MEASURE = {
    "v2": [{"transaction_id": "4" * 300}, {"out_trade_no": "T" * 300}, {"err_code": "E" * 300, "result_code": "FAIL"}],
    "v3": [
        {"id": "E" * 300}, {"transaction_id": "4" * 300}, {"out_trade_no": "T" * 300}, {"trade_state": "S" * 300},
    ],
    "alipay": [
        {"notify_id": "n" * 300}, {"trade_no": "2" * 300}, {"out_trade_no": "T" * 300}, {"trade_status": "S" * 300},
        {"trade_no": "2\x00"}, {"notify_id": "n\x00"}, {"out_trade_no": "T\x00"}, {"trade_status": "S\x00"},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("side", "change"),
    [(SIDES[name], change) for name, changes in OUT_OF_MEASURE.items() for change in changes],
    ids=lambda value: getattr(value, "name", None) or "-".join(value),
)
def test_what_no_column_holds_is_no_500(site, signed, side, change):
    """Nobody but the gateway can sign it; and if it did, it would send it again for a day."""
    _order, _charge, notice = signed(side)

    status, _body = post(site, side, notice(**change))

    assert status < 500
    assert sum(verdicts().values()) == 1


@pytest.mark.parametrize(
    "resource",
    [
        {"algorithm": "AEAD_AES_128_GCM"}, {"algorithm": ""}, {"nonce": "0" * 12}, {"nonce": ""}, {"ciphertext": ""},
        {"ciphertext": base64.b64encode(bytes(32)).decode()}, {"associated_data": "refund"},
        {"original_type": "refund"},
    ],
    ids=str,
)  # fmt: skip
def test_a_sealed_part_that_does_not_open_as_it_should_books_nothing(site, signed, resource):
    order, _charge, notice = signed(V3)

    assert post(site, V3, notice(resource=resource)) == V3.no

    assert set(verdicts()) <= {"malformed", "wrong_merchant"}
    assert booked() == []
    assert status_of(order) == ("point_paid", "")


def test_a_notice_in_gbk_that_alipay_signed_is_read(site, signed):
    order, _charge, notice = signed(ALIPAY)
    told = notice(subject="订单 + %2B", charset="gbk")
    assert quote_plus("订单", encoding="gbk").encode() in told.body

    assert post(site, ALIPAY, told) == ALIPAY.yes

    assert is_finished(order)
