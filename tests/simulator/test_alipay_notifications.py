"""Alipay: telling the merchant, again and again until it says `success`."""

import pytest

from tests.simulator.merchant import AlipayClient
from tests.simulator.receiver import Receiver, eventually
from tests.simulator_process import Simulator
from tests.web_process import held_port

NUMBER = "2018061530000035_1"
SCALE = 36_000
LATE_S = 20  # how late a busy machine may be; unscaled, even the first repetition would be later than that


def test_a_payment_is_told_signed_and_once(simulator: Simulator, alipay: AlipayClient, receiver: Receiver) -> None:
    alipay.precreate(NUMBER, subject="A+B 碎花 连衣裙")

    trade = simulator.pay(NUMBER)

    (notice,) = receiver.wait_for(1)
    assert alipay.genuine_notice(notice)
    assert notice["sign_type"] == "RSA2"
    assert notice["notify_type"] == "trade_status_sync"
    assert notice["trade_status"] == "TRADE_SUCCESS"
    assert (notice["out_trade_no"], notice["trade_no"]) == (NUMBER, trade["trade_no"])
    assert (notice["app_id"], notice["seller_id"]) == (alipay.merchant.app_id, alipay.merchant.seller_id)
    assert notice["total_amount"] == "20.12"
    assert notice["subject"] == "A+B 碎花 连衣裙"
    assert "refund_fee" not in notice
    (kept,) = eventually(lambda: [n for n in simulator.notifications(NUMBER) if n["state"] == "done"])
    assert kept["notify_id"] == notice["notify_id"]
    assert [delivery["answer"] for delivery in kept["deliveries"]] == ["success"]


def test_it_is_repeated_on_alipays_schedule_and_then_given_up(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver
) -> None:
    receiver.answers = [(200, b"failure")] * 9
    alipay.precreate(NUMBER)

    simulator.pay(NUMBER)
    eventually(lambda: simulator.notifications(NUMBER)[0]["state"] == "given_up")

    assert len(receiver.received) == 8
    assert len({notice["notify_id"] for notice in receiver.received}) == 1
    assert all(alipay.genuine_notice(notice) for notice in receiver.received)
    gaps = [later - earlier for earlier, later in zip(receiver.times, receiver.times[1:], strict=False)]
    minutes = [4, 10, 10, 60, 120, 360, 900]
    for gap, scheduled in zip(gaps, [60 * each / SCALE for each in minutes], strict=True):
        assert scheduled <= gap < scheduled + LATE_S


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"SUCCESS"),
        (200, b"success\n"),
        (200, b'"success"'),
        (200, b"<html>success</html>"),
        (200, b""),
        (500, b"success"),
        (302, b"success"),
    ],
)
def test_only_the_bare_word_ends_it(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver, answer: tuple[int, bytes]
) -> None:
    receiver.answers = [answer]
    alipay.precreate(NUMBER)

    simulator.pay(NUMBER)

    receiver.wait_for(2)
    (kept,) = eventually(lambda: [n for n in simulator.notifications(NUMBER) if n["state"] == "done"])
    assert [delivery["accepted"] for delivery in kept["deliveries"]] == [False, True]


def test_a_receiver_that_is_down_is_tried_again(simulator: Simulator) -> None:
    with (
        held_port() as held,
        AlipayClient(
            simulator.register_merchant(), notify_url="http://{}:{}/notify".format(*held.getsockname())
        ) as alipay,
    ):
        alipay.precreate(NUMBER)
        simulator.pay(NUMBER)

        kept = eventually(lambda: [n for n in simulator.notifications(NUMBER) if n["failures"] >= 2])[0]

    assert kept["deliveries"][0]["status"] is None
    assert "ConnectError" in kept["deliveries"][0]["answer"]


def test_without_an_address_nobody_is_told(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.call("alipay.trade.precreate", alipay.goods(NUMBER))

    simulator.pay(NUMBER)

    assert simulator.notifications(NUMBER) == []


def test_closing_is_told_for_apps_and_phones_only(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver
) -> None:
    simulator.use_app(alipay.order_string("app_1"), pay=False)
    alipay.precreate("qr_1")
    simulator.scan("qr_1")

    alipay.close("app_1")
    alipay.close("qr_1")

    (notice,) = receiver.wait_for(1)
    assert (notice["out_trade_no"], notice["trade_status"]) == ("app_1", "TRADE_CLOSED")
    assert "refund_fee" not in notice
    assert simulator.notifications("qr_1") == []


def test_the_end_of_refunding_is_told_for_apps(simulator: Simulator, alipay: AlipayClient, receiver: Receiver) -> None:
    simulator.use_app(alipay.order_string("app_1"))
    receiver.wait_for(1)

    simulator.finish("app_1")

    assert receiver.wait_for(2)[1]["trade_status"] == "TRADE_FINISHED"


def test_a_notification_can_be_sent_a_hundred_times_fifty_at_once(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver
) -> None:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)
    receiver.wait_for(1)
    (kept,) = simulator.notifications(NUMBER)

    answers = simulator.resend(kept["id"], times=100, at_once=50)

    assert [answer["answer"] for answer in answers] == ["success"] * 100
    assert len(receiver.received) == 101
    assert {notice["notify_id"] for notice in receiver.received} == {kept["notify_id"]}
