"""An account that cannot work says so when it is opened, and keeps its secrets; whose keys it trusts."""

import dataclasses

import pytest
from cryptography.hazmat.primitives import serialization

from payments.gateways.base import GatewayRefused, GatewayUnavailable, Outcome
from payments.gateways.wechat_v3.gateway import WechatV3Gateway
from tests.payments.gateways import certificates, scripted
from tests.payments.gateways.wechat_v3_samples import KEY_ID, NUMBER, PAID, answer, no, seal


@pytest.fixture(scope="session")
def platform():
    """WeChat's certificate of today and the next one, each with its key."""
    ca = scripted.rsa_key()
    found = {}
    for name in ("today", "next"):
        key = scripted.rsa_key()
        found[name] = key, certificates.certificate(key.public_key(), subject="Tenpay.com", issuer_key=ca)
    return found


@pytest.fixture
def certificate_account(v3_account, platform):
    today = certificates.pem(platform["today"][1])
    return dataclasses.replace(v3_account, public_key_id="", public_key="", platform_certificates=today)


def serial(certificate):
    return f"{certificate.serial_number:040X}"


def encrypted_under_a_password():
    pkcs8 = serialization.PrivateFormat.PKCS8
    encryption = serialization.BestAvailableEncryption(b"secret")
    return scripted.rsa_key().private_bytes(serialization.Encoding.PEM, pkcs8, encryption).decode()


# --- configuration


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"app_id": ""}, "app_id is needed"),
        ({"merchant_id": ""}, "merchant_id is"),
        ({"merchant_id": '1",serial_no="2'}, "merchant_id is"),
        ({"serial_no": ""}, "serial_no is"),
        ({"serial_no": "PUB_KEY_ID_01"}, "serial_no is"),
        ({"api_v3_key": "0123456789abcdef"}, "32 characters"),
        ({"api_v3_key": "密" * 32}, "32 characters"),
        ({"base_url": "api.mch.weixin.qq.com"}, "base_url must be absolute"),
        ({"private_key": ""}, "private_key: not an RSA private key"),
        ({"private_key": "nonsense"}, "private_key: not an RSA private key"),
        ({"private_key": encrypted_under_a_password()}, "private_key: not an RSA private key"),
        ({"public_key": "nonsense"}, "public_key: not an RSA public key"),
        ({"public_key": ""}, "belong together"),
        ({"public_key_id": ""}, "belong together"),
        ({"public_key_id": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"}, "begins with PUB_KEY_ID_"),
        ({"public_key": "", "public_key_id": ""}, "is needed"),
        ({"platform_certificates": "nonsense"}, "platform_certificates: "),
        ({"platform_certificates": certificates.pem(certificates.elliptic_root())}, "without an RSA key"),
    ],
)
def test_an_account_that_cannot_work_says_so_when_it_is_opened(v3_account, change, words):
    with pytest.raises(ValueError, match=words):
        WechatV3Gateway(dataclasses.replace(v3_account, **change))


def test_the_classic_mix_up_of_keys_is_noticed(v3_account, merchant_key):
    own = certificates.certificate(merchant_key.public_key(), issuer_key=merchant_key)

    for mix_up in ({"public_key": scripted.public_pem(merchant_key)}, {"platform_certificates": certificates.pem(own)}):
        with pytest.raises(ValueError, match="WeChat Pay's is needed"):
            WechatV3Gateway(dataclasses.replace(v3_account, **mix_up))


def test_an_account_does_not_show_its_secrets(v3_account):
    assert "PRIVATE KEY" not in repr(v3_account)
    assert v3_account.api_v3_key not in repr(v3_account)


# --- certificates


def test_in_certificate_mode_no_key_is_asked_for(certificate_account, server, platform):
    key, certificate = platform["today"]
    server.then(answer(key, PAID, serial=serial(certificate)))

    assert WechatV3Gateway(certificate_account).query_payment(NUMBER).outcome is Outcome.SUCCEEDED
    assert "Wechatpay-Serial" not in server.requests[0].headers


def test_while_a_merchant_is_moved_both_keys_are_believed(v3_account, server, platform, wechat_key):
    gateway = WechatV3Gateway(
        dataclasses.replace(
            v3_account, platform_certificates=certificates.pem(platform["today"][1], platform["next"][1])
        )
    )
    for signer, named in (
        (wechat_key, KEY_ID),
        *((key, serial(certificate)) for key, certificate in platform.values()),
    ):
        for spelling in (named, named.lower()):
            server.then(answer(signer, PAID, serial=spelling))

            assert gateway.query_payment(NUMBER).outcome is Outcome.SUCCEEDED


