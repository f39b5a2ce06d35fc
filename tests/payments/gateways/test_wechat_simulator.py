"""
The two WeChat Pay adapters against the simulator, a process of its own that shares no code with them: what every
gateway does, in each way of signing, and what only WeChat does.
"""

import dataclasses
import json
import time

import pytest

from payments.gateways.base import Acknowledgement, GatewayUnavailable, Mode, NotificationRejected, Outcome
from payments.gateways.http import Limits
from payments.gateways.wechat_v2.client import WechatV2Client
from payments.gateways.wechat_v2.gateway import WechatV2Account, WechatV2Gateway
from payments.gateways.wechat_v3.client import WechatV3Client
from payments.gateways.wechat_v3.gateway import WechatV3Account, WechatV3Gateway
from tests.payments.gateways.bill_conformance import BillConformance
from tests.payments.gateways.conformance import GatewayConformance, payment_request, refund_request
from tests.payments.gateways.simulated import SimulatedStage, receiver
from tests.simulator_process import simulator, simulator_process

__all__ = ["receiver", "simulator", "simulator_process"]


HASTY = Limits(total_seconds=2, connect_seconds=2)


class WechatStage(SimulatedStage):
    modes = (Mode.QR, Mode.JSAPI, Mode.WAP, Mode.APP)

    def refund_number(self, facts):
        return facts.get("req_info", facts).get("out_refund_no", "")  # v2 seals what it tells of a refund


class V2Stage(WechatStage):
    def __init__(self, simulator, receiver, *, sign_type, **merchant):
        super().__init__(simulator, receiver)
        self.merchant = simulator.register_wechat_merchant(**{"closable_after_s": 0, **merchant})
        self.account = WechatV2Account(
            app_id=self.merchant.app_id,
            merchant_id=self.merchant.mch_id,
            api_key=self.merchant.api_key,
            sign_type=sign_type,
            client_cert=self.merchant.app_certificate,
            client_key=self.merchant.app_private_key,
            base_url=self.merchant.base_url,
        )
        self.gateway = WechatV2Gateway(self.account)
        hasty = WechatV2Client(base_url=self.merchant.base_url, limits=HASTY)
        self.hasty = WechatV2Gateway(self.account, client=hasty)  # for answers that never come
        receiver.acknowledgement = self.gateway.acknowledgement(Acknowledgement.SUCCESS).body


class V3Stage(WechatStage):
    def __init__(self, simulator, receiver, *, mode, **merchant):
        super().__init__(simulator, receiver)
        self.merchant = simulator.register_wechat_merchant(**{"closable_after_s": 0, **merchant}, mode=mode)
        public_key = {
            "public_key_id": self.merchant.platform_public_key_id,
            "public_key": self.merchant.platform_public_key,
        }
        certificates = {"platform_certificates": "".join(self.merchant.platform_certificates)}
        known = {"public_key": public_key, "certificate": certificates, "grey": public_key | certificates}
        self.account = WechatV3Account(
            app_id=self.merchant.app_id,
            merchant_id=self.merchant.mch_id,
            serial_no=self.merchant.app_cert_sn,
            private_key=self.merchant.app_private_key,
            api_v3_key=self.merchant.api_v3_key,
            base_url=self.merchant.base_url,
            **known[mode],
        )
        self.gateway = WechatV3Gateway(self.account)
        self.hasty = WechatV3Gateway(self.account, client=WechatV3Client(base_url=self.merchant.base_url, limits=HASTY))

    def changed(self, body, *, number):
        """What it tells is sealed; its own id is not."""
        notice = json.loads(body)
        return json.dumps(notice | {"id": "another"}).encode()


STAGES = {
    "v2-md5": lambda *args, **merchant: V2Stage(*args, sign_type="MD5", **merchant),
    "v2-hmac": lambda *args, **merchant: V2Stage(*args, sign_type="HMAC-SHA256", **merchant),
    "v3-public-key": lambda *args, **merchant: V3Stage(*args, mode="public_key", **merchant),
    "v3-certificate": lambda *args, **merchant: V3Stage(*args, mode="certificate", **merchant),
    "v3-both": lambda *args, **merchant: V3Stage(*args, mode="grey", **merchant),
}


