"""Apps that take WeChat Pay v2 under MD5 alone (WECHAT_V2_FAMILIES): an account that cannot serve them is refused."""

import pytest
from django.urls import reverse

from payments.models import GatewayAccount, GatewayDefault
from tests.payments.admin.test_gateway_accounts import ADD, change, key, of
from tests.world import make_client

__all__ = ["key"]  # a fixture

pytestmark = pytest.mark.django_db

ADD_DEFAULT = reverse("admin:payments_gatewaydefault_add")
OF_ITS_OWN = "The app of english takes WeChat Pay v2 under MD5 alone. Uncheck “inside an app” here."
NOT_THIS = "Its app takes WeChat Pay v2 under MD5 alone, which this account is not."


@pytest.fixture
def english():
    return make_client(name="english", families=["english_app", "payments"])


@pytest.fixture
def other():
    return make_client(name="other", families=["payments"])


def errors(response):
    assert response.status_code == 200
    return response.context["adminform"].form.errors


# --- an account of its own --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("modes", [[], ["app"], ["qr", "app"]], ids=str)
@pytest.mark.parametrize("kind", ["wechat_v3", "wechat_v2"])
def test_one_that_its_app_would_not_understand_is_refused(boss, english, key, kind, modes):
    response = boss.post(ADD, {**of(kind, key), "client": english.pk, "modes": modes})

    assert errors(response) == {"modes" if kind == "wechat_v3" else "sign_type": [OF_ITS_OWN]}
    assert not GatewayAccount.objects.exists()


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("wechat_v2", {"sign_type": "MD5", "modes": ["app"]}),
        ("wechat_v2", {"sign_type": "", "modes": []}),
        ("wechat_v2", {"modes": ["qr", "jsapi"]}),
        ("wechat_v3", {"modes": ["qr", "jsapi", "wap"]}),
    ],
    ids=str,
)
def test_what_its_app_understands_and_what_its_app_does_not_see_is_taken(boss, english, key, kind, fields):
    response = boss.post(ADD, {**of(kind, key), "client": english.pk, **fields})

    assert response.status_code == 302
    assert GatewayAccount.objects.get().client == english


@pytest.mark.usefixtures("english")
@pytest.mark.parametrize("kind", ["wechat_v3", "wechat_v2"])
def test_another_client_s_and_every_client_s_take_what_they_took(boss, other, key, kind):
    for client in (other.pk, ""):
        response = boss.post(ADD, {**of(kind, key), "client": client, "modes": ["app"]})

        assert response.status_code == 302


def test_one_that_is_there_cannot_become_what_its_app_does_not_understand(boss, english, key):
    boss.post(ADD, {**of("wechat_v2", key), "client": english.pk, "sign_type": "MD5", "modes": []})
    account = GatewayAccount.objects.get()

    response = boss.post(change(account), {**of("wechat_v2", key), "client": english.pk, "modes": []})

    assert errors(response) == {"sign_type": [OF_ITS_OWN]}
    account.refresh_from_db()
    assert account.options == {"sign_type": "MD5"}


# --- a default --------------------------------------------------------------------------------------------------------


def make(kind, **fields):
    return GatewayAccount.objects.create(kind=kind, name="shop", app_id="wx1", **fields)


@pytest.mark.parametrize(
    "account", [{"kind": "wechat_v3"}, {"kind": "wechat_v2", "options": {"sign_type": "HMAC-SHA256"}}], ids=str
)
def test_a_default_that_its_app_would_not_understand_is_refused(boss, english, account):
    response = boss.post(ADD_DEFAULT, {"client": english.pk, "mode": "app", "account": make(**account).pk})

    assert errors(response) == {"client": [NOT_THIS]}
    assert not GatewayDefault.objects.exists()


def test_it_is_refused_on_the_account_s_own_page_too(boss, english, key):
    boss.post(ADD, of("wechat_v3", key) | {"modes": ["app"]})
    account = GatewayAccount.objects.get()
    row = {"defaults-TOTAL_FORMS": "1", "defaults-0-id": "", "defaults-0-account": account.pk}

    response = boss.post(
        change(account),
        of("wechat_v3", key) | {"modes": ["app"], "defaults-0-client": english.pk, "defaults-0-mode": "app"} | row,
    )

    assert response.status_code == 200
    assert NOT_THIS in response.content.decode()
    assert not GatewayDefault.objects.exists()


@pytest.mark.parametrize(
    ("kind", "whose", "mode"),
    [
        ("wechat_v2", "english", "app"),
        ("wechat_v3", "english", "qr"),
        ("wechat_v3", "other", "app"),
        ("wechat_v3", "everybody", "app"),
        ("alipay", "english", "app"),
    ],
)
def test_every_other_default_is_taken(boss, request, kind, whose, mode):
    client = "" if whose == "everybody" else request.getfixturevalue(whose).pk

    response = boss.post(ADD_DEFAULT, {"client": client, "mode": mode, "account": make(kind).pk})

    assert response.status_code == 302
    assert GatewayDefault.objects.get().mode == mode
