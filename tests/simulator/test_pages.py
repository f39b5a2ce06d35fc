"""What people see of the simulator."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.simulator.merchant import AlipayClient, pairs
from tests.simulator.receiver import Receiver, eventually
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"


@pytest.fixture
def browser(simulator: Simulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=simulator.url, follow_redirects=True, trust_env=False, verify=False) as client:
        yield client


def submit(browser: httpx.Client, page: httpx.Response, action: str, /, **fields: str) -> httpx.Response:
    """Send the page's form that goes to `action`."""
    assert f'action="{action}"' in page.text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token
    return browser.post(action, data={"csrfmiddlewaretoken": token[1], **fields})


def test_a_person_scans_and_pays(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver, browser: httpx.Client
) -> None:
    page = browser.get(alipay.precreate(NUMBER)["qr_code"], params={"lang": "zh"})
    assert "模拟环境：不会产生真实扣款" in page.text
    assert "确认付款 ¥20.12" in page.text
    token = simulator.trade(NUMBER)["pay_url"].rsplit("/", 1)[1]

    paid = submit(browser, page, f"/cashier/{token}/pay", fault="")

    assert "支付成功" in paid.text
    assert receiver.wait_for(1)[0]["out_trade_no"] == NUMBER


def test_the_payer_is_led_back_with_a_signed_return(
    simulator: Simulator, alipay: AlipayClient, browser: httpx.Client
) -> None:
    page = browser.get(alipay.link("page", NUMBER, return_url="http://shop.example/back?order=7"))
    token = page.url.path.rsplit("/", 1)[1]

    paid = submit(browser, page, f"/cashier/{token}/pay", fault="")

    address = re.search(r'http-equiv="refresh" content="3;url=([^"]+)"', paid.text)
    assert address
    query = dict(parse_qsl(urlsplit(address[1].replace("&amp;", "&")).query))
    assert query.pop("order") == "7"
    assert query["method"] == "alipay.trade.page.pay.return"
    assert (query["out_trade_no"], query["total_amount"]) == (NUMBER, "20.12")
    signed = {name: value for name, value in query.items() if name not in {"sign", "sign_type"}}
    assert alipay.genuine(pairs(signed), query["sign"])


def test_a_fault_picked_on_the_page_strikes_this_payment(
    simulator: Simulator, alipay: AlipayClient, browser: httpx.Client
) -> None:
    page = browser.get(alipay.precreate(NUMBER)["qr_code"])
    token = simulator.trade(NUMBER)["pay_url"].rsplit("/", 1)[1]

    submit(browser, page, f"/cashier/{token}/pay", fault="lost")

    assert simulator.notifications(NUMBER)[0]["state"] == "lost"


def test_declining_closes_the_trade(simulator: Simulator, alipay: AlipayClient, browser: httpx.Client) -> None:
    page = browser.get(alipay.precreate(NUMBER)["qr_code"], params={"lang": "en"})
    token = simulator.trade(NUMBER)["pay_url"].rsplit("/", 1)[1]

    over = submit(browser, page, f"/cashier/{token}/decline")

    assert "This payment is over" in over.text
    assert alipay.query(NUMBER)["trade_status"] == "TRADE_CLOSED"


def test_paying_needs_the_pages_own_token(simulator: Simulator, alipay: AlipayClient, browser: httpx.Client) -> None:
    browser.get(alipay.precreate(NUMBER)["qr_code"])
    token = simulator.trade(NUMBER)["pay_url"].rsplit("/", 1)[1]

    assert browser.post(f"/cashier/{token}/pay").status_code == 403
    assert simulator.trade(NUMBER)["status"] == "waiting"


def test_a_closed_trade_cannot_be_paid_from_an_old_page(
    simulator: Simulator, alipay: AlipayClient, browser: httpx.Client
) -> None:
    page = browser.get(alipay.precreate(NUMBER)["qr_code"], params={"lang": "en"})
    token = simulator.trade(NUMBER)["pay_url"].rsplit("/", 1)[1]
    alipay.close(NUMBER)

    answer = submit(browser, page, f"/cashier/{token}/pay", fault="")

    assert "This payment is over" in answer.text
    assert simulator.trade(NUMBER)["paid_at"] is None


def test_the_home_page_shows_trades_and_answers(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver, browser: httpx.Client
) -> None:
    receiver.answers = [(200, b"failure")]
    alipay.precreate(NUMBER, subject="<b>碎花</b>".replace("/", "") + " 裙")
    simulator.pay(NUMBER)
    eventually(lambda: simulator.notifications(NUMBER)[0]["deliveries"])
    simulator.arm("slow", match="nobody")

    page = browser.get("/", params={"lang": "en"})

    assert NUMBER in page.text
    assert "failure" in page.text
    assert "The right answer, late" in page.text
    assert "<b>碎花" not in page.text
    assert browser.get(f"/trades/{_id(page)}/").status_code == 200


def test_a_trade_is_paid_and_a_notification_sent_again_from_the_home_page(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver, browser: httpx.Client
) -> None:
    alipay.precreate(NUMBER)
    page = browser.get("/")

    page = submit(browser, page, f"/trades/{_id(page)}/act", action="pay")
    receiver.wait_for(1)
    notification = simulator.notifications(NUMBER)[0]
    page = submit(browser, browser.get("/"), f"/notifications/{notification['id']}/resend")

    assert page.status_code == 200
    assert len(receiver.wait_for(2)) == 2


def test_faults_are_armed_and_disarmed_on_the_home_page(simulator: Simulator, browser: httpx.Client) -> None:
    page = submit(browser, browser.get("/"), "/faults/arm", fault="late", times="2", match=" ")
    assert [(fault["fault"], fault["times"]) for fault in simulator.faults()] == [("late", 2)]

    submit(browser, page, "/faults/clear")
    assert simulator.faults() == []


def test_an_order_string_is_opened_by_pasting_it(
    simulator: Simulator, alipay: AlipayClient, browser: httpx.Client
) -> None:
    form = browser.get("/app/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
    assert token

    fields = {"csrfmiddlewaretoken": token[1], "order_string": alipay.order_string(NUMBER)}
    page = browser.post("/app/", data=fields)

    assert "20.12" in page.text
    assert simulator.trade(NUMBER)["product"] == "app"


def test_pages_speak_the_browsers_language_unless_told_otherwise(browser: httpx.Client) -> None:
    assert "支付网关模拟器" in browser.get("/").text
    assert "Gateway simulator" in browser.get("/", headers={"Accept-Language": "en-GB,en"}).text
    assert "Gateway simulator" in browser.get("/", params={"lang": "en"}).text
    assert "Gateway simulator" in browser.get("/").text, "it remembers"


def test_pages_load_nothing_from_elsewhere(simulator: Simulator, browser: httpx.Client) -> None:
    page = browser.get("/")

    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assets = re.findall(r'(?:src|href)="(/?static/[^"]+)"', page.text)
    assert len(assets) == 3
    assert all(browser.get(f"/{asset.lstrip('/')}").status_code == 200 for asset in assets)
    assert "style=" not in page.text
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text)


def test_a_code_that_does_not_exist_is_not_found(browser: httpx.Client) -> None:
    assert browser.get("/qr/baxnothing").status_code == 404


def _id(page: httpx.Response) -> str:
    found = re.search(r'href="/trades/(\d+)/"', page.text)
    assert found
    return found[1]
