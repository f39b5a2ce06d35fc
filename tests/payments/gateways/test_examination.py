"""What the examination says of an account, against gateways that answer."""

import datetime
import re
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.management import CommandError, call_command
from django.utils.translation import override

from payments.gateways import examination
from payments.gateways.examination import Level, examine
from payments.models import GatewayAccount
from payments.transactions import transaction
from tests.payments.api.accounts import connect_wechat_v2, connect_wechat_v3
from tests.world import make_memory_account

pytestmark = pytest.mark.django_db
HTTPS = "https://pay.example.com"


@pytest.fixture(autouse=True)
def english():
    with override("en"):
        yield


def connect_alipay(simulator, *, mode="key", private_key="", app_id="", notify_base=HTTPS, **options):
    known = simulator.register_merchant(mode=mode)
    trust = {"alipay_public_key": known.alipay_public_key}
    if mode == "certificate":
        trust = {
            "app_cert": known.app_certificate,
            "alipay_cert": known.alipay_certificate,
            "root_cert": known.alipay_root_certificate,
        }
    account = GatewayAccount(
        kind="alipay", name="simulated", app_id=app_id or known.app_id, merchant_id=known.seller_id,
        base_url=known.gateway_url, notify_base=notify_base, options=trust | options,
    )  # fmt: skip
    account.set_credentials({"private_key": private_key or known.app_private_key})
    account.save()
    return account


def private_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(key):
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form).decode()


def certificate(*, days, starts_in_days=-400):
    """A certificate that ends in so many days (and a bit)."""
    key, now = private_key(), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 0xABC)
        .not_valid_before(now + datetime.timedelta(days=starts_in_days))
        .not_valid_after(now + datetime.timedelta(days=days, minutes=5))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def told(account, level=None):
    found = examine(account)
    return [finding.sentence for finding in found if level in {None, finding.level}]


def errors(account):
    return told(account, Level.ERROR)


CONNECT = {"alipay": connect_alipay, "wechat_v2": connect_wechat_v2, "wechat_v3": connect_wechat_v3}


@pytest.mark.parametrize("kind", CONNECT)
def test_an_account_that_works_is_told_so(simulator, kind):
    account = CONNECT[kind](simulator, notify_base=HTTPS)

    found = examine(account)

    assert [finding for finding in found if finding.level is Level.ERROR] == []
    sentences = " ".join(finding.sentence for finding in found if finding.level is Level.OK)
    assert "answers under its signature" in sentences
    assert "clock agrees" in sentences
    assert f"Notifications go to {HTTPS}/rest/pub/" in sentences


def test_an_account_with_certificates_tells_until_when_they_are_valid(simulator):
    found = told(connect_alipay(simulator, mode="certificate"), Level.OK)

    for name in ("app_cert", "alipay_cert", "root_cert"):
        assert any(re.fullmatch(rf"{name} [0-9A-F]+ is valid until \d{{4}}-\d\d-\d\d\.", each) for each in found)


def test_a_private_key_that_alipay_does_not_know_is_told(simulator):
    [error] = errors(connect_alipay(simulator, private_key=pem(private_key())))

    assert error.startswith("The gateway refuses our signature")


def test_an_app_that_alipay_does_not_know_is_told(simulator):
    [error] = errors(connect_alipay(simulator, app_id="2021999999999999"))

    assert error.startswith("The gateway does not know the app id")


def test_a_public_key_that_is_not_alipay_s_is_told(simulator):
    [error] = errors(connect_alipay(simulator, alipay_public_key=public_pem(private_key())))

    assert error.startswith("The answer is not signed with the gateway's key")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"api_key": "x" * 32}, "The gateway refuses our signature"),
        ({"merchant_id": "1999999999"}, "The gateway does not know the merchant id"),
        ({"app_id": "wx9999999999999999"}, "App id and merchant do not belong together"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_wechat_v2_account_is_told(simulator, change, sentence):
    account = connect_wechat_v2(simulator, notify_base=HTTPS)
    _change(account, change)

    [error] = errors(account)

    assert error.startswith(sentence)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"private_key": pem(private_key())}, "The gateway refuses our signature"),
        ({"merchant_id": "1999999999"}, "The gateway does not know the merchant id"),
        ({"options": {"serial_no": "ABCDEF"}}, "WeChat Pay does not know serial_no"),
        ({"options": {"public_key_id": "PUB_KEY_ID_0999"}}, "The answer is signed with a key of WeChat Pay that"),
        ({"options": {"public_key": public_pem(private_key())}}, "The answer is not signed with the gateway's key"),
    ],
    ids=["private_key", "merchant_id", "serial_no", "public_key_id", "public_key"],
)
def test_what_is_wrong_with_a_wechat_v3_account_is_told(simulator, change, sentence):
    account = connect_wechat_v3(simulator, notify_base=HTTPS)
    _change(account, change)

    [error] = errors(account)

    assert error.startswith(sentence)


