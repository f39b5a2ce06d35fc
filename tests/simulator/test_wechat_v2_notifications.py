"""WeChat Pay v2: telling the merchant of payments and refunds, until its XML says SUCCESS."""

import pytest

from tests.simulator.receiver import eventually
from tests.simulator.wechat_v2_merchant import TAKEN, V2Receiver, WechatV2Client
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"
SECONDS = [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600]
SCALE = 36_000


@pytest.mark.parametrize("sign_type", ["MD5", "HMAC-SHA256"])
def test_a_payment_is_told_under_the_orders_way_to_sign(
    simulator: Simulator, v2_receiver: V2Receiver, sign_type: str
) -> None:
    merchant = simulator.register_wechat_merchant()
    with WechatV2Client(merchant, notify_url=v2_receiver.url, sign_type=sign_type) as client:
        client.order(NUMBER, attach="柜台 3")
        paid = simulator.pay(NUMBER)
        (notice,) = v2_receiver.wait_for(1)

        assert client.genuine(notice)
        assert notice.get("sign_type", "MD5") == sign_type
        assert (notice["return_code"], notice["result_code"]) == ("SUCCESS", "SUCCESS")
        assert (notice["appid"], notice["mch_id"]) == (merchant.app_id, merchant.mch_id)
        assert (notice["out_trade_no"], notice["transaction_id"]) == (NUMBER, paid["trade_no"])
        assert (notice["total_fee"], notice["cash_fee"], notice["trade_type"]) == ("2012", "2012", "NATIVE")
        assert notice["attach"] == "柜台 3"
        assert notice["time_end"] == client.query(NUMBER)["time_end"]
    (kept,) = eventually(lambda: [n for n in simulator.notifications(NUMBER) if n["state"] == "done"])
    assert [delivery["answer"] for delivery in kept["deliveries"]] == [TAKEN.decode()]


def test_a_refund_is_told_under_the_digest_of_the_key(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver
) -> None:
    wechat_v2.order(NUMBER)
    simulator.pay(NUMBER)
    v2_receiver.wait_for(1)

    accepted = wechat_v2.refund(NUMBER, "R1", 500)

    notice = v2_receiver.wait_for(2)[1]
    assert set(notice) == {"return_code", "appid", "mch_id", "nonce_str", "req_info"}
    told = wechat_v2.opened(notice)
    assert (told["out_trade_no"], told["out_refund_no"]) == (NUMBER, "R1")
    assert (told["refund_id"], told["refund_status"]) == (accepted["refund_id"], "SUCCESS")
    assert (told["refund_fee"], told["total_fee"]) == ("500", "2012")
    assert told["success_time"] == wechat_v2.refund_query("R1")["refund_success_time_0"]


def test_a_refund_that_names_no_address_is_told_nowhere(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver
) -> None:
    wechat_v2.order(NUMBER)
    simulator.pay(NUMBER)
    wechat_v2.refund(NUMBER, "R1", 500, notify_url=None)
    eventually(lambda: simulator.trade(NUMBER)["refunded_fen"] == 500)

    assert [notice["event"] for notice in simulator.notifications(NUMBER)] == ["paid"]


def test_closing_is_not_told(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    wechat_v2.order(NUMBER)

    simulator.close(NUMBER)

    assert simulator.notifications(NUMBER) == []


def test_it_is_repeated_on_wechats_schedule_and_then_given_up(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver
) -> None:
    v2_receiver.answers = [(200, b"<xml><return_code>FAIL</return_code></xml>")] * 17
    wechat_v2.order(NUMBER)

    simulator.pay(NUMBER)
    eventually(lambda: simulator.notifications(NUMBER)[0]["state"] == "given_up")

    assert len(v2_receiver.received) == 16
    assert all(wechat_v2.genuine(notice) for notice in v2_receiver.received)
    assert len({notice["transaction_id"] for notice in v2_receiver.received}) == 1
    gaps = [later - earlier for earlier, later in zip(v2_receiver.times, v2_receiver.times[1:], strict=False)]
    for gap, scheduled in zip(gaps, [seconds / SCALE for seconds in SECONDS], strict=True):
        assert scheduled <= gap


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"SUCCESS"),
        (200, b"ok"),
        (200, b'{"return_code":"SUCCESS"}'),
        (200, b"<html>SUCCESS</html>"),
        (200, b"<xml><return_code>FAIL</return_code></xml>"),
        (200, b"<xml>\\n<return_code>success</return_code>\\n</xml>"),
        (200, b""),
        (500, TAKEN),
        (302, TAKEN),
    ],
)
def test_only_xml_that_says_success_ends_it(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver, answer: tuple[int, bytes]
) -> None:
    v2_receiver.answers = [answer]
    wechat_v2.order(NUMBER)

    simulator.pay(NUMBER)

    v2_receiver.wait_for(2)
    (kept,) = eventually(lambda: [n for n in simulator.notifications(NUMBER) if n["state"] == "done"])
    assert [delivery["accepted"] for delivery in kept["deliveries"]] == [False, True]


def test_a_notification_can_be_sent_again_by_hand(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver
) -> None:
    wechat_v2.order(NUMBER)
    simulator.pay(NUMBER)
    v2_receiver.wait_for(1)
    (kept,) = simulator.notifications(NUMBER)

    sent = simulator.resend(kept["id"], times=10, at_once=5)

    assert [each["accepted"] for each in sent] == [True] * 10
    assert len(v2_receiver.received) == 11
