"""What payers of WeChat Pay see, and how pages and apps call WeChat."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from tests.simulator.receiver import eventually
from tests.simulator.test_pages import submit
from tests.simulator.test_wechat_v2_trades import OTHERWISE
from tests.simulator.wechat_v2_merchant import V2Receiver, WechatV2Client
from tests.simulator.wechat_v3_merchant import WechatV3Client
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"
BACK = "http://shop.example/back?order=7"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36"


@pytest.fixture
def browser(simulator: Simulator) -> Iterator[httpx.Client]:
    headers = {"User-Agent": PHONE}
    with httpx.Client(
        base_url=simulator.url, headers=headers, follow_redirects=True, trust_env=False, verify=False
    ) as client:
        yield client


@pytest.fixture
def hmac_client(simulator: Simulator, v2_receiver: V2Receiver) -> Iterator[WechatV2Client]:
    merchant = simulator.register_wechat_merchant()
    with WechatV2Client(merchant, notify_url=v2_receiver.url, sign_type="HMAC-SHA256") as client:
        yield client


def leads_to(page: httpx.Response) -> str:
    """Where the page goes by itself."""
    address = re.search(r'http-equiv="refresh" content="3;url=([^"]+)"', page.text)
    assert address, page.text
    return address[1].replace("&amp;", "&")


def token_of(page: httpx.Response) -> str:
    assert page.status_code == 200, page.text
    assert page.url.path.startswith("/cashier/")
    return page.url.path.rsplit("/", 1)[1]


def called_by_page(request: pytest.FixtureRequest, api: str) -> dict[str, str]:
    """An order, and what the merchant's page hands to WeChat for it."""
    if api == "v3":
        client = request.getfixturevalue("wechat_v3")
        package = f"prepay_id={client.create('jsapi', NUMBER).json()['prepay_id']}"
        told = {"appId": client.merchant.app_id, "timeStamp": "1533188289", "nonceStr": "1533188289855"}
        signature = client.sign("".join(f"{part}\n" for part in (*told.values(), package)))
        return {**told, "package": package, "signType": "RSA", "paySign": signature}
    client = request.getfixturevalue({"v2": "wechat_v2", "hmac": "hmac_client"}[api])
    return client.for_page(client.order(NUMBER, **OTHERWISE["jsapi"])["prepay_id"])


def called_by_app(request: pytest.FixtureRequest, api: str) -> dict[str, Any]:
    if api == "v3":
        client = request.getfixturevalue("wechat_v3")
        prepay_id = client.create("app", NUMBER).json()["prepay_id"]
        told = {"appid": client.merchant.app_id, "timestamp": "1533188289", "noncestr": "1533188289855"}
        signature = client.sign("".join(f"{part}\n" for part in (*told.values(), prepay_id)))
        about = {"partnerid": client.merchant.mch_id, "prepayid": prepay_id, "package": "Sign=WXPay"}
        return {**told, **about, "sign": signature}
    client = request.getfixturevalue({"v2": "wechat_v2", "hmac": "hmac_client"}[api])
    return client.for_app(client.order(NUMBER, **OTHERWISE["app"])["prepay_id"])


def test_a_person_scans_and_pays(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver, browser: httpx.Client
) -> None:
    code = wechat_v2.order(NUMBER)["code_url"]
    form = browser.get("/wechat/scan/", params={"lang": "zh"})
    assert "模拟微信支付" in form.text

    page = browser.get("/wechat/scan/", params={"code": code})
    assert "确认付款 ¥20.12" in page.text
    paid = submit(browser, page, f"/cashier/{token_of(page)}/pay", fault="")

    assert "支付成功" in paid.text
    assert v2_receiver.wait_for(1)[0]["out_trade_no"] == NUMBER


@pytest.mark.parametrize("code", ["weixin://wxpay/bizpayurl?pr=nothing", "https://qr.alipay.com/bax", "nothing"])
def test_a_code_that_leads_nowhere_is_refused(browser: httpx.Client, code: str) -> None:
    page = browser.get("/wechat/scan/", params={"code": code})

    assert page.status_code == 400
    assert "二维码无效" in page.text


def test_stepping_back_leaves_the_order_payable(
    simulator: Simulator, wechat_v2: WechatV2Client, browser: httpx.Client
) -> None:
    code = wechat_v2.order(NUMBER)["code_url"]
    page = browser.get("/wechat/scan/", params={"code": code, "lang": "en"})

    left = submit(browser, page, f"/cashier/{token_of(page)}/decline")

    assert "You stepped back" in left.text
    assert "refresh" not in left.text, "a scanned code came from no page"
    assert wechat_v2.query(NUMBER)["trade_state"] == "NOTPAY"
    assert simulator.pay(NUMBER)["status"] == "paid"