def _change(account, change):
    for name, value in change.items():
        if name == "options":
            account.options |= value
        elif hasattr(account, name):
            setattr(account, name, value)
        else:
            account.set_credentials(account.credentials() | {name: value})
    account.save()


class TestPlatformCertificates:
    @pytest.fixture
    def account(self, simulator):
        merchant = simulator.register_wechat_merchant(mode="certificate")
        account = GatewayAccount(
            kind="wechat_v3", name="simulated", app_id=merchant.app_id, merchant_id=merchant.mch_id,
            base_url=merchant.base_url, notify_base=HTTPS, modes=["qr"],
            options={
                "serial_no": merchant.app_cert_sn,
                "platform_certificates": "\n".join(merchant.platform_certificates),
            },
        )  # fmt: skip
        account.set_credentials({"private_key": merchant.app_private_key, "api_v3_key": merchant.api_v3_key})
        account.save()
        return account

    def test_those_of_today_are_told_to_be_those_of_today(self, account):
        assert "The platform certificates are those that WeChat Pay gives out today." in told(account, Level.OK)

    def test_one_that_is_missing_is_told_with_its_serial(self, account):
        account.options["platform_certificates"] = certificate(days=100)

        [sentence] = [each for each in told(account, Level.WARNING) if "lacks" in each]

        assert re.search(r"lacks: [0-9A-F]{8,}", sentence)

    def test_an_api_v3_key_that_is_another_one_is_told(self, account):
        account.set_credentials(account.credentials() | {"api_v3_key": "x" * 32})

        assert any("could not be downloaded" in each for each in told(account, Level.WARNING))


def test_a_gateway_that_nobody_answers_for_is_told_and_not_asked(simulator):
    account = connect_alipay(simulator)
    account.base_url = "http://127.0.0.1:9/gateway.do"

    [error] = errors(account)

    assert error.startswith("Nobody answers at http://127.0.0.1:9/gateway.do.")


def test_a_site_that_is_no_gateway_is_told(simulator):
    account = connect_alipay(simulator)
    account.base_url = f"{simulator.url}/nothing"

    [error] = errors(account)

    assert error == "What answers there is no gateway. Check the base URL."


@pytest.mark.parametrize(
    ("off_s", "level", "words"),
    [
        (0, "ok", "agrees"),
        (59, "ok", "agrees"),
        (-60, "warning", "60 seconds off"),
        (299, "warning", "299 seconds"),
        (300, "error", "300 seconds off the gateway's"),
        (-86400, "error", "86400 seconds"),
    ],
)
def test_clocks_are_compared(off_s, level, words):
    theirs = datetime.datetime(2018, 6, 15, 4, 0, tzinfo=datetime.UTC)

    finding = examination._clock(
        "Fri, 15 Jun 2018 04:00:00 GMT", now=theirs + datetime.timedelta(seconds=off_s)
    )  # fmt: skip

    assert finding.level == level
    assert words in finding.sentence


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_a_gateway_without_a_date_is_told(date):
    finding = examination._clock(date, now=datetime.datetime.now(datetime.UTC))

    assert finding.level is Level.WARNING
    assert "does not say what time it is" in finding.sentence


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [
        (-1, "error", "has expired on"),
        (0, "warning", "expires in 0 days"),
        (29, "warning", "expires in 29 days"),
        (31, "ok", "is valid until"),
    ],
)
def test_a_certificate_s_last_day_is_told_in_time(days, level, words):
    account = SimpleNamespace(options={"client_cert": f"Bag Attributes\n{certificate(days=days)}"})

    [finding] = examination._certificates(account)

    assert finding.level == level
    assert finding.sentence.startswith("client_cert ABC ")
    assert words in finding.sentence


