"""Alipay: asking for money, paying, asking what became of it, closing."""

import httpx
import pytest

from tests.simulator.merchant import AlipayClient
from tests.simulator.receiver import Receiver
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"


def test_a_code_is_no_trade_until_somebody_scans_it(simulator: Simulator, alipay: AlipayClient) -> None:
    offered = alipay.precreate(NUMBER)

    assert offered["code"] == "10000"
    assert offered["qr_code"].startswith(f"{simulator.url}/qr/bax")
    assert alipay.query(NUMBER)["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    assert alipay.close(NUMBER)["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    assert simulator.trade(NUMBER)["status"] == "offered"

    httpx.get(offered["qr_code"])

    assert alipay.query(NUMBER)["trade_status"] == "WAIT_BUYER_PAY"


def test_a_code_can_still_be_paid_after_a_close_that_found_no_trade(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER)
    alipay.close(NUMBER)

    simulator.pay(NUMBER)

    assert alipay.query(NUMBER)["trade_status"] == "TRADE_SUCCESS"


def test_a_paid_trade_says_what_was_paid(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER)
    paid = simulator.pay(NUMBER)

    answer = alipay.query(NUMBER)

    assert answer["code"] == "10000"
    assert answer["trade_status"] == "TRADE_SUCCESS"
    assert answer["total_amount"] == answer["receipt_amount"] == "20.12"
    assert answer["trade_no"] == paid["trade_no"]
    assert len(answer["trade_no"]) == 28
    assert answer["send_pay_date"] == paid["paid_at"][:19].replace("T", " ")


def test_a_trade_is_found_by_alipays_number_too(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER)
    trade_no = simulator.pay(NUMBER)["trade_no"]

    answer = alipay.call("alipay.trade.query", {"trade_no": trade_no})

    assert answer["out_trade_no"] == NUMBER


def test_slashes_are_escaped_in_the_signed_text(alipay: AlipayClient) -> None:
    parameters = alipay.sign(alipay.parameters("alipay.trade.precreate", alipay.goods(NUMBER)))

    text, signature = alipay.split("alipay.trade.precreate", alipay.post(parameters).text)

    assert ":\\/\\/" in text
    assert alipay.genuine(text, signature)
    assert not alipay.genuine(text.replace("\\/", "/"), signature)


def test_the_same_number_again_is_the_same_code(alipay: AlipayClient) -> None:
    assert alipay.precreate(NUMBER)["qr_code"] == alipay.precreate(NUMBER)["qr_code"]


@pytest.mark.parametrize("changed", [{"total_amount": "20.13"}, {"subject": "另一件"}, {"body": "more"}])
def test_the_same_number_with_other_content_is_refused(
    simulator: Simulator, alipay: AlipayClient, changed: dict[str, str]
) -> None:
    alipay.precreate(NUMBER)

    assert alipay.precreate(NUMBER, **changed)["sub_code"] == "ACQ.CONTEXT_INCONSISTENT"
    assert simulator.trade(NUMBER)["amount"] == "20.12"


def test_the_number_of_a_paid_trade_is_used_up(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)

    assert alipay.precreate(NUMBER)["sub_code"] == "ACQ.TRADE_HAS_SUCCESS"


def test_closing_ends_a_trade_that_waits(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER)
    simulator.scan(NUMBER)

    assert alipay.close(NUMBER)["code"] == "10000"

    assert alipay.query(NUMBER)["trade_status"] == "TRADE_CLOSED"
    assert alipay.precreate(NUMBER)["sub_code"] == "ACQ.TRADE_HAS_CLOSE"
    assert alipay.close(NUMBER)["sub_code"] == "ACQ.TRADE_STATUS_ERROR"


def test_a_paid_trade_cannot_be_closed(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)

    assert alipay.close(NUMBER)["sub_code"] == "ACQ.TRADE_STATUS_ERROR"
    assert alipay.query(NUMBER)["trade_status"] == "TRADE_SUCCESS"


def test_an_expiry_in_the_past_is_refused(alipay: AlipayClient) -> None:
    answer = alipay.precreate(NUMBER, time_expire="2018-06-15 12:00:00")

    assert answer["sub_code"] == "ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR"


def test_the_merchants_own_limit_is_kept(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER, timeout_express="5m")

    opened = simulator.scan(NUMBER)

    assert opened["expires_at"] > opened["started_at"]
    minutes = int(opened["expires_at"][14:16]) - int(opened["started_at"][14:16])
    assert minutes % 60 == 5


@pytest.mark.parametrize("product", ["page", "wap"])
def test_a_link_leads_to_the_page_where_the_trade_begins(
    simulator: Simulator, alipay: AlipayClient, product: str
) -> None:
    answer = alipay.http.get(alipay.link(product, NUMBER))

    assert answer.status_code == 302
    assert simulator.trade(NUMBER)["status"] == "offered"
    assert alipay.query(NUMBER)["sub_code"] == "ACQ.TRADE_NOT_EXIST"

    page = alipay.http.get(f"{simulator.url}{answer.headers['location']}")

    assert page.status_code == 200
    assert "20.12" in page.text
    assert alipay.query(NUMBER)["trade_status"] == "WAIT_BUYER_PAY"


def test_a_link_can_be_posted_as_a_form(simulator: Simulator, alipay: AlipayClient) -> None:
    link = httpx.URL(alipay.link("page", NUMBER))

    answer = alipay.http.post(alipay.merchant.gateway_url, data=dict(link.params))

    assert answer.status_code == 302
    assert simulator.trade(NUMBER)["product"] == "page"


def test_a_tampered_link_is_refused_with_a_page(simulator: Simulator, alipay: AlipayClient) -> None:
    answer = alipay.http.get(alipay.link("page", NUMBER).replace("20.12", "0.01"))

    assert answer.status_code == 400
    assert "isv.invalid-signature" in answer.text
    assert simulator.trades() == []


def test_the_app_pays_an_order_string(simulator: Simulator, alipay: AlipayClient, receiver: Receiver) -> None:
    answer = simulator.use_app(alipay.order_string(NUMBER))

    assert answer["resultStatus"] == "9000"
    assert answer["trade"]["status"] == "paid"
    document = answer["result"].removesuffix(',"sign_type":"RSA2"}') + "}"
    assert alipay.verified("alipay.trade.app.pay", document)["out_trade_no"] == NUMBER
    assert receiver.wait_for(1)[0]["out_trade_no"] == NUMBER


def test_a_payer_who_steps_back_leaves_the_trade_waiting(simulator: Simulator, alipay: AlipayClient) -> None:
    answer = simulator.use_app(alipay.order_string(NUMBER), pay=False)

    assert answer["resultStatus"] == "6001"
    assert alipay.query(NUMBER)["trade_status"] == "WAIT_BUYER_PAY"


def test_the_app_refuses_a_tampered_order_string(simulator: Simulator, alipay: AlipayClient) -> None:
    answer = simulator.use_app(alipay.order_string(NUMBER).replace("20.12", "0.01"))

    assert answer["resultStatus"] == "4000"
    assert answer["refusal"]["sub_code"] == "isv.invalid-signature"
    assert simulator.trades() == []


def test_a_merchant_does_not_see_anothers_trades(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)
    with AlipayClient(simulator.register_merchant(), notify_url=alipay.notify_url) as other:
        assert other.query(NUMBER)["sub_code"] == "ACQ.TRADE_NOT_EXIST"
        assert other.precreate(NUMBER)["code"] == "10000"
