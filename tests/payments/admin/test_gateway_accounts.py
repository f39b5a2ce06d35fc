"""Merchant accounts: secrets go in and never come out."""

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.urls import reverse

from payments import secrets
from payments.gateways import registry
from payments.models import AuditRow, GatewayAccount

pytestmark = pytest.mark.django_db

ADD = reverse("admin:payments_gatewayaccount_add")


def change(account):
    return reverse("admin:payments_gatewayaccount_change", args=[account.pk])


@pytest.fixture(scope="module")
def key():
    """Our private key and Alipay's public one, as Alipay writes them."""
    ours, theirs = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _side in range(2))
    private = ours.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = theirs.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(private).decode(), base64.b64encode(public).decode()


@pytest.fixture
def fields(key):
    return {
        "name": "demo", "kind": "alipay", "client": "", "is_active": "on", "app_id": "2018061500000001",
        "merchant_id": "2088000000000001", "base_url": "https://gateway.example/gateway.do", "notify_base": "",
        "options": f'{{"alipay_public_key": "{key[1]}"}}', "private_key": key[0], "aes_key": "",
    }  # fmt: skip


def test_an_account_is_made_and_works(boss, fields, key):
    response = boss.post(ADD, fields)

    account = GatewayAccount.objects.get()
    assert response.status_code == 302
    assert account.credentials() == {"private_key": key[0]}
    assert registry.adapter(account)
    row = AuditRow.objects.get()
    assert (row.actor, row.action, row.subject) == ("user:boss", "gateway_account.add", f"gateway_account:{account.pk}")
    assert row.detail["changes"]["private_key"] == ["…", "…"]


def test_the_page_shows_a_fingerprint_and_no_secret(boss, fields, key):
    boss.post(ADD, fields)
    account = GatewayAccount.objects.get()

    shown = boss.get(change(account)).content.decode()

    assert f"private_key …{secrets.fingerprint(key[0])}" in shown
    assert key[0] not in shown
    assert account.sealed_secrets not in shown
    assert key[0] not in str(AuditRow.objects.get().detail)


def test_an_empty_secret_keeps_the_stored_one(boss, fields, key):
    boss.post(ADD, fields)
    account = GatewayAccount.objects.get()

    response = boss.post(change(account), {**fields, "name": "renamed", "private_key": ""})

    account.refresh_from_db()
    assert response.status_code == 302
    assert account.name == "renamed"
    assert account.credentials() == {"private_key": key[0]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"private_key": "rubbish"},
        {"private_key": ""},
        {"options": "{}"},
        {"options": '{"alipay_public_key": "rubbish"}'},
        {"options": '{"unheard_of": 1}'},
        {"merchant_id": ""},
    ],
    ids=str,
)
def test_an_account_that_cannot_work_is_refused(boss, fields, wrong):
    response = boss.post(ADD, {**fields, **wrong})

    assert response.status_code == 200
    assert b"The account cannot work like this" in response.content
    assert not GatewayAccount.objects.exists()
    assert not AuditRow.objects.exists()


def test_a_refused_page_does_not_repeat_the_secret(boss, fields, key):
    response = boss.post(ADD, {**fields, "merchant_id": ""})

    assert response.status_code == 200
    assert key[0] not in response.content.decode()


def test_secrets_under_a_lost_key_are_told_and_do_not_break_the_page(boss, fields, settings):
    boss.post(ADD, fields)
    settings.ENCRYPTION_KEYS = ["other:" + base64.b64encode(b"x" * 32).decode()]

    response = boss.get(change(GatewayAccount.objects.get()))

    assert response.status_code == 200
    assert b"sealed under a key that ENCRYPTION_KEYS does not hold" in response.content
