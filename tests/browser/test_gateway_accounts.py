"""The form of a gateway account: what the chosen kind needs is to be seen, and nothing else."""

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

from tests.browser.conftest import SIZES
from tests.payments.api.accounts import connect_wechat_v3

ACCOUNTS = "/admin/payments/gatewayaccount/"
PASSWORD = "a long enough password"
FIELDS = {
    "alipay": {"private_key", "alipay_public_key", "app_cert", "alipay_cert", "root_cert", "aes_key"},
    "wechat_v2": {"api_key", "sign_type", "client_cert", "client_key", "app_secret", "oauth_page_url", "oauth_api_url"},
    "wechat_v3": {
        "private_key", "serial_no", "api_v3_key", "public_key_id", "public_key", "platform_certificates", "app_secret",
        "oauth_page_url", "oauth_api_url",
    },
    "memory": set(),
}  # fmt: skip
METHODS = {
    "alipay": {"qr", "page", "wap", "app"},
    "wechat_v2": {"qr", "wap", "app", "jsapi"},
    "wechat_v3": {"qr", "wap", "app", "jsapi"},
    "memory": {"qr", "page", "wap", "app", "jsapi"},
}
ALL = set().union(*FIELDS.values())


@pytest.fixture
def boss(visitor, site):
    """Return a function that gives a superuser a browser."""
    get_user_model().objects.create_superuser(username="boss", password=PASSWORD)

    def arrive(**how):
        someone = visitor(**how)
        someone.page.goto(f"{site}/admin/")
        someone.page.fill("input[name=username]", "boss")
        someone.page.fill("input[name=password]", PASSWORD)
        someone.page.press("input[name=password]", "Enter")
        expect(someone.page.locator("input[name=username]")).to_have_count(0)
        return someone

    return arrive


@pytest.mark.parametrize("kind", FIELDS)
def test_the_fields_of_the_chosen_kind_alone_are_shown(boss, site, kind):
    someone = boss()
    someone.page.goto(f"{site}{ACCOUNTS}add/")

    someone.page.select_option("select#id_kind", kind)

    assert {name for name in ALL if someone.page.locator(f"[name={name}]").is_visible()} == FIELDS[kind]
    boxes = someone.page.locator("input[name=modes]").all()
    assert {box.get_attribute("value") for box in boxes if box.is_visible() and box.is_enabled()} == METHODS[kind]
    someone.picture(f"gateway-new-{kind}")


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_the_connection_is_tested_from_the_account_s_page(boss, site, simulator, device, language):
    account = connect_wechat_v3(simulator, mode="public_key")
    someone = boss(device=device, language=language)
    someone.page.goto(f"{site}{ACCOUNTS}{account.pk}/change/")
    someone.picture("gateway-account")

    someone.page.click("form[action$='/examine/'] button")

    expect(someone.page.locator("#content-main li")).not_to_have_count(0)
    assert someone.page.evaluate("document.documentElement.scrollWidth") <= SIZES[device]["width"]
    someone.picture("gateway-examined")
