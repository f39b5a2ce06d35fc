"""
Genuine notices of the simulator's, caught on their way and changed field by field, delivered to our web process over
HTTP. None of them is answered yes or books anything; each is kept with its verdict; and the genuine one is still taken
afterwards.
"""

import base64
import dataclasses
import json
import re
import time

import pytest

from payments.models import InboundNotification
from tests.faults.gateways import (
    ALIPAY,
    CASH_FEN,
    SIDES,
    V2,
    V2_HMAC,
    V3,
    booked,
    catch,
    is_finished,
    place,
    place_another,
    post,
    start,
    status_of,
    verdicts,
)

pytestmark = pytest.mark.django_db(transaction=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """An order whose payment is told of by `notice`, which has not reached us."""

    order: object
    charge: object
    notice: object
    refused: object  # deliver one that is none, and see that nothing came of it

    def is_still_paid_by_the_genuine_one(self, site, side):
        before = sum(verdicts().values())
        assert post(site, side, self.notice) == side.yes
        assert is_finished(self.order)
        assert booked() == [("escrow", CASH_FEN)]
        assert (verdicts()["accepted"], sum(verdicts().values())) == (1, before + 1)


@pytest.fixture
def scene(site, simulator, receiver):
    def scene(side):
        side.connect(simulator, notify_base=receiver.url.removesuffix("/notify"))
        order = place()
        charge = start(order, side)
        simulator.pay(charge.number)

        def refused(notice, verdict, *, what="", answer=None):
            kept = InboundNotification.objects.count()
            assert post(site, side, notice) == (answer or side.no), what
            assert InboundNotification.objects.count() == kept + 1, f"{what}: kept once"
            row = InboundNotification.objects.latest("id")
            assert row.verdict == verdict, (what, row.detail)
            assert bytes(row.body) == notice.body[: 64 * 1024], what
            assert booked() == [], what
            assert status_of(order) == ("point_paid", ""), what

        notice = catch(simulator, receiver, side, charge)
        return Scene(order=order, charge=charge, notice=notice, refused=refused)

    return scene


# --- WeChat v2: every element of the XML


FIELD = re.compile(rb"<(\w+)>(?:<!\[CDATA\[)?([^<\]]*)(?:\]\]>)?</\1>")


@pytest.mark.parametrize("side", [V2, V2_HMAC], ids=["md5", "hmac"])
def test_no_field_of_a_v2_notice_can_be_changed_left_out_or_added(site, scene, side):
    told = scene(side)
    fields = [(match[0], match[1].decode()) for match in FIELD.finditer(told.notice.body)]
    assert {"out_trade_no", "total_fee", "transaction_id", "appid", "mch_id", "sign", "result_code"} <= {
        name for _element, name in fields
    }

    for element, name in fields:
        text = FIELD.fullmatch(element)[2]
        other = text[:-1] + (b"1" if text[-1:] != b"1" else b"2")
        changed = told.notice.body.replace(element, element.replace(text, other))
        told.refused(told.notice.changed(body=changed), "bad_signature", what=f"{name} changed")
        left_out = told.notice.body.replace(element, b"")
        told.refused(told.notice.changed(body=left_out), "bad_signature", what=f"{name} left out")
    added = told.notice.body.replace(b"</xml>", b"<coupon_fee>1</coupon_fee></xml>")
    told.refused(told.notice.changed(body=added), "bad_signature", what="a field added")

    told.is_still_paid_by_the_genuine_one(site, side)


@pytest.mark.parametrize("side", [V2, V2_HMAC], ids=["md5", "hmac"])
@pytest.mark.parametrize("sign", [b"", b"0" * 32, b"0" * 64, b"SUCCESS", "签名".encode()], ids=str)
def test_no_other_sign_will_do_for_a_v2_notice(site, scene, side, sign):
    told = scene(side)
    genuine = re.search(rb"<sign><!\[CDATA\[(\w+)", told.notice.body)[1]

    told.refused(told.notice.changed(body=told.notice.body.replace(genuine, sign)), "bad_signature")
    small = told.notice.body.replace(genuine, genuine.lower())
    told.refused(told.notice.changed(body=small), "bad_signature", what="in small letters")

    told.is_still_paid_by_the_genuine_one(site, side)


@pytest.mark.parametrize(
    ("side", "sign_type"), [(V2, "HMAC-SHA256"), (V2, "NONE"), (V2, ""), (V2_HMAC, "MD5"), (V2_HMAC, "RSA")]
)
def test_the_way_of_signing_is_signed_too(site, scene, side, sign_type):
    told = scene(side)
    without = re.sub(rb"<sign_type>.*?</sign_type>\n?", b"", told.notice.body)
    switched = without.replace(b"</xml>", f"<sign_type>{sign_type}</sign_type></xml>".encode())

    if sign_type:
        told.refused(told.notice.changed(body=switched), "bad_signature")
        told.is_still_paid_by_the_genuine_one(site, side)
    else:  # an empty field is no field
        assert post(site, side, told.notice.changed(body=switched)) == side.yes
        assert is_finished(told.order)


V2_TRICKS = {
    "a second total": (b"</xml>", b"<total_fee>1</total_fee></xml>"),
    "a second number": (b"<xml>", b"<xml><out_trade_no>T_1</out_trade_no>"),
    "a document type": (b"<xml>", b'<!DOCTYPE xml [<!ENTITY a "1">]><xml>'),
    "a comment": (b"<xml>", b"<xml><!-- -->"),
    "another root": (b"xml>", b"root>"),
    "a namespace": (b"<xml>", b'<xml xmlns="a">'),
    "something behind it": (b"</xml>", b"</xml><xml></xml>"),
    "an element inside a value": (b"<total_fee>", b"<total_fee><a></a>"),
}


def test_tricks_of_xml_are_malformed(site, scene):
    told = scene(V2)
    for trick, (place_, put) in V2_TRICKS.items():
        body = told.notice.body.replace(place_, put)
        assert body != told.notice.body
        told.refused(told.notice.changed(body=body), "malformed", what=trick)

    told.is_still_paid_by_the_genuine_one(site, V2)


# --- APIv3: every header, every byte


HEADERS = ["timestamp", "nonce", "serial", "signature"]


def test_no_header_of_a_v3_notice_can_be_changed_or_left_out(site, scene):
    told = scene(V3)
    headers = told.notice.headers
    signature = headers["wechatpay-signature"]
    other = {
        "timestamp": [str(int(headers["wechatpay-timestamp"]) + 1), "0", str(int(time.time()) - 600), "-1", "x", ""],
        "nonce": ["x" + headers["wechatpay-nonce"][1:], headers["wechatpay-nonce"][:-1], "", "x" * 200],
        "serial": ["PUB_KEY_ID_0", "0" * 40, "F" * 40, "", "../../etc", "x" * 2000],
        "signature": [
            f"WECHATPAY/SIGNTEST/{signature}", "", "AAAA", "%%%", signature[:-4], signature.swapcase(),
            base64.b64encode(bytes(256)).decode(),
        ],
    }  # fmt: skip
    for name in HEADERS:
        for text in [None, *other[name]]:
            changed = told.notice.changed(**{f"wechatpay_{name}": text})
            told.refused(changed, "bad_signature", what=f"{name} {text}")

    told.is_still_paid_by_the_genuine_one(site, V3)


def test_no_byte_of_a_v3_notice_can_be_changed(site, scene):
    told = scene(V3)
    body = told.notice.body
    for at in range(0, len(body), len(body) // 30):
        changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        told.refused(told.notice.changed(body=changed), "bad_signature", what=f"byte {at}")
    for changed in (body + b"\n", body[:-1], b" " + body, b"", b"{}", json.dumps(json.loads(body)).encode()):
        told.refused(told.notice.changed(body=changed), "bad_signature", what=changed[:20])

    told.is_still_paid_by_the_genuine_one(site, V3)


def test_a_v3_notice_without_its_signature_is_no_v2_notice_either(site, scene):
    """Both come to one address: what looks like neither is refused as v2, which is not APIv3's yes to anybody."""
    told = scene(V3)
    bare = told.notice.changed(wechatpay_signature=None)

    for content_type in ("text/plain", "text/xml", "application/xml"):
        assert post(site, V3, bare.changed(content_type=content_type))[0] == 503  # there is no v2 account
    assert booked() == []

    told.is_still_paid_by_the_genuine_one(site, V3)


# --- Alipay: every field of the form


def test_no_field_of_an_alipay_notice_can_be_changed_left_out_or_added(site, scene):
    told = scene(ALIPAY)
    pairs = told.notice.body.split(b"&")
    assert {b"out_trade_no", b"total_amount", b"seller_id", b"app_id", b"sign"} <= {
        pair.partition(b"=")[0] for pair in pairs
    }

    for n, pair in enumerate(pairs):
        name, _equals, text = pair.partition(b"=")
        others = [name + b"=" + text + b"0", name + b"=", *([] if name == b"sign_type" else [None])]
        for other in others:
            if name == b"sign_type" and not text:
                continue
            changed = b"&".join(pairs[:n] + ([other] if other else []) + pairs[n + 1 :])
            if changed == told.notice.body:
                continue
            told.refused(told.notice.changed(body=changed), "bad_signature", what=f"{pair} → {other}")
    told.refused(told.notice.changed(body=told.notice.body + b"&extra=1"), "bad_signature", what="a field added")
    twice = told.notice.body + b"&total_amount=0.01"
    told.refused(told.notice.changed(body=twice), "malformed", what="a second amount")

    told.is_still_paid_by_the_genuine_one(site, ALIPAY)


# --- the body, whatever the gateway


@pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))
def test_a_body_out_of_measure_is_refused_and_the_site_goes_on(site, scene, side):
    told = scene(side)
    genuine = told.notice.body

    for size in (64 * 1024, 1_000_000):
        told.refused(told.notice.changed(body=genuine + b" " * size), "malformed", what=size)
    told.refused(told.notice.changed(body=b""), "malformed" if side is V2 else "bad_signature", what="empty")

    told.is_still_paid_by_the_genuine_one(site, side)