@pytest.mark.parametrize("api", ["v2", "hmac", "v3"])
def test_a_page_calls_wechat_and_is_told_ok(
    request: pytest.FixtureRequest, simulator: Simulator, browser: httpx.Client, api: str
) -> None:
    parameters = called_by_page(request, api)

    page = browser.get("/wechat/jsapi/", params={**parameters, "return_url": BACK})
    paid = submit(browser, page, f"/cashier/{token_of(page)}/pay", fault="")

    assert leads_to(paid) == f"{BACK}&err_msg=get_brand_wcpay_request%3Aok"
    assert simulator.trade(NUMBER)["status"] == "paid"


def test_a_page_is_told_that_the_payer_stepped_back(
    request: pytest.FixtureRequest, simulator: Simulator, browser: httpx.Client
) -> None:
    parameters = called_by_page(request, "v2")

    page = browser.get("/wechat/jsapi/", params={**parameters, "return_url": BACK})
    left = submit(browser, page, f"/cashier/{token_of(page)}/decline")

    assert leads_to(left) == f"{BACK}&err_msg=get_brand_wcpay_request%3Acancel"
    assert simulator.trade(NUMBER)["status"] == "waiting"


@pytest.mark.parametrize("api", ["v2", "hmac", "v3"])
@pytest.mark.parametrize("name", ["appId", "timeStamp", "nonceStr", "package", "signType", "paySign"])
def test_what_a_page_hands_over_is_covered_by_its_signature(
    request: pytest.FixtureRequest, simulator: Simulator, browser: httpx.Client, api: str, name: str
) -> None:
    parameters = called_by_page(request, api)

    for false in (parameters[name] + "0", ""):
        answer = simulator.use_wechat({**parameters, name: false})
        assert (answer["result"], "trade" in answer) == ("fail", False)
        assert browser.get("/wechat/jsapi/", params={**parameters, name: false}).status_code == 400

    assert simulator.trade(NUMBER)["status"] == "waiting"
    assert simulator.use_wechat(parameters)["result"] == "ok"


@pytest.mark.parametrize("product", ["v2", "hmac", "v3"])
def test_an_app_calls_wechat(request: pytest.FixtureRequest, simulator: Simulator, product: str) -> None:
    parameters = called_by_app(request, product)

    for name in ("appid", "partnerid", "prepayid", "package", "noncestr", "timestamp", "sign"):
        assert simulator.use_wechat({**parameters, name: parameters[name] + "0"})["result"] == "fail"
    assert simulator.use_wechat(parameters, pay=False)["result"] == "cancel"
    assert simulator.trade(NUMBER)["status"] == "waiting"

    assert simulator.use_wechat(parameters)["result"] == "ok"

    assert simulator.trade(NUMBER)["status"] == "paid"
    assert simulator.use_wechat(parameters)["result"] == "fail", "it is paid"


