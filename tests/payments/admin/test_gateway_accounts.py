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


NO_DEFAULTS = {"defaults-TOTAL_FORMS": "0", "defaults-INITIAL_FORMS": "0"}


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
        "alipay_public_key": key[1], "private_key": key[0], "aes_key": "", **NO_DEFAULTS,
    }  # fmt: skip


def test_an_account_is_made_and_works(boss, fields, key):
    response = boss.post(ADD, fields)

    account = GatewayAccount.objects.get()
    assert response.status_code == 302
    assert account.credentials() == {"private_key": key[0]}
    assert account.options == {"alipay_public_key": key[1]}
    assert registry.adapter(account)
    row = AuditRow.objects.get()
    assert (row.actor, row.action, row.subject) == ("user:boss", "gateway_account.add", f"gateway_account:{account.pk}")
    assert row.detail["changes"]["private_key"] == ["…", "…"]


def test_an_agreed_fee_is_kept_and_is_not_the_adapters_business(boss, fields, key):
    response = boss.post(ADD, {**fields, "fee_per_mille": "3.8"})

    account = GatewayAccount.objects.get()
    assert response.status_code == 302
    assert account.options == {"alipay_public_key": key[1], "fee_per_mille": "3.8"}
    assert registry.adapter(account)


def test_the_merchant_s_e_mail_address_is_kept_shown_and_not_the_adapters_business(boss, fields, key):
    response = boss.post(ADD, {**fields, "seller_email": "shop@example.com"})

    account = GatewayAccount.objects.get()
    assert response.status_code == 302
    assert account.options == {"alipay_public_key": key[1], "seller_email": "shop@example.com"}
    assert registry.adapter(account)
    assert 'value="shop@example.com"' in boss.get(change(account)).content.decode()


def test_what_is_no_e_mail_address_is_refused(boss, fields):
    response = boss.post(ADD, {**fields, "seller_email": "2088000000000001"})

    assert response.context["adminform"].form.errors["seller_email"] == ["Enter a valid email address."]
    assert not GatewayAccount.objects.exists()


@pytest.mark.parametrize("rate", ["six", "-1", "0.6%", "1000", "3,8", "3.8001"])
def test_a_fee_that_is_no_rate_is_refused(boss, fields, rate):
    response = boss.post(ADD, {**fields, "fee_per_mille": rate})

    assert response.context["adminform"].form.errors["fee_per_mille"] == ["Enter a rate such as 6 or 3.8."]
    assert not GatewayAccount.objects.exists()


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
    ("wrong", "field", "sentence"),
    [
        ({"private_key": "rubbish"}, "private_key", "The account cannot work like this: not an RSA private key"),
        ({"private_key": ""}, "private_key", "This kind of gateway needs it."),
        ({"alipay_public_key": ""}, "alipay_public_key", "The account cannot work like this: not an RSA public key"),
        (
            {"alipay_public_key": "rubbish"},
            "alipay_public_key",
            "The account cannot work like this: not an RSA public key",
        ),
        ({"alipay_public_key": "", "app_cert": "x"}, "app_cert", "certificate mode needs app_cert"),
        ({"merchant_id": ""}, "merchant_id", "This kind of gateway needs it."),
        ({"base_url": "nowhere at all"}, "base_url", "Enter a valid URL."),
        ({"modes": ["jsapi"]}, "modes", "This kind of gateway does not have: inside WeChat."),
        ({"modes": ["barter"]}, "modes", "barter is not one of the available choices"),
    ],
    ids=str,
)
def test_an_account_that_cannot_work_is_refused(boss, fields, wrong, field, sentence):
    response = boss.post(ADD, {**fields, **wrong})

    assert response.status_code == 200
    assert sentence in " ".join(response.context["adminform"].form.errors[field])
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


KINDS = {
    "wechat_v2": {"app_id": "wx1", "merchant_id": "1900000001", "api_key": "k" * 32, "sign_type": "HMAC-SHA256"},
    "wechat_v3": {
        "app_id": "wx1", "merchant_id": "1900000001", "serial_no": "ABC", "api_v3_key": "k" * 32,
        "public_key_id": "PUB_KEY_ID_01", "app_secret": "s" * 32, "oauth_api_url": "https://api.example.com",
    },
}  # fmt: skip


def of(kind, key):
    keys = {"public_key": key[1], "private_key": key[0]} if kind == "wechat_v3" else {}
    return {"name": "shop", "kind": kind, "is_active": "on", "modes": ["qr"], **KINDS[kind], **keys, **NO_DEFAULTS}