def test_a_serial_number_chooses_one_key_and_no_other(v3_account, server, platform, wechat_key):
    gateway = WechatV3Gateway(
        dataclasses.replace(v3_account, platform_certificates=certificates.pem(platform["today"][1]))
    )
    key, certificate = platform["today"]
    server.then(answer(key, PAID, serial=KEY_ID), answer(wechat_key, PAID, serial=serial(certificate)))

    for _ in range(2):
        with pytest.raises(GatewayUnavailable, match="wrong signature"):
            gateway.query_payment(NUMBER)


def test_an_unknown_certificate_is_refused_and_not_fetched(certificate_account, server, platform):
    key, certificate = platform["next"]
    server.then(answer(key, PAID, serial=serial(certificate)))

    with pytest.raises(GatewayUnavailable, match="unknown key"):
        WechatV3Gateway(certificate_account).query_payment(NUMBER)

    assert len(server.requests) == 1


# --- downloading them


def listed(*found, **sealing):
    sealing = {"associated_data": "certificate", "nonce": "eabb3e044577", **sealing}
    return {
        "data": [
            {"serial_no": serial(each), "encrypt_certificate": seal(certificates.pem(each).encode(), **sealing)}
            for each in found
        ]
    }


@pytest.mark.parametrize("signer", ["today", "next"])
def test_staff_can_download_the_certificates_whichever_of_them_signed(certificate_account, server, platform, signer):
    both = [certificate for _, certificate in platform.values()]
    key, certificate = platform[signer]
    server.then(answer(key, listed(*both), serial=serial(certificate)))

    found = WechatV3Gateway(certificate_account).download_certificates()

    assert found == [certificates.pem(each) for each in both]
    assert (server.requests[0].method, server.requests[0].path) == ("GET", "/v3/certificates")
    server.then(answer(platform["next"][0], PAID, serial=serial(platform["next"][1])))
    renewed = dataclasses.replace(certificate_account, platform_certificates="".join(found))
    assert WechatV3Gateway(renewed).query_payment(NUMBER).outcome is Outcome.SUCCEEDED


def test_downloaded_certificates_change_nothing_until_staff_take_them(certificate_account, server, platform):
    gateway = WechatV3Gateway(certificate_account)
    key, certificate = platform["next"]
    server.then(answer(key, listed(certificate), serial=serial(certificate)))
    server.then(answer(key, PAID, serial=serial(certificate)))

    gateway.download_certificates()

    with pytest.raises(GatewayUnavailable, match="unknown key"):
        gateway.query_payment(NUMBER)


def test_certificates_that_a_stranger_signed_or_sealed_are_not_taken(v3_gateway, server, platform, strangers_key):
    _, certificate = platform["today"]
    strangers = certificates.certificate(strangers_key.public_key(), issuer_key=strangers_key)
    server.then(
        answer(strangers_key, listed(certificate)),
        answer(strangers_key, listed(strangers, key="f" * 32), serial=serial(strangers)),
        answer(strangers_key, listed(certificate), serial=serial(strangers)),
    )

    for words in ("wrong signature", "another APIv3 key", "unknown key"):
        with pytest.raises(GatewayUnavailable, match=words):
            v3_gateway.download_certificates()


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"data": None},
        {"data": ["x"]},
        {"data": [{}]},
        {"data": [{"encrypt_certificate": seal(b"\xff")}]},
        {"data": [{"encrypt_certificate": seal(b"no certificate")}]},
        {"data": [{"encrypt_certificate": seal(b"x") | {"algorithm": "AEAD_SM4_GCM"}}]},
    ],
)
def test_a_list_that_cannot_be_read_is_no_list(v3_gateway, v3_answers, content):
    v3_answers(content)

    with pytest.raises(GatewayUnavailable):
        v3_gateway.download_certificates()


def test_a_merchant_without_certificates_is_told_so(v3_gateway, v3_answers):
    v3_answers(no("RESOURCE_NOT_EXISTS", "无可用的平台证书"), status=404)

    with pytest.raises(GatewayRefused, match="无可用的平台证书"):
        v3_gateway.download_certificates()
