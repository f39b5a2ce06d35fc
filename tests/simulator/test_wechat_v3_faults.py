"""The fault menu over APIv3: each mishap happens as told, and leaves in the book what it says."""

import time
from typing import Any

import httpx
import pytest

from tests.simulator.wechat_v3_merchant import Delivery, V3Receiver, WechatV3Client
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"


@pytest.fixture
def waiting(wechat_v3: WechatV3Client) -> str:
    wechat_v3.create("native", NUMBER)
    return NUMBER


@pytest.fixture
def paid(simulator: Simulator, v3_receiver: V3Receiver, waiting: str) -> str:
    simulator.pay(waiting)
    v3_receiver.wait_for(1)
    return waiting


@pytest.mark.parametrize(("fault", "status"), [("timeout_before", "waiting"), ("timeout_after", "closed")])
def test_no_answer_before_or_after_it_was_done(
    simulator: Simulator, wechat_v3: WechatV3Client, waiting: str, fault: str, status: str
) -> None:
    simulator.arm(fault, delay_ms=0)

    with pytest.raises(httpx.RemoteProtocolError):
        wechat_v3.close(waiting)

    assert simulator.trade(waiting)["status"] == status


def test_http_500_does_nothing(simulator: Simulator, wechat_v3: WechatV3Client, waiting: str) -> None:
    simulator.arm("http_500")

    assert wechat_v3.close(waiting).status_code == 500
    assert simulator.trade(waiting)["status"] == "waiting"


def test_garbage_is_a_page_and_it_was_done(simulator: Simulator, wechat_v3: WechatV3Client, waiting: str) -> None:
    simulator.arm("garbage")

    answer = wechat_v3.close(waiting)

    assert (answer.status_code, answer.text[:6]) == (200, "<html>")
    assert simulator.trade(waiting)["status"] == "closed"


def test_slow_is_right_but_late(simulator: Simulator, wechat_v3: WechatV3Client, waiting: str) -> None:
    simulator.arm("slow", delay_ms=400)
    started = time.monotonic()

    assert wechat_v3.verified(wechat_v3.query(waiting))["trade_state"] == "NOTPAY"

    assert time.monotonic() - started >= 0.4


def test_system_error_but_done(simulator: Simulator, wechat_v3: WechatV3Client, waiting: str) -> None:
    simulator.arm("system_error_but_done")

    assert wechat_v3.refused(wechat_v3.close(waiting)) == (500, "SYSTEM_ERROR")

    assert simulator.trade(waiting)["status"] == "closed"


def test_an_unsigned_query_claims_a_payment_that_nobody_made(
    simulator: Simulator, wechat_v3: WechatV3Client, waiting: str
) -> None:
    simulator.arm("unsigned_success")

    answer = wechat_v3.query(waiting)

    assert "Wechatpay-Signature" not in answer.headers
    claimed = answer.json()
    assert (claimed["trade_state"], claimed["out_trade_no"], claimed["amount"]["total"]) == ("SUCCESS", waiting, 2012)
    assert claimed["transaction_id"]
    assert simulator.trade(waiting)["status"] == "waiting"


def test_an_unsigned_order_was_not_made(simulator: Simulator, wechat_v3: WechatV3Client) -> None:
    simulator.arm("unsigned_success")

    answer = wechat_v3.create("native", NUMBER)

    assert answer.json()["code_url"].startswith("weixin://")
    assert "Wechatpay-Signature" not in answer.headers
    assert simulator.trades() == []


def test_an_unsigned_close_closed_nothing(simulator: Simulator, wechat_v3: WechatV3Client, waiting: str) -> None:
    simulator.arm("unsigned_success")

    answer = wechat_v3.close(waiting)

    assert (answer.status_code, "Wechatpay-Signature" in answer.headers) == (204, False)
    assert simulator.trade(waiting)["status"] == "waiting"


def test_an_unsigned_refund_moved_nothing(simulator: Simulator, wechat_v3: WechatV3Client, paid: str) -> None:
    simulator.arm("unsigned_success", times=2)

    asked, queried = wechat_v3.refund(paid, "R1", 500), wechat_v3.refund_query("R1")

    for answer in (asked, queried):
        assert "Wechatpay-Signature" not in answer.headers
        assert (answer.json()["status"], answer.json()["out_refund_no"]) == ("SUCCESS", "R1")
    assert simulator.trade(paid)["refunds"] == []


def test_bad_signature_is_over_the_right_answer(simulator: Simulator, wechat_v3: WechatV3Client, paid: str) -> None:
    simulator.arm("bad_signature")

    answer = wechat_v3.query(paid)

    assert answer.json()["trade_state"] == "SUCCESS"
    assert answer.headers["Wechatpay-Serial"] == wechat_v3.merchant.platform_public_key_id
    assert not wechat_v3.genuine(answer)
    assert wechat_v3.genuine(wechat_v3.query(paid))


def test_close_refused_leaves_the_order_payable(simulator: Simulator, wechat_v3: WechatV3Client, waiting: str) -> None:
    simulator.arm("close_refused")

    assert wechat_v3.refused(wechat_v3.close(waiting)) == (400, "INVALID_REQUEST")

    assert simulator.pay(waiting)["status"] == "paid"


def test_the_payer_may_be_faster_than_the_close(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver, waiting: str
) -> None:
    simulator.arm("order_paid")

    assert wechat_v3.refused(wechat_v3.close(waiting)) == (400, "ORDERPAID")

    assert simulator.trade(waiting)["status"] == "paid"
    assert wechat_v3.told(v3_receiver.wait_for(1)[0])["trade_state"] == "SUCCESS"