@pytest.fixture(params=STAGES)
def stage(request, simulator, receiver):
    return STAGES[request.param](simulator, receiver)


class TestWechat(GatewayConformance, BillConformance):
    pass


# --- what only WeChat does


@pytest.fixture
def waiting(stage):
    request = payment_request(notify_url=stage.notify_url, amount_fen=201272, mode=Mode.QR)
    stage.gateway.create_payment(request)
    return request


@pytest.fixture
def paid(stage, waiting):
    stage.pay(waiting.number)
    return waiting


def test_the_code_leads_wechat_to_the_trade(stage, waiting):
    code = stage.gateway.create_payment(waiting).payload["qr_code"]

    assert code.startswith("weixin://wxpay/bizpayurl?pr=")
    assert stage.simulator.scan_code(code)["out_trade_no"] == waiting.number


@pytest.mark.parametrize("mode", [Mode.JSAPI, Mode.APP])
def test_the_parameters_for_a_page_or_an_app_are_signed_and_pay(stage, mode):
    request = payment_request(notify_url=stage.notify_url, mode=mode)
    payload = stage.gateway.create_payment(request).payload
    spoilt = {
        name: "x" + value if "sign" in name.lower() and name != "signType" else value for name, value in payload.items()
    }

    assert stage.simulator.use_wechat(spoilt)["result"] == "fail"
    assert stage.gateway.query_payment(request.number).outcome is Outcome.PENDING
    assert stage.simulator.use_wechat(payload)["result"] == "ok"
    assert stage.gateway.query_payment(request.number).outcome is Outcome.SUCCEEDED


def test_a_payment_is_closed_no_sooner_than_five_minutes_after_it_was_made(request, simulator, receiver):
    for make in STAGES.values():
        stage = make(simulator, receiver, closable_after_s=300)
        young = payment_request(notify_url=stage.notify_url)
        stage.gateway.create_payment(young)

        assert stage.gateway.close_payment(young.number).outcome is Outcome.PENDING
        assert stage.gateway.query_payment(young.number).outcome is Outcome.PENDING
        simulator.age(young.number)
        assert stage.gateway.close_payment(young.number).outcome is Outcome.SUCCEEDED
        assert stage.gateway.query_payment(young.number).outcome is Outcome.FAILED


def test_a_payer_who_is_typing_the_password_is_waited_for(stage, waiting):
    stage.simulator.arm("user_paying", match=waiting.number)

    assert stage.gateway.query_payment(waiting.number).outcome is Outcome.PENDING


def test_a_close_that_comes_too_late_says_so(stage, waiting):
    stage.simulator.arm("order_paid", match=waiting.number)

    assert stage.gateway.close_payment(waiting.number).outcome is Outcome.FAILED
    assert stage.gateway.query_payment(waiting.number).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("fault", ["garbage", "unsigned_success", "bad_signature", "http_500", "system_error_but_done"])
def test_an_answer_that_proves_nothing_is_unknown(stage, waiting, fault):
    stage.simulator.arm(fault, match=waiting.number)

    with pytest.raises(GatewayUnavailable):
        stage.gateway.query_payment(waiting.number)

    assert stage.gateway.query_payment(waiting.number).outcome is Outcome.PENDING