@pytest.mark.parametrize(
    ("kind", "options", "secrets_kept"),
    [
        ("wechat_v2", {"sign_type"}, {"api_key"}),
        (
            "wechat_v3",
            {"serial_no", "public_key_id", "public_key", "oauth_api_url"},
            {"private_key", "api_v3_key", "app_secret"},
        ),
    ],
)
def test_a_wechat_account_is_made_of_what_its_kind_needs(boss, key, kind, options, secrets_kept):
    response = boss.post(ADD, of(kind, key) | {"alipay_public_key": "of no use here", "aes_key": "nor this"})

    assert response.status_code == 302
    account = GatewayAccount.objects.get()
    assert (account.options.keys(), account.credentials().keys()) == (options, secrets_kept)
    assert account.modes == ["qr"]
    assert registry.adapter(account)


@pytest.mark.parametrize(
    ("kind", "wrong", "told"),
    [
        ("wechat_v2", {"api_key": "short"}, ("api_key", "api_key must have 32 characters")),
        ("wechat_v2", {"sign_type": "SHA-1"}, ("sign_type", "SHA-1 is not one of the available choices")),
        ("wechat_v2", {"client_cert": "x"}, ("client_cert", "client_cert and client_key belong together")),
        ("wechat_v3", {"api_v3_key": "short"}, ("api_v3_key", "api_v3_key has 32 characters")),
        ("wechat_v3", {"serial_no": "xyz"}, ("serial_no", "serial_no is the hexadecimal serial number")),
        ("wechat_v3", {"serial_no": ""}, ("serial_no", "This kind of gateway needs it.")),
        ("wechat_v3", {"public_key_id": ""}, ("public_key", "public_key and public_key_id belong together")),
        ("wechat_v3", {"private_key": "rubbish"}, ("private_key", "private_key: not an RSA private key")),
        ("wechat_v3", {"modes": ["page"]}, ("modes", "This kind of gateway does not have: page on a desktop.")),
    ],
    ids=str,
)
def test_the_field_that_is_to_blame_is_told(boss, key, kind, wrong, told):
    response = boss.post(ADD, of(kind, key) | wrong)

    assert response.status_code == 200
    field, sentence = told
    assert sentence in " ".join(response.context["adminform"].form.errors[field])
    assert not GatewayAccount.objects.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_of_any_kind_comes_out_again(boss, key, kind):
    sent = of(kind, key)
    boss.post(ADD, sent)
    account = GatewayAccount.objects.get()

    refused = boss.post(change(account), sent | {"name": ""}).content.decode()
    shown = boss.get(change(account)).content.decode()

    for name, secret in account.credentials().items():
        assert f"{name} …{secrets.fingerprint(secret)}" in shown
        assert secret not in shown + refused
        assert secret not in str(AuditRow.objects.get().detail)


def test_an_account_keeps_its_kind(boss, fields):
    boss.post(ADD, fields)

    boss.post(change(GatewayAccount.objects.get()), fields | {"kind": "memory", "private_key": ""})

    assert GatewayAccount.objects.get().kind == "alipay"


def test_an_account_shows_the_fields_of_its_own_kind_alone(boss, fields):
    boss.post(ADD, fields)

    shown = boss.get(change(GatewayAccount.objects.get())).content.decode()
    new = boss.get(ADD).content.decode()

    for name in ("alipay_public_key", "root_cert", "aes_key"):
        assert f'name="{name}"' in shown
        assert f'name="{name}"' in new
    for name in ("api_v3_key", "serial_no", "sign_type", "app_secret"):
        assert f'name="{name}"' not in shown
        assert f'name="{name}"' in new
    assert 'name="modes" value="qr"' in shown
    assert 'name="modes" value="jsapi"' not in shown
    assert 'name="modes" value="jsapi"' in new


def test_secrets_under_a_lost_key_can_be_entered_anew(boss, fields, key, settings):
    boss.post(ADD, fields)
    settings.ENCRYPTION_KEYS = ["other:" + base64.b64encode(b"x" * 32).decode()]
    account = GatewayAccount.objects.get()

    without = boss.post(change(account), {**fields, "private_key": ""})
    response = boss.post(change(account), fields)

    assert (without.status_code, response.status_code) == (200, 302)
    account.refresh_from_db()
    assert account.credentials() == {"private_key": key[0]}