def test_the_payer_may_be_typing_the_password(simulator: Simulator, wechat_v3: WechatV3Client, waiting: str) -> None:
    simulator.arm("user_paying")

    assert wechat_v3.verified(wechat_v3.query(waiting))["trade_state"] == "USERPAYING"
    assert wechat_v3.verified(wechat_v3.query(waiting))["trade_state"] == "NOTPAY"


def test_a_fault_for_one_order_finds_it_under_every_number(
    simulator: Simulator, wechat_v3: WechatV3Client, paid: str
) -> None:
    wechat_v3.refund(paid, "R1", 500)
    transaction_id = simulator.trade(paid)["trade_no"]
    by_id = f"/v3/pay/transactions/id/{transaction_id}?mchid={wechat_v3.merchant.mch_id}"
    simulator.arm("http_500", match=paid, times=3)

    assert wechat_v3.query("another_order").status_code == 404
    assert wechat_v3.query(paid).status_code == 500
    assert wechat_v3.send("GET", by_id).status_code == 500
    assert wechat_v3.refund_query("R1").status_code == 500
    assert wechat_v3.query(paid).status_code == 200


def probed(delivery: Delivery) -> None:
    assert delivery.headers["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")


def old(delivery: Delivery) -> None:
    assert int(delivery.headers["Wechatpay-Timestamp"]) <= time.time() - 300


def stranger(delivery: Delivery) -> None:
    assert len(delivery.headers["Wechatpay-Serial"]) == 40


def bare(delivery: Delivery) -> None:
    assert [name for name in delivery.headers if name.startswith("wechatpay-")] == []


def whole(delivery: Delivery) -> None:
    assert delivery.json["event_type"] == "TRANSACTION.SUCCESS"


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("signtest", probed),
        ("stale", old),
        ("unknown_serial", stranger),
        ("no_sign", bare),
        ("forged", whole),
        ("tampered", whole),
    ],
)
def test_a_notification_that_proves_nothing_is_followed_by_a_genuine_one(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver, fault: str, seen: Any
) -> None:
    v3_receiver.answers = [(401, b'{"code":"FAIL"}')]
    wechat_v3.create("native", NUMBER)
    simulator.arm(fault)

    simulator.pay(NUMBER)

    first, second = v3_receiver.wait_for(2)
    seen(first)
    assert not wechat_v3.genuine(first)
    assert wechat_v3.told(second)["out_trade_no"] == NUMBER
    assert second.json["id"] == first.json["id"]


def test_a_stale_notification_is_otherwise_signed_rightly(
    simulator: Simulator,
    wechat_v3: WechatV3Client,
    v3_receiver: V3Receiver,
    waiting: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulator.arm("stale")

    simulator.pay(waiting)

    (delivery,) = v3_receiver.wait_for(1)
    then = int(delivery.headers["Wechatpay-Timestamp"])
    assert not wechat_v3.genuine(delivery)
    monkeypatch.setattr("tests.simulator.wechat_v3_merchant.time.time", lambda: float(then))
    assert wechat_v3.genuine(delivery)


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        ("wrong_amount", {"amount": {"total": 2013, "payer_total": 2013, "currency": "CNY", "payer_currency": "CNY"}}),
        ("wrong_app_id", {"appid": "wx0000000000000000"}),
        ("wrong_seller_id", {"mchid": "1900000000"}),
        ("wrong_merchant", {"appid": "wx0000000000000000", "mchid": "1900000000"}),
    ],
)
def test_a_false_notification_is_genuine_and_its_repetition_right(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver, fault: str, wrong: dict[str, Any]
) -> None:
    v3_receiver.answers = [(500, b"")]
    wechat_v3.create("native", NUMBER)
    simulator.arm(fault)

    simulator.pay(NUMBER)

    first, second = (wechat_v3.told(delivery) for delivery in v3_receiver.wait_for(2))
    assert {name: first[name] for name in wrong} == wrong
    assert second == wechat_v3.query(NUMBER).json()


def test_a_false_refund_tells_another_amount(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver, paid: str
) -> None:
    simulator.arm("wrong_amount")

    wechat_v3.refund(paid, "R1", 500)

    told = wechat_v3.told(v3_receiver.wait_for(2)[1])
    assert told["amount"]["refund"] == 501
    assert simulator.trade(paid)["refunded_fen"] == 500


def test_key_switch_makes_a_certificate_that_has_to_be_downloaded(
    simulator: Simulator, v3_receiver: V3Receiver
) -> None:
    merchant = simulator.register_wechat_merchant(mode="certificate")
    with WechatV3Client(merchant, notify_url=v3_receiver.url) as client:
        client.create("native", NUMBER)
        simulator.arm("key_switch")
        simulator.pay(NUMBER)

        (delivery,) = v3_receiver.wait_for(1)

        assert not client.genuine(delivery)
        told = client.send("GET", "/v3/certificates").json()["data"]
        known = {each["serial_no"]: client.opened(each["encrypt_certificate"]) for each in told}
        merchant.platform_certificates.append(known[delivery.headers["Wechatpay-Serial"]])
        assert client.told(delivery)["out_trade_no"] == NUMBER


def test_key_switch_makes_a_public_key_with_another_id(
    simulator: Simulator, wechat_v3: WechatV3Client, waiting: str
) -> None:
    simulator.arm("key_switch")

    answer = wechat_v3.query(waiting)

    known = {each["app_id"]: each["platform_public_key_id"] for each in simulator.merchants() if "mch_id" in each}
    assert answer.headers["Wechatpay-Serial"] == known[wechat_v3.merchant.app_id]
    assert answer.headers["Wechatpay-Serial"] != wechat_v3.merchant.platform_public_key_id