def test_an_order_for_an_app_is_nothing_for_a_page(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    prepay_id = wechat_v2.order(NUMBER, **OTHERWISE["app"])["prepay_id"]

    assert simulator.use_wechat(wechat_v2.for_page(prepay_id))["result"] == "fail"
    assert simulator.use_wechat(wechat_v2.for_app(prepay_id))["result"] == "ok"


def test_an_order_of_another_merchant_is_not_opened(
    simulator: Simulator, wechat_v2: WechatV2Client, hmac_client: WechatV2Client
) -> None:
    prepay_id = wechat_v2.order(NUMBER, **OTHERWISE["jsapi"])["prepay_id"]

    assert simulator.use_wechat(hmac_client.for_page(prepay_id))["result"] == "fail"


def test_the_page_for_phones_pays_and_leads_back(
    simulator: Simulator, wechat_v2: WechatV2Client, browser: httpx.Client
) -> None:
    address = wechat_v2.order(NUMBER, **OTHERWISE["h5"])["mweb_url"]
    assert address.startswith(f"{simulator.url}/wechat/h5/?prepay_id=wx")

    page = browser.get(f"{address}&{urlencode({'redirect_url': BACK})}")
    left = submit(browser, page, f"/cashier/{token_of(page)}/decline")
    paid = submit(browser, page, f"/cashier/{token_of(page)}/pay", fault="")

    assert (leads_to(left), leads_to(paid)) == (BACK, BACK)
    assert simulator.trade(NUMBER)["status"] == "paid"


def test_the_page_for_phones_of_apiv3_is_the_same(
    simulator: Simulator, wechat_v3: WechatV3Client, browser: httpx.Client
) -> None:
    address = wechat_v3.create("h5", NUMBER).json()["h5_url"]

    assert "20.12" in browser.get(address).text


@pytest.mark.parametrize("agent", [DESKTOP, f"{PHONE} MicroMessenger/8.0.50", ""])
def test_the_page_for_phones_opens_in_phones_browsers_only(
    simulator: Simulator, wechat_v2: WechatV2Client, browser: httpx.Client, agent: str
) -> None:
    address = wechat_v2.order(NUMBER, **OTHERWISE["h5"])["mweb_url"]

    refused = browser.get(address, headers={"User-Agent": agent})

    assert refused.status_code == 400
    passing = re.search(r'href="([^"]+any_browser=1)"', refused.text)
    assert passing
    opened = browser.get(passing[1].replace("&amp;", "&"), headers={"User-Agent": agent})
    assert "20.12" in opened.text


def test_a_page_cannot_be_led_to_something_that_is_no_address(
    request: pytest.FixtureRequest, simulator: Simulator, browser: httpx.Client
) -> None:
    parameters = called_by_page(request, "v2")

    browser.get("/wechat/jsapi/", params={**parameters, "return_url": "javascript:alert(1)"})

    assert simulator.trade(NUMBER)["return_url"] == ""


def test_a_fault_picked_on_the_page_strikes_this_payment(
    simulator: Simulator, wechat_v3: WechatV3Client, browser: httpx.Client
) -> None:
    code = wechat_v3.create("native", NUMBER).json()["code_url"]
    page = browser.get("/wechat/scan/", params={"code": code})
    assert 'value="signtest"' in page.text

    submit(browser, page, f"/cashier/{token_of(page)}/pay", fault="signtest")

    disturbed = eventually(lambda: [d["disturbed_by"] for d in simulator.notifications(NUMBER)[0]["deliveries"]])
    assert disturbed[0] == "signtest"


def test_only_the_faults_of_its_protocol_are_offered(wechat_v2: WechatV2Client, browser: httpx.Client) -> None:
    page = browser.get("/wechat/scan/", params={"code": wechat_v2.order(NUMBER)["code_url"]})

    assert 'value="no_sign"' in page.text
    assert 'value="signtest"' not in page.text


def test_the_home_page_shows_merchants_trades_and_refunds(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver, browser: httpx.Client
) -> None:
    code = wechat_v2.order(NUMBER)["code_url"]
    simulator.pay(NUMBER)
    simulator.arm("abnormal_refund")
    wechat_v2.refund(NUMBER, "R1", 500)
    v2_receiver.wait_for(2)

    page = browser.get("/", params={"lang": "en"})
    trade = browser.get(re.search(r'href="(/trades/\d+/)"', page.text)[1])

    assert f"mch_id {wechat_v2.merchant.mch_id}" in page.text
    assert "Simulated WeChat Pay v2" in page.text
    assert code in trade.text
    assert "the payer&#x27;s account takes no money" in trade.text


def test_an_address_keeps_its_own_parameters(
    request: pytest.FixtureRequest, simulator: Simulator, browser: httpx.Client
) -> None:
    browser.get("/wechat/jsapi/", params={**called_by_page(request, "v2"), "return_url": f"{BACK}&x=a%26b#top"})

    kept = urlsplit(simulator.trade(NUMBER)["return_url"])

    assert parse_qs(kept.query) == {"order": ["7"], "x": ["a&b"], "err_msg": ["get_brand_wcpay_request:ok"]}
    assert kept.fragment == "top"


def test_the_language_is_changed_on_the_page_where_one_is(
    simulator: Simulator, wechat_v2: WechatV2Client, browser: httpx.Client
) -> None:
    address = wechat_v2.order(NUMBER, **OTHERWISE["h5"])["mweb_url"]
    refused = browser.get(address, headers={"User-Agent": DESKTOP, "Accept-Language": "zh"})
    english = re.search(r'href="([^"]*lang=en[^"]*)"', refused.text)
    assert english

    again = browser.get(f"/wechat/h5/{english[1].replace('&amp;', '&')}", headers={"User-Agent": DESKTOP})

    assert "The gateway refuses this request" in again.text
    assert "any_browser=1" in again.text


def test_an_answer_in_xml_is_shown_by_what_it_says(
    simulator: Simulator, wechat_v2: WechatV2Client, browser: httpx.Client
) -> None:
    wechat_v2.order(NUMBER)
    simulator.pay(NUMBER)
    eventually(lambda: simulator.notifications(NUMBER)[0]["deliveries"])

    page = browser.get("/")

    assert ">SUCCESS OK</code>" in page.text
    assert f"&lt;out_trade_no&gt;&lt;![CDATA[{NUMBER}]]&gt;&lt;/out_trade_no&gt;" in page.text
