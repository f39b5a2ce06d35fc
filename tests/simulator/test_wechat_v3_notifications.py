"""WeChat Pay APIv3: telling the merchant of payments and refunds, signed and encrypted, until it says 200 or 204."""

import pytest

from tests.simulator.receiver import eventually
from tests.simulator.wechat_v3_merchant import V3Receiver, WechatV3Client
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"
SECONDS = [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600]
SCALE = 36_000


@pytest.fixture
def paid(simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver) -> str:
    """An order that was paid, and told so."""
    wechat_v3.create("jsapi", NUMBER)
    simulator.pay(NUMBER)
    v3_receiver.wait_for(1)
    return NUMBER


def test_a_payment_is_told_as_a_query_would_answer_it(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver, paid: str
) -> None:
    (delivery,) = v3_receiver.received

    assert wechat_v3.told(delivery) == wechat_v3.verified(wechat_v3.query(paid))
    told = delivery.json
    (kept,) = eventually(lambda: [n for n in simulator.notifications(paid) if n["state"] == "done"])
    assert told["id"] == kept["notify_id"]
    assert (told["event_type"], told["summary"]) == ("TRANSACTION.SUCCESS", "支付成功")
    assert told["resource_type"] == "encrypt-resource"
    assert told["create_time"].endswith("+08:00")
    sealed = told["resource"]
    assert (sealed["original_type"], sealed["associated_data"]) == ("transaction", "transaction")
    assert len(sealed["nonce"]) == 12
    assert delivery.headers["Content-Type"] == "application/json"


def test_a_refund_is_told_when_the_money_has_moved(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver, paid: str
) -> None:
    asked = wechat_v3.verified(wechat_v3.refund(paid, "R1", 500))

    assert asked["status"] == "PROCESSING"
    delivery = v3_receiver.wait_for(2)[1]
    told, answer = wechat_v3.told(delivery), wechat_v3.verified(wechat_v3.refund_query("R1"))
    assert delivery.json["event_type"] == "REFUND.SUCCESS"
    assert delivery.json["resource"]["original_type"] == "refund"
    assert (told["mchid"], told["out_trade_no"]) == (wechat_v3.merchant.mch_id, paid)
    assert (told["refund_status"], answer["status"]) == ("SUCCESS", "SUCCESS")
    for name in ("out_refund_no", "refund_id", "transaction_id", "success_time", "user_received_account"):
        assert told[name] == answer[name]
    assert told["amount"] == {"total": 2012, "refund": 500, "payer_total": 2012, "payer_refund": 500}
    assert wechat_v3.query(paid).json()["trade_state"] == "REFUND"


def test_a_refund_is_told_where_its_own_request_said(
    wechat_v3: WechatV3Client, v3_receiver: V3Receiver, paid: str
) -> None:
    with V3Receiver() as elsewhere:
        wechat_v3.refund(paid, "R1", 500, notify_url=elsewhere.url)

        assert wechat_v3.told(elsewhere.wait_for(1)[0])["out_refund_no"] == "R1"
    assert len(v3_receiver.received) == 1


def test_a_refund_without_an_address_is_not_told(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver, paid: str
) -> None:
    wechat_v3.refund(paid, "R1", 500, notify_url=None)

    eventually(lambda: wechat_v3.refund_query("R1").json()["status"] == "SUCCESS")
    assert [each["event"] for each in simulator.notifications(paid)] == ["paid"]


def test_the_same_refund_asked_for_twice_moves_money_once(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver, paid: str
) -> None:
    first = wechat_v3.refund(paid, "R1", 500).json()
    again = wechat_v3.verified(wechat_v3.refund(paid, "R1", 500))

    assert again["refund_id"] == first["refund_id"]
    v3_receiver.wait_for(2)
    assert simulator.trade(paid)["refunded_fen"] == 500
    assert len(simulator.notifications(paid)) == 2


def test_an_order_is_refunded_by_wechats_number_and_in_parts(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver, paid: str
) -> None:
    transaction_id = simulator.trade(paid)["trade_no"]
    wechat_v3.refund("", "R1", 2000, out_trade_no=None, transaction_id=transaction_id, reason="不合身")
    wechat_v3.refund(paid, "R2", 12)

    v3_receiver.wait_for(3)
    assert simulator.trade(paid)["refunded_fen"] == 2012
    assert wechat_v3.query(paid).json()["trade_state"] == "REFUND"


