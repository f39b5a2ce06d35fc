"""WeChat's log-in for pages: a code for the browser, an openid for the merchant."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.simulator_process import SimulatedWechatMerchant, Simulator

BACK = "http://shop.example/back?order=7"


@pytest.fixture
def merchant(simulator: Simulator) -> SimulatedWechatMerchant:
    return simulator.register_wechat_merchant()


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, verify=False) as client:
        yield client


def asked(merchant: SimulatedWechatMerchant, **changed: str) -> dict[str, str]:
    return {
        "appid": merchant.app_id,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "snsapi_base",
        "state": "s-1",
        **changed,
    }


def code_for(browser: httpx.Client, merchant: SimulatedWechatMerchant) -> str:
    answer = browser.get(f"{merchant.oauth_authorize_url}", params=asked(merchant))
    assert answer.status_code == 302
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


def exchange(merchant: SimulatedWechatMerchant, code: str, **changed: str) -> dict[str, object]:
    told = {"appid": merchant.app_id, "secret": merchant.app_secret, "code": code, "grant_type": "authorization_code"}
    answer = httpx.get(merchant.oauth_token_url, params={**told, **changed}, trust_env=False)
    assert answer.status_code == 200
    return answer.json()


def test_the_browser_comes_back_with_a_code_and_the_state(
    browser: httpx.Client, merchant: SimulatedWechatMerchant
) -> None:
    answer = browser.get(merchant.oauth_authorize_url, params=asked(merchant))

    assert answer.headers["Location"].startswith("http://shop.example/back?order=7&code=")
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query["state"] == ["s-1"]
    known = exchange(merchant, query["code"][0])
    assert str(known["openid"]).startswith("o")
    assert (known["expires_in"], known["scope"]) == (7200, "snsapi_base")
    assert {"access_token", "refresh_token"} <= set(known)


def test_a_code_works_once(browser: httpx.Client, merchant: SimulatedWechatMerchant) -> None:
    code = code_for(browser, merchant)
    assert "openid" in exchange(merchant, code)

    again = exchange(merchant, code)

    assert again["errcode"] == 40029
    assert "openid" not in again


def test_a_browser_keeps_its_openid_and_another_has_another(
    browser: httpx.Client, merchant: SimulatedWechatMerchant, simulator: Simulator
) -> None:
    first = exchange(merchant, code_for(browser, merchant))["openid"]
    again = exchange(merchant, code_for(browser, merchant))["openid"]
    other_app = simulator.register_wechat_merchant()
    elsewhere = exchange(other_app, code_for(browser, other_app))["openid"]
    with httpx.Client(trust_env=False, verify=False) as stranger:
        somebody = exchange(merchant, code_for(stranger, merchant))["openid"]

    assert first == again
    assert len({first, elsewhere, somebody}) == 3


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"code": "nobody-made-this"}, 40029),
        ({"code": ""}, 40029),
        ({"secret": "0" * 32}, 40125),
        ({"secret": "密钥"}, 40125),
        ({"appid": "wx0000000000000000"}, 40013),
        ({"grant_type": "client_credential"}, 40002),
    ],
)
def test_a_wrong_exchange_is_refused_and_costs_no_code(
    browser: httpx.Client, merchant: SimulatedWechatMerchant, changed: dict[str, str], code: int
) -> None:
    good = code_for(browser, merchant)

    refused = exchange(merchant, **{"code": good, **changed})

    assert refused["errcode"] == code
    assert refused["errmsg"]
    assert "openid" in exchange(merchant, good)


def test_a_code_of_another_app_is_refused(
    browser: httpx.Client, merchant: SimulatedWechatMerchant, simulator: Simulator
) -> None:
    other = simulator.register_wechat_merchant()

    assert exchange(other, code_for(browser, merchant))["errcode"] == 40029


@pytest.mark.parametrize(
    "changed",
    [
        {"appid": "wx0000000000000000"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": ""},
        {"redirect_uri": "http://[shop"},
        {"response_type": "token"},
        {"scope": "snsapi_everything"},
    ],
)
def test_a_wrong_request_leads_nowhere(
    browser: httpx.Client, merchant: SimulatedWechatMerchant, changed: dict[str, str]
) -> None:
    answer = browser.get(merchant.oauth_authorize_url, params=asked(merchant, **changed))

    assert (answer.status_code, "Location" in answer.headers) == (400, False)