@pytest.mark.parametrize("fault", ["timeout_after", "garbage", "bad_signature", "system_error_but_done"])
def test_a_start_that_was_done_but_not_answered_is_repeated_under_its_number(stage, fault):
    request = payment_request(notify_url=stage.notify_url)
    stage.simulator.arm(fault, match=request.number, delay_ms=3_000)
    with pytest.raises(GatewayUnavailable):
        stage.hasty.create_payment(request)

    assert stage.gateway.create_payment(request).payload["qr_code"].startswith("weixin://")
    assert len(stage.simulator.trades(out_trade_no=request.number)) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("forged", "bad_signature"),
        ("tampered", "bad_signature"),
        ("wrong_merchant", "wrong_merchant"),
        ("wrong_app_id", "wrong_merchant"),
    ],
)
def test_a_false_notice_is_rejected(stage, paid, fault, reason):
    stage.notification(paid.number)
    stage.simulator.arm(fault, match=paid.number)

    with pytest.raises(NotificationRejected) as rejected:
        stage.gateway.parse_notification(stage.notification(paid.number))

    assert rejected.value.reason == reason


def test_a_genuine_notice_of_a_wrong_amount_tells_that_amount(stage, paid):
    stage.notification(paid.number)
    stage.simulator.arm("wrong_amount", match=paid.number)

    told = stage.gateway.parse_notification(stage.notification(paid.number))

    assert told.payment.amount_fen not in {None, paid.amount_fen}


def test_an_abnormal_refund_is_no_failure(stage, paid):
    stage.simulator.arm("abnormal_refund", match=paid.number)
    request = refund_request(paid, amount_fen=1_000)

    assert stage.gateway.refund(request).outcome is Outcome.PENDING

    found = stage.gateway.query_refund(request.number, charge_number=paid.number)
    assert (found.outcome, found.gateway_status) in {(Outcome.PENDING, "ABNORMAL"), (Outcome.PENDING, "CHANGE")}


V3_PROBES = ["signtest", "stale", "unknown_serial"]


@pytest.mark.parametrize("fault", V3_PROBES)
@pytest.mark.parametrize("mode", ["public_key", "certificate"])
def test_probes_stale_and_unknown_signatures_are_refused(simulator, receiver, fault, mode):
    stage = V3Stage(simulator, receiver, mode=mode)
    request = payment_request(notify_url=stage.notify_url)
    stage.gateway.create_payment(request)
    stage.pay(request.number)
    genuine = stage.notification(request.number)
    simulator.arm(fault, match=request.number)

    with pytest.raises(NotificationRejected) as rejected:
        stage.gateway.parse_notification(stage.notification(request.number))

    assert rejected.value.reason == "bad_signature"
    assert stage.gateway.parse_notification(genuine).payment.outcome is Outcome.SUCCEEDED


def test_what_was_fresh_when_it_came_can_be_read_again_later(simulator, receiver):
    stage = V3Stage(simulator, receiver, mode="public_key")
    request = payment_request(notify_url=stage.notify_url)
    stage.gateway.create_payment(request)
    stage.pay(request.number)
    came = stage.notification(request.number)
    later = WechatV3Gateway(stage.account, now=lambda: came.received_at.replace(year=came.received_at.year + 1))

    assert later.parse_notification(came).payment.outcome is Outcome.SUCCEEDED
    stale = dataclasses.replace(came, received_at=came.received_at.replace(year=came.received_at.year + 1))
    with pytest.raises(NotificationRejected):
        later.parse_notification(stale)


def test_certificates_are_fetched_and_are_those_in_use(simulator, receiver):
    stage = V3Stage(simulator, receiver, mode="certificate")
    simulator.arm("key_switch")
    with pytest.raises(GatewayUnavailable):
        stage.gateway.query_payment("nobody_1")

    fetched = WechatV3Gateway(stage.account).download_certificates()

    known = dataclasses.replace(stage.account, platform_certificates="".join(fetched))
    assert WechatV3Gateway(known).query_payment("nobody_1").outcome is Outcome.NOT_FOUND


def test_a_slow_answer_is_cut_off_at_the_deadline(stage, waiting):
    stage.simulator.arm("slow", match=waiting.number, delay_ms=25_000)
    started = time.monotonic()

    with pytest.raises(GatewayUnavailable):
        stage.hasty.query_payment(waiting.number)

    assert time.monotonic() - started < 20  # the deadline is 2 s here