def test_a_v2_notice_is_read_with_a_mark_before_it_and_any_line_ends(site, scene):
    told = scene(V2)
    crlf = b"\xef\xbb\xbf" + told.notice.body.replace(b"\n", b"\r\n").replace(b"<xml>", b"<xml>\r\n\t")

    assert post(site, V2, told.notice.changed(body=crlf)) == V2.yes

    assert is_finished(told.order)
    assert booked() == [("escrow", CASH_FEN)]


@pytest.mark.parametrize("side", [V3, ALIPAY], ids=["v3", "alipay"])
@pytest.mark.parametrize("change", [lambda body: b"\xef\xbb\xbf" + body, lambda body: body + b"\r\n"])
def test_where_every_byte_is_signed_no_byte_may_come_to_it(site, scene, side, change):
    told = scene(side)

    told.refused(told.notice.changed(body=change(told.notice.body)), "bad_signature")

    told.is_still_paid_by_the_genuine_one(site, side)


@pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))
def test_a_notice_in_chunks_is_the_same_notice(site, scene, side):
    """Gateways cannot be asked to send it in one piece."""
    told = scene(side)
    pieces = iter([told.notice.body[:7], told.notice.body[7:100], told.notice.body[100:]])

    response = site.http.post(side.path, content=pieces, headers=told.notice.headers)

    assert (response.status_code, response.content) == side.yes
    assert "transfer-encoding" in response.request.headers
    assert is_finished(told.order)


@pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))
@pytest.mark.parametrize("chunks", [b"zz\r\n<xml>\r\n0\r\n\r\n", b"5\r\n<xml>", b"-1\r\n", b"5\r\n<xml></xml>\r\n"])
def test_chunks_that_are_none_are_no_500(site, scene, side, chunks):
    told = scene(side)
    headers = b"".join(f"{name}: {text}\r\n".encode() for name, text in told.notice.headers.items())

    answer = site.raw(
        b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n" % side.path.encode(),
        headers + b"\r\n" + chunks,
        silence_s=1,
    )

    assert not answer.startswith(b"HTTP/1.1 5")
    assert booked() == []
    told.is_still_paid_by_the_genuine_one(site, side)


@pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))
def test_gbk_where_it_was_not_signed_so_is_refused(site, scene, side):
    told = scene(side)
    changed = {
        "v2": told.notice.body.replace(b"</xml>", "<attach>订单</attach></xml>".encode("gbk")),
        "v3": told.notice.body.replace("支付成功".encode(), "支付成功".encode("gbk")),
        "alipay": told.notice.body.replace(b"charset=utf-8", b"charset=gbk"),
    }[side.name]
    assert changed != told.notice.body

    told.refused(told.notice.changed(body=changed), "malformed" if side is V2 else "bad_signature")

    told.is_still_paid_by_the_genuine_one(site, side)


# --- old, and for somebody else


@pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))
def test_an_old_notice_is_a_repeat_and_pays_no_new_order(site, scene, simulator, side):
    told = scene(side)
    told.is_still_paid_by_the_genuine_one(site, side)
    newer = place_another(told.order, number="T2")
    charge = start(newer, side)

    assert post(site, side, told.notice) == side.yes

    charge.refresh_from_db()
    assert (charge.status, newer.transitions.count()) == ("pending", 1)
    assert status_of(newer) == ("point_paid", "")
    assert verdicts() == {"accepted": 1, "repeat": 1}
    assert booked() == [("escrow", CASH_FEN)]


@pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))
def test_the_notice_of_another_merchant_of_the_gateways_is_not_ours(site, scene, side):
    """Genuine to the last byte: of a merchant whose account is not (or no longer) set up here."""
    told = scene(side)
    account = told.charge.gateway_account
    account.merchant_id = "2088000000000000" if side is ALIPAY else "1999999999"
    account.save()

    told.refused(told.notice, "wrong_merchant")
