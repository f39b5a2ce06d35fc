"""Certificate mode: requests name our certificates, answers and notices name Alipay's."""

import dataclasses
import hashlib
import urllib.parse

import pytest

from payments.gateways.alipay.gateway import AlipayGateway
from payments.gateways.alipay.keys import certificate_serial, root_serial
from payments.gateways.base import GatewayUnavailable, NotificationRejected, Outcome, RawNotification
from tests.payments.gateways import certificates, scripted
from tests.payments.gateways.alipay_samples import NOTICE, NUMBER, PAID, QUERY


@pytest.fixture(scope="session")
def root_key():
    return scripted.rsa_key()


@pytest.fixture(scope="session")
def next_alipay_key():
    return scripted.rsa_key()


@pytest.fixture(scope="session")
def chain(root_key, merchant_key, alipay_key, next_alipay_key):
    def issue(key, subject):
        return certificates.certificate(key.public_key(), subject=subject, issuer_key=root_key)

    return {
        "root": issue(root_key, "Ant test CA"),
        "app": issue(merchant_key, "merchant"),
        "alipay": issue(alipay_key, "alipay"),
        "next alipay": issue(next_alipay_key, "alipay"),
    }


@pytest.fixture
def signed_by(alipay_key, next_alipay_key, strangers_key):
    """An answer to a query by one of the keys, beside the serial number that it names."""
    known = {"alipay": alipay_key, "next alipay": next_alipay_key, "stranger": strangers_key}

    def signed_by(signer, serial_number):
        beside = {"alipay_cert_sn": serial_number} if serial_number else {}
        return scripted.body(scripted.signed_answer(known[signer], "alipay_trade_query_response", PAID, **beside))

    return signed_by


@pytest.fixture
def account(account, chain):
    return dataclasses.replace(
        account,
        alipay_public_key="",
        app_cert=certificates.pem(chain["app"], chain["root"]),
        alipay_cert=certificates.pem(chain["alipay"], chain["next alipay"]),
        root_cert=certificates.pem(certificates.elliptic_root(), chain["root"], chain["app"]),
    )


def serial(certificate):
    return certificate_serial(certificate)


def test_a_serial_is_md5_of_issuer_backwards_and_number(chain):
    text = "CN=Ant test CA,OU=Certification Authority test,O=Ant Financial test,C=CN" + str(chain["app"].serial_number)

    assert serial(chain["app"]) == hashlib.md5(text.encode()).hexdigest()


def test_only_certificates_signed_with_rsa_count_for_the_root(chain):
    text = certificates.pem(certificates.elliptic_root(), chain["root"], certificates.elliptic_root(), chain["app"])

    assert root_serial(text) == f"{serial(chain['root'])}_{serial(chain['app'])}"


def test_requests_name_and_sign_both_serials(gateway, server, chain, alipay_answers):
    alipay_answers(QUERY, PAID, alipay_cert_sn=serial(chain["alipay"]))

    assert gateway.query_payment(NUMBER).outcome is Outcome.SUCCEEDED

    assert server.forms[0]["app_cert_sn"] == serial(chain["app"])
    assert server.forms[0]["alipay_root_cert_sn"] == f"{serial(chain['root'])}_{serial(chain['app'])}"


@pytest.mark.parametrize("signer_and_named", [("alipay", "alipay"), ("next alipay", "next alipay"), ("alipay", "")])
def test_the_certificate_an_answer_names_is_the_one_it_is_verified_with(
    gateway, server, chain, signed_by, signer_and_named
):
    signer, named = signer_and_named
    server.then(signed_by(signer, serial(chain[named]) if named else ""))

    assert gateway.query_payment(NUMBER).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("signer_and_named", [("stranger", "alipay"), ("next alipay", "alipay"), ("stranger", "none")])
def test_a_certificate_that_did_not_sign_is_not_believed(gateway, server, chain, signed_by, signer_and_named):
    signer, named = signer_and_named
    server.then(signed_by(signer, serial(chain[named]) if named in chain else "0" * 32))

    with pytest.raises(GatewayUnavailable, match="wrong signature"):
        gateway.query_payment(NUMBER)


@pytest.mark.parametrize("signed", [True, False])
def test_a_notice_may_name_its_certificate_signed_or_not(gateway, chain, next_alipay_key, signed):
    cert_sn = {"alipay_cert_sn": serial(chain["next alipay"])}
    body = scripted.signed_notification(next_alipay_key, NOTICE | (cert_sn if signed else {}))
    if not signed:
        body += b"&" + urllib.parse.urlencode(cert_sn).encode()

    assert gateway.parse_notification(RawNotification(headers={}, body=body)).payment.number == NUMBER


def test_a_notice_of_a_stranger_does_not_become_ours_by_naming_our_certificate(gateway, chain, strangers_key):
    body = scripted.signed_notification(strangers_key, NOTICE | {"alipay_cert_sn": serial(chain["alipay"])})

    with pytest.raises(NotificationRejected) as rejected:
        gateway.parse_notification(RawNotification(headers={}, body=body))

    assert rejected.value.reason == "bad_signature"


@pytest.mark.parametrize("missing", ["app_cert", "alipay_cert", "root_cert"])
def test_certificate_mode_needs_all_three(account, missing):
    with pytest.raises(ValueError, match="needs app_cert, alipay_cert and root_cert"):
        AlipayGateway(dataclasses.replace(account, **{missing: ""}))


def test_the_certificate_of_another_application_is_noticed(account, chain):
    with pytest.raises(ValueError, match="not the certificate of private_key"):
        AlipayGateway(dataclasses.replace(account, app_cert=certificates.pem(chain["alipay"])))


def test_the_applications_certificate_in_place_of_alipays_is_noticed(account, chain):
    with pytest.raises(ValueError, match="Alipay's own is needed"):
        AlipayGateway(dataclasses.replace(account, alipay_cert=certificates.pem(chain["app"])))


def test_a_file_without_an_rsa_certificate_is_no_alipay_certificate(account):
    with pytest.raises(ValueError, match="no RSA certificate"):
        AlipayGateway(dataclasses.replace(account, alipay_cert=certificates.pem(certificates.elliptic_root())))
