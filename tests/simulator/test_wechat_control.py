"""The control API for WeChat Pay: its merchants, and playing with its orders."""

from typing import Any

import httpx
import pytest
from cryptography import x509

from tests.simulator.wechat_v2_merchant import WechatV2Client
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"
IDS = {"gateway": "wechat", "app_id": "wx2421b1c4370ec43b", "mch_id": "1900009191"}


def test_a_merchant_gets_all_it_needs_for_both_apis(simulator: Simulator) -> None:
    merchant = simulator.register_wechat_merchant()

    assert merchant.base_url == simulator.url
    assert (len(merchant.api_key), len(merchant.api_v3_key), len(merchant.app_secret)) == (32, 32, 32)
    certificate = x509.load_pem_x509_certificate(merchant.app_certificate.encode())
    assert f"{certificate.serial_number:040X}" == merchant.app_cert_sn
    assert merchant.platform_public_key_id.startswith(f"PUB_KEY_ID_0{merchant.mch_id}")
    (platform,) = merchant.platform_certificates
    serial = x509.load_pem_x509_certificate(platform.encode()).serial_number
    assert merchant.platform_certificate_serials == [f"{serial:040X}"]


def test_registering_again_keeps_what_is_not_handed_in(simulator: Simulator) -> None:
    first = simulator.register_wechat_merchant()

    again = simulator.register_wechat_merchant(mch_id=first.mch_id, api_key="a" * 32, mode="certificate")

    assert (again.api_key, again.mode) == ("a" * 32, "certificate")
    for name in ("api_v3_key", "app_secret", "app_cert_sn", "platform_public_key_id", "platform_certificates"):
        assert getattr(again, name) == getattr(first, name)


def test_a_merchant_may_hand_in_its_certificate(simulator: Simulator) -> None:
    issued = simulator.register_wechat_merchant()

    kept = simulator.register_wechat_merchant(
        mch_id=issued.mch_id, app_certificate=issued.app_certificate, app_public_key=""
    )

    assert (kept.app_cert_sn, kept.app_public_key) == (issued.app_cert_sn, issued.app_public_key)


@pytest.mark.parametrize(
    "changed",
    [
        {"gateway": "paypal"},
        {"app_id": "2021000000000001"},
        {"mch_id": "1"},
        {"app_public_key": ""},
        {"app_public_key": "no key"},
        {"app_certificate": "no certificate"},
        {"api_key": "short"},
        {"api_v3_key": "!" * 32},
        {"api_key": 1},
        {"mode": "trust me"},
        {"closable_after_s": -1},
        {"closable_after_s": "300"},
    ],
)
def test_a_wrong_merchant_is_told_why(simulator: Simulator, changed: dict[str, Any]) -> None:
    before = simulator.merchants()
    key = simulator.register_wechat_merchant(mch_id="1900000001").app_public_key
    asked = {**IDS, "app_public_key": key, **changed}

    answer = httpx.post(f"{simulator.control}merchants/", json=asked, trust_env=False)

    assert answer.status_code == 400
    assert answer.json()["error"]
    assert len(simulator.merchants()) <= len(before) + 1


def test_an_app_is_bound_to_one_merchant_number(simulator: Simulator) -> None:
    known = simulator.register_wechat_merchant()
    common = {"gateway": "wechat", "app_public_key": known.app_public_key}

    for bound in (
        {"app_id": known.app_id, "mch_id": "1800000001"},
        {"app_id": "wx" + "z" * 16, "mch_id": known.mch_id},
    ):
        answer = httpx.post(f"{simulator.control}merchants/", json=common | bound, trust_env=False)
        assert answer.status_code == 400


def test_merchants_are_listed_by_gateway(simulator: Simulator) -> None:
    simulator.register_merchant()
    known = simulator.register_wechat_merchant()

    listed = simulator.call("GET", "merchants/?gateway=wechat")["merchants"]

    assert {merchant["gateway"] for merchant in listed} == {"wechat"}
    assert known.mch_id in {merchant["mch_id"] for merchant in listed}
    assert {merchant["gateway"] for merchant in simulator.merchants()} == {"wechat", "alipay"}


def test_an_order_tells_its_handles(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    answer = wechat_v2.order(NUMBER)

    shape = simulator.trade(NUMBER)

    assert (shape["gateway"], shape["api"]) == ("wechat", "v2")
    assert (shape["code_url"], shape["prepay_id"]) == (answer["code_url"], answer["prepay_id"])
    assert (shape["app_id"], shape["seller_id"]) == (wechat_v2.merchant.app_id, wechat_v2.merchant.mch_id)
    assert shape["pay_url"].startswith(f"{simulator.url}/cashier/")


def test_ageing_moves_the_beginning_and_not_the_end(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    wechat_v2.order(NUMBER)
    before = simulator.trade(NUMBER)

    after = simulator.age(NUMBER, seconds=3600)

    assert after["offered_at"] < before["offered_at"]
    assert after["started_at"] < before["started_at"]
    assert (after["expires_at"], after["status"]) == (before["expires_at"], "waiting")


@pytest.mark.parametrize("parameters", [None, [], {"appId": 1}])
def test_wechat_cannot_be_called_with_nonsense(simulator: Simulator, parameters: Any) -> None:
    address = f"{simulator.control}wechat/call/"

    assert httpx.post(address, json={"parameters": parameters}, trust_env=False).status_code == 400


def test_the_menu_names_wechats_faults(simulator: Simulator) -> None:
    menu = {kind["fault"]: kind["wires"] for kind in simulator.call("GET", "faults/")["menu"]}

    both = {"user_paying", "abnormal_refund", "refund_closed", "not_enough", "no_sign"}
    assert {fault for fault, wires in menu.items() if wires == ["wechat/v2", "wechat/v3"]} == both
    assert {fault for fault, wires in menu.items() if wires == ["wechat/v3"]} == {"signtest", "stale", "unknown_serial"}
    assert menu["order_paid"] == []