def test_a_certificate_of_the_future_is_an_error():
    account = SimpleNamespace(options={"app_cert": certificate(days=100, starts_in_days=2)})

    [finding] = examination._certificates(account)

    assert (finding.level, "is not valid yet" in finding.sentence) == (Level.ERROR, True)


@pytest.mark.parametrize(
    ("notify_base", "sandbox", "level", "words"),
    [
        (HTTPS, False, "ok", "Notifications go to https://pay.example.com/rest/pub/ali/pay_notify."),
        ("http://pay.example.com", False, "error", "is not https"),
        ("http://pay.example.com", True, "warning", "is not https"),
        ("pay.example.com", False, "error", "is not absolute"),
        ("https://pay.example.com/?shop=1", False, "error", "has a query"),
        ("https://pay.example.com/#here", False, "error", "has a query"),
    ],
)
def test_an_address_that_gateways_do_not_call_is_told(settings, notify_base, sandbox, level, words):
    settings.SANDBOX = sandbox
    account = GatewayAccount(kind="alipay", notify_base=notify_base)

    [finding] = examination._notify_address(account)

    assert finding.level == level
    assert words in finding.sentence


@pytest.mark.parametrize(
    ("modes", "secrets", "level"),
    [(["jsapi"], {}, "error"), ([], {}, "warning"), (["qr"], {}, None), (["jsapi"], {"app_secret": "x"}, None)],
)
def test_payments_inside_wechat_need_the_app_secret(modes, secrets, level):
    account = GatewayAccount(kind="wechat_v3", modes=modes)
    account.set_credentials(secrets)

    found = list(examination._wechat_login(account))

    assert [finding.level for finding in found] == ([level] if level else [])


def test_refunds_by_v2_need_the_merchant_s_certificate(simulator):
    account = connect_wechat_v2(simulator, notify_base=HTTPS)

    assert "Without client_cert and client_key payments work and refunds do not." in told(account, Level.WARNING)


def test_an_account_that_is_not_complete_is_told_without_a_call(simulator):
    account = connect_alipay(simulator)
    account.merchant_id = ""

    [finding] = [each for each in examine(account) if each.level is Level.ERROR]

    assert (finding.sentence, finding.said) == (
        "The account is not complete, so the gateway was not asked.",
        "app_id and seller_id are both needed",
    )


def test_secrets_under_a_lost_key_are_told(simulator, settings):
    account = connect_alipay(simulator)
    settings.ENCRYPTION_KEYS = ["other:eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="]

    assert errors(account) == ["The secrets are sealed under a key that ENCRYPTION_KEYS does not hold."]


def test_no_secret_is_in_what_is_told(simulator):
    account = connect_alipay(simulator, private_key=pem(private_key()))

    assert account.credentials()["private_key"] not in str(examine(account))


@pytest.mark.django_db(transaction=True)
def test_the_gateway_is_never_asked_within_a_transaction(simulator):
    account = connect_alipay(simulator)

    with pytest.raises(RuntimeError, match="inside a transaction"), transaction():
        examine(account)


class TestCommand:
    def test_it_tells_of_all_active_accounts_and_ends_well(self, simulator, capsys):
        connect_alipay(simulator)
        make_memory_account()
        make_memory_account(app_id="off", is_active=False)

        call_command("check_gateways")

        out = capsys.readouterr().out
        assert "Alipay simulated (2021" in out
        assert "ok       Alipay answers under its signature" in out
        assert "in memory memory (memory-app)" in out
        assert "(off)" not in out

    def test_it_names_what_is_out_of_order_and_fails(self, simulator, capsys):
        connect_alipay(simulator, private_key=pem(private_key()))

        with pytest.raises(CommandError, match=r"Out of order: Alipay simulated\."):
            call_command("check_gateways")

        assert "isv.invalid-signature" in capsys.readouterr().out

    def test_it_looks_at_what_is_switched_off_if_it_is_asked_to(self, capsys):
        make_memory_account(app_id="off", is_active=False)

        call_command("check_gateways", "--all")

        assert "(off)" in capsys.readouterr().out
