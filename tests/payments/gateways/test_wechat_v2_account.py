"""An account that cannot work says so when it is opened, keeps its secrets, and shows its certificate for refunds."""

import dataclasses
import datetime
import ipaddress
import ssl
import tempfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from payments.gateways.base import GatewayUnavailable, Outcome
from payments.gateways.http import Limits
from payments.gateways.wechat_v2.client import WechatV2Client, certified_context
from payments.gateways.wechat_v2.gateway import WechatV2Gateway
from tests.payments.gateways import certificates, scripted
from tests.payments.gateways.wechat_v2_samples import (
    API_KEY,
    NUMBER,
    PAID,
    REFUND_ACCEPTED,
    REFUND_REQUEST,
    fields_of,
    signed,
)

CERTIFICATE = "-----BEGIN CERTIFICATE-----"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"app_id": ""}, "app_id"),
        ({"merchant_id": ""}, "merchant_id"),
        ({"api_key": ""}, "32 characters"),
        ({"api_key": API_KEY[:31]}, "32 characters"),
        ({"api_key": API_KEY + "0"}, "32 characters"),
        ({"api_key": API_KEY[:31] + "钥"}, "32 characters"),
        ({"api_key": API_KEY[:31] + "\n"}, "32 characters"),
        ({"sign_type": "RSA"}, "MD5, HMAC-SHA256"),
        ({"sign_type": ""}, "MD5, HMAC-SHA256"),
        ({"base_url": "api.mch.weixin.qq.com"}, "base_url"),
        ({"client_cert": ""}, "belong together"),
        ({"client_key": ""}, "belong together"),
        ({"client_cert": "nonsense"}, "as PEM"),
        ({"client_key": "nonsense"}, "as PEM"),
        ({"client_cert": CERTIFICATE}, "as PEM"),
    ],
)
def test_an_account_that_cannot_work_says_so_when_it_is_opened(wechat_v2_account, change, words):
    with pytest.raises(ValueError, match=words):
        WechatV2Gateway(dataclasses.replace(wechat_v2_account, **change))


def test_the_key_of_another_certificate_is_noticed(wechat_v2_account, strangers_key):
    mixed_up = dataclasses.replace(wechat_v2_account, client_key=scripted.private_pem(strangers_key))

    with pytest.raises(ValueError, match="not the key of client_cert"):
        WechatV2Gateway(mixed_up)


def test_a_key_under_a_passphrase_is_refused_and_nobody_is_asked_for_it(wechat_v2_account, merchant_key):
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    locked = merchant_key.private_bytes(*pem, serialization.BestAvailableEncryption(b"1900000109")).decode()

    with pytest.raises(ValueError, match="unencrypted"):
        WechatV2Gateway(dataclasses.replace(wechat_v2_account, client_key=locked))


def test_an_account_does_not_show_its_secrets(wechat_v2_account):
    assert "PRIVATE KEY" not in repr(wechat_v2_account)
    assert API_KEY not in repr(wechat_v2_account)


@pytest.fixture
def temporary_files(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return lambda: list(tmp_path.iterdir())


def test_the_certificates_file_does_not_outlive_its_reading(temporary_files, wechat_v2_account):
    certified_context(client_cert=wechat_v2_account.client_cert, client_key=wechat_v2_account.client_key)

    assert temporary_files() == []


def test_nor_does_that_of_a_certificate_that_cannot_be_read(temporary_files, wechat_v2_account):
    with pytest.raises(ValueError):
        certified_context(client_cert="nonsense", client_key=wechat_v2_account.client_key)

    assert temporary_files() == []


# --- over TLS, against a server that asks for a certificate


@pytest.fixture
def self_issued(merchant_key):
    return certificates.certificate(
        merchant_key.public_key(), subject="1900000109", issuer="1900000109", issuer_key=merchant_key
    )


@pytest.fixture
def tls_server(tmp_path, self_issued):
    """A server that talks to holders of the merchant's certificate alone; beside it, its own certificate."""
    key = scripted.rsa_key()
    moment = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(certificates.name("127.0.0.1"))
    builder = builder.issuer_name(certificates.name("127.0.0.1")).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(moment).not_valid_after(moment.replace(year=2050))
    own = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    (tmp_path / "both.pem").write_text(scripted.private_pem(key) + certificates.pem(own))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=certificates.pem(self_issued))
    server = scripted.ScriptedServer(ssl_context=context)
    yield server, certificates.pem(own)
    server.stop()


@pytest.fixture
def over_tls(tls_server, wechat_v2_account):
    """The gateway of an account, trusting the server's certificate on the connections that refunds use."""
    server, own = tls_server

    def over_tls(**change):
        account = dataclasses.replace(wechat_v2_account, base_url=server.url, **change)
        context = certified_context(client_cert=account.client_cert, client_key=account.client_key)
        context.load_verify_locations(cadata=own)
        limits = Limits(total_seconds=2)
        return WechatV2Gateway(
            account, client=WechatV2Client(base_url=account.base_url, certified=context, limits=limits)
        )

    return over_tls


def test_a_refund_presents_the_merchants_certificate(over_tls, tls_server, self_issued):
    server, _ = tls_server
    presented = []

    def step(handler):
        presented.append(handler.connection.getpeercert(binary_form=True))
        scripted.body(signed(REFUND_ACCEPTED))(handler)

    server.then(step)

    state = over_tls(client_cert=certificates.pem(self_issued)).refund(REFUND_REQUEST)

    assert state.outcome is Outcome.PENDING
    assert presented == [self_issued.public_bytes(serialization.Encoding.DER)]
    assert fields_of(server.requests[0].body)["out_trade_no"] == NUMBER


def test_a_certificate_that_wechat_does_not_take_leaves_the_refund_unknown_and_unsent(
    over_tls, tls_server, strangers_key
):
    server, _ = tls_server
    strangers = certificates.certificate(strangers_key.public_key(), issuer_key=strangers_key)
    gateway = over_tls(client_cert=certificates.pem(strangers), client_key=scripted.private_pem(strangers_key))

    with pytest.raises(GatewayUnavailable):
        gateway.refund(REFUND_REQUEST)

    assert server.requests == []


def test_other_calls_go_over_connections_that_present_nothing(over_tls, tls_server, self_issued):
    server, _ = tls_server
    server.then(scripted.body(signed(PAID)))

    with pytest.raises(GatewayUnavailable, match="CERTIFICATE_VERIFY_FAILED"):  # they do not trust this server, either
        over_tls(client_cert=certificates.pem(self_issued)).query_payment(NUMBER)

    assert server.requests == []