@pytest.mark.parametrize("fault", ["abnormal_refund", "refund_closed"])
def test_a_refund_that_came_to_nothing_is_told_and_tried_again_under_its_number(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver, paid: str, fault: str
) -> None:
    status = {"abnormal_refund": "ABNORMAL", "refund_closed": "CLOSED"}[fault]
    simulator.arm(fault)
    wechat_v3.refund(paid, "R1", 500)

    delivery = v3_receiver.wait_for(2)[1]

    assert delivery.json["event_type"] == f"REFUND.{status}"
    assert wechat_v3.told(delivery)["refund_status"] == status
    assert "success_time" not in wechat_v3.told(delivery)
    assert wechat_v3.refund_query("R1").json()["status"] == status
    assert simulator.trade(paid)["refunded_fen"] == 0

    wechat_v3.refund(paid, "R1", 500)

    assert v3_receiver.wait_for(3)[2].json["event_type"] == "REFUND.SUCCESS"
    assert simulator.trade(paid)["refunded_fen"] == 500


def test_a_refund_may_stay_under_way(simulator: Simulator, wechat_v3: WechatV3Client, paid: str) -> None:
    simulator.arm("refund_not_done")

    assert wechat_v3.refund(paid, "R1", 500).json()["status"] == "PROCESSING"

    assert wechat_v3.verified(wechat_v3.refund_query("R1"))["status"] == "PROCESSING"
    assert simulator.trade(paid)["refunded_fen"] == 0


@pytest.mark.parametrize("answer", [(200, b""), (204, b""), (200, b'{"code":"FAIL","message":"no"}')])
def test_the_status_alone_ends_it(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver, answer: tuple[int, bytes]
) -> None:
    v3_receiver.answers = [answer]
    wechat_v3.create("native", NUMBER)

    simulator.pay(NUMBER)

    (kept,) = eventually(lambda: [n for n in simulator.notifications(NUMBER) if n["state"] == "done"])
    assert [delivery["accepted"] for delivery in kept["deliveries"]] == [True]


@pytest.mark.parametrize("status", [201, 202, 302, 400, 401, 500])
def test_any_other_status_brings_it_again(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver, status: int
) -> None:
    v3_receiver.answers = [(status, b'{"code":"SUCCESS"}')]
    wechat_v3.create("native", NUMBER)

    simulator.pay(NUMBER)

    first, second = v3_receiver.wait_for(2)
    assert first.json["id"] == second.json["id"]
    assert wechat_v3.told(first) == wechat_v3.told(second)


def test_it_is_repeated_on_wechats_schedule_and_then_given_up(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver
) -> None:
    v3_receiver.answers = [(500, b"")] * 17
    wechat_v3.create("native", NUMBER)

    simulator.pay(NUMBER)
    eventually(lambda: simulator.notifications(NUMBER)[0]["state"] == "given_up", within_s=30)

    assert len(v3_receiver.received) == 16
    assert all(wechat_v3.genuine(delivery) for delivery in v3_receiver.received)
    gaps = [later - earlier for earlier, later in zip(v3_receiver.times, v3_receiver.times[1:], strict=False)]
    for gap, seconds in zip(gaps, SECONDS, strict=True):
        assert seconds / SCALE <= gap < seconds / SCALE + 1


@pytest.mark.parametrize("mode", ["public_key", "certificate"])
def test_a_merchants_mode_says_which_key_signs(simulator: Simulator, v3_receiver: V3Receiver, mode: str) -> None:
    merchant = simulator.register_wechat_merchant(mode=mode)
    with WechatV3Client(merchant, notify_url=v3_receiver.url) as client:
        client.create("native", NUMBER)
        simulator.pay(NUMBER)

        delivery = v3_receiver.wait_for(1)[0]

        assert client.genuine(delivery)
    expected = merchant.platform_public_key_id if mode == "public_key" else merchant.platform_certificate_serials[-1]
    assert delivery.headers["Wechatpay-Serial"] == expected


def test_in_the_grey_period_either_key_signs(simulator: Simulator, v3_receiver: V3Receiver) -> None:
    merchant = simulator.register_wechat_merchant(mode="grey")
    with WechatV3Client(merchant, notify_url=v3_receiver.url) as client:
        client.create("native", NUMBER)
        simulator.pay(NUMBER)
        v3_receiver.wait_for(1)

        simulator.resend(simulator.notifications(NUMBER)[0]["id"], times=60)

        assert all(client.genuine(delivery) for delivery in v3_receiver.received)
    used = {delivery.headers["Wechatpay-Serial"] for delivery in v3_receiver.received}
    assert used == {merchant.platform_public_key_id, merchant.platform_certificate_serials[-1]}


def test_every_delivery_is_sealed_anew(
    simulator: Simulator, wechat_v3: WechatV3Client, v3_receiver: V3Receiver
) -> None:
    v3_receiver.answers = [(500, b"")]
    wechat_v3.create("native", NUMBER)

    simulator.pay(NUMBER)

    first, second = v3_receiver.wait_for(2)
    assert first.json["resource"]["nonce"] != second.json["resource"]["nonce"]
    assert first.headers["Wechatpay-Nonce"] != second.headers["Wechatpay-Nonce"]
