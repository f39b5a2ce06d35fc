"""Alipay in certificate mode."""

import base64
import dataclasses
import hashlib
from collections.abc import Iterator

import pytest
from cryptography import x509

from tests.simulator.merchant import AlipayClient
from tests.simulator.receiver import Receiver
from tests.simulator_process import SimulatedMerchant, Simulator

NUMBER = "2018061530000035_1"


@pytest.fixture
def certified(simulator: Simulator, receiver: Receiver) -> Iterator[AlipayClient]:
    with AlipayClient(simulator.register_merchant(mode="certificate"), notify_url=receiver.url) as client:
        yield client


def test_answers_name_the_certificate_they_are_signed_with(certified: AlipayClient) -> None:
    signed = certified.sign(certified.parameters("alipay.trade.precreate", certified.goods(NUMBER)))

    answer = certified.post(signed)

    assert certified.verified("alipay.trade.precreate", answer.text)["code"] == "10000"
    assert answer.json()["alipay_cert_sn"] == certified.merchant.alipay_cert_sn


def test_notifications_verify_under_the_certificate(
    simulator: Simulator, certified: AlipayClient, receiver: Receiver
) -> None:
    certified.precreate(NUMBER)
    simulator.pay(NUMBER)

    assert certified.genuine_notice(receiver.wait_for(1)[0])


def test_serial_numbers_are_md5_of_issuer_and_number(certified: AlipayClient) -> None:
    merchant = certified.merchant

    assert _serial(merchant.app_certificate) == merchant.app_cert_sn
    assert _serial(merchant.alipay_certificate) == merchant.alipay_cert_sn


def test_the_root_bundle_counts_only_rsa_roots(certified: AlipayClient) -> None:
    bundle = certified.merchant.alipay_root_certificate
    ec_root, rsa_root = [
        part + "-----END CERTIFICATE-----\n" for part in bundle.split("-----END CERTIFICATE-----\n")[:2]
    ]

    assert certified.merchant.alipay_root_cert_sn == _serial(rsa_root)
    assert certified.merchant.alipay_root_cert_sn != _serial(ec_root)
    alipays = x509.load_pem_x509_certificate(certified.merchant.alipay_certificate.encode())
    alipays.verify_directly_issued_by(x509.load_pem_x509_certificate(rsa_root.encode()))


@pytest.mark.parametrize(
    ("changed", "sub_code"),
    [
        ({"app_cert_sn": ""}, "isv.missing-app-cert-sn"),
        ({"app_cert_sn": "0" * 32}, "isv.app-cert-not-exist"),
        ({"alipay_root_cert_sn": ""}, "isv.missing-alipay-root-cert-sn"),
        ({"alipay_root_cert_sn": "0" * 32}, "isv.invalid-alipay-root-cert-sn"),
    ],
)
def test_a_request_must_name_both_certificates(
    simulator: Simulator, certified: AlipayClient, changed: dict[str, str], sub_code: str
) -> None:
    parameters = certified.parameters("alipay.trade.precreate", certified.goods(NUMBER)) | changed

    answer = certified.post(certified.sign(parameters)).json()

    assert answer["alipay_trade_precreate_response"]["sub_code"] == sub_code
    assert simulator.trades() == []


def test_after_a_key_switch_the_new_certificate_can_be_fetched(simulator: Simulator, certified: AlipayClient) -> None:
    simulator.arm("key_switch")
    signed = certified.sign(certified.parameters("alipay.trade.precreate", certified.goods(NUMBER)))
    answer = certified.post(signed)
    new_sn = answer.json()["alipay_cert_sn"]
    assert new_sn != certified.merchant.alipay_cert_sn
    assert not certified.genuine(*certified.split("alipay.trade.precreate", answer.text))

    method = "alipay.open.app.alipaycert.download"
    asked = certified.sign(certified.parameters(method, {"alipay_cert_sn": new_sn}))
    node = certified.post(asked).json()["alipay_open_app_alipaycert_download_response"]

    fetched = base64.b64decode(node["alipay_cert_content"]).decode()
    assert _serial(fetched) == new_sn
    certified.merchant = dataclasses.replace(certified.merchant, alipay_certificate=fetched)
    assert certified.genuine(*certified.split("alipay.trade.precreate", answer.text))


def test_a_merchant_may_bring_its_certificate(simulator: Simulator, certified: AlipayClient) -> None:
    again = simulator.register_merchant(
        app_id=certified.merchant.app_id, app_public_key="", app_certificate=certified.merchant.app_certificate
    )

    assert isinstance(again, SimulatedMerchant)
    assert again.app_cert_sn == certified.merchant.app_cert_sn
    assert again.alipay_certificate == certified.merchant.alipay_certificate


def _serial(certificate_pem: str) -> str:
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    issuer = {attribute.rfc4514_attribute_name: attribute.value for attribute in certificate.issuer}
    text = "CN={CN},OU={OU},O={O},C={C}".format(**issuer) + str(certificate.serial_number)
    return hashlib.md5(text.encode()).hexdigest()
