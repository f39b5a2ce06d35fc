"""The control API at its edges."""

from typing import Any

import httpx
import pytest

from tests.simulator.merchant import AlipayClient
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "trades/nobody_asked/", None, 404),
        ("POST", "trades/nobody_asked/pay", None, 404),
        ("POST", "notifications/999999/resend", None, 404),
        ("DELETE", "trades/", None, 405),
        ("POST", "faults/", {"fault": "gremlins"}, 400),
        ("POST", "faults/", {"fault": "slow", "times": 0}, 400),
        ("POST", "faults/", {"fault": "slow", "times": True}, 400),
        ("POST", "faults/", {"fault": "slow", "delay_ms": -1}, 400),
        ("POST", "faults/", [], 400),
        ("POST", "merchants/", {"app_id": "x", "seller_id": "2088102146225135"}, 400),
        ("POST", "merchants/", {"app_id": "2021000000000001", "seller_id": "1"}, 400),
        ("POST", "merchants/", {"app_id": "2021000000000001", "seller_id": "2088102146225135"}, 400),
        ("POST", "merchants/", {"mode": "trust me"}, 400),
    ],
)
def test_a_wrong_call_is_told_why(simulator: Simulator, method: str, path: str, body: Any, status: int) -> None:
    answer = httpx.request(method, f"{simulator.control}{path}", json=body, trust_env=False)

    assert answer.status_code == status
    assert answer.json()["error"]
    assert simulator.faults() == []


def test_a_body_that_is_not_json_is_refused(simulator: Simulator) -> None:
    assert httpx.post(f"{simulator.control}faults/", content=b"{", trust_env=False).status_code == 400


def test_a_page_of_another_site_cannot_pay(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER)

    address = f"{simulator.control}trades/{NUMBER}/pay"
    answer = httpx.post(address, headers={"Origin": "https://evil.example"}, trust_env=False)

    assert answer.status_code == 403
    assert simulator.trade(NUMBER)["status"] == "offered"


def test_paying_twice_is_a_conflict(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)

    answer = httpx.post(f"{simulator.control}trades/{NUMBER}/pay", trust_env=False)

    assert answer.status_code == 409
    assert len(simulator.notifications(NUMBER)) == 1


def test_trades_are_found_by_number(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate("a_1")
    alipay.precreate("b_1")

    assert [trade["out_trade_no"] for trade in simulator.trades()] == ["b_1", "a_1"]
    assert [trade["out_trade_no"] for trade in simulator.trades(out_trade_no="a_1")] == ["a_1"]


def test_the_menu_explains_itself(simulator: Simulator) -> None:
    menu = simulator.call("GET", "faults/")["menu"]

    assert {"lost", "timeout_after", "fund_change_n"} <= {kind["fault"] for kind in menu}
    assert all(kind["what"] for kind in menu)


def test_a_cleared_book_keeps_its_merchants(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)
    simulator.arm("slow")

    simulator.clear()

    assert simulator.trades() == []
    assert simulator.notifications(NUMBER) == []
    assert simulator.faults() == []
    assert alipay.query(NUMBER)["sub_code"] == "ACQ.TRADE_NOT_EXIST"


def test_registering_again_keeps_alipays_key(simulator: Simulator, alipay: AlipayClient) -> None:
    again = simulator.register_merchant(app_id=alipay.merchant.app_id)

    assert again.alipay_public_key == alipay.merchant.alipay_public_key
