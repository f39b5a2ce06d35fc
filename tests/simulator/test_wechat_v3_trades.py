"""WeChat Pay APIv3: orders from asking to closing, and who signs the answers."""

import datetime
from urllib.parse import quote

import httpx
import pytest

from tests.simulator.wechat_v3_merchant import V3Receiver, WechatV3Client
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


@pytest.mark.parametrize(
    ("product", "name", "beginning"),
    [
        ("native", "code_url", "weixin://wxpay/bizpayurl?pr="),
        ("jsapi", "prepay_id", "wx"),
        ("app", "prepay_id", "wx"),
        ("h5", "h5_url", "http"),
    ],
)
def test_an_order_answers_what_its_product_needs(
    wechat_v3: WechatV3Client, product: str, name: str, beginning: str
) -> None:
    answer = wechat_v3.create(product, NUMBER)

    assert answer.status_code == 200
    handle = wechat_v3.verified(answer)
    assert list(handle) == [name]
    assert handle[name].startswith(beginning)


def test_an_order_exists_as_soon_as_it_is_asked_for(wechat_v3: WechatV3Client) -> None:
    wechat_v3.create("jsapi", NUMBER, attach="pos=1&x")

    answer = wechat_v3.verified(wechat_v3.query(NUMBER))

    assert answer == {
        "appid": wechat_v3.merchant.app_id,
        "mchid": wechat_v3.merchant.mch_id,
        "out_trade_no": NUMBER,
        "trade_state": "NOTPAY",
        "trade_state_desc": "订单未支付",
        "attach": "pos=1&x",
        "amount": {"total": 2012, "currency": "CNY", "payer_currency": "CNY"},
    }


def test_a_paid_order_tells_who_paid_what_and_when(simulator: Simulator, wechat_v3: WechatV3Client) -> None:
    wechat_v3.create("jsapi", NUMBER)
    paid = simulator.pay(NUMBER)

    answer = wechat_v3.verified(wechat_v3.query(NUMBER))

    assert (answer["trade_state"], answer["trade_type"]) == ("SUCCESS", "JSAPI")
    assert answer["transaction_id"] == paid["trade_no"]
    assert answer["payer"] == {"openid": OPENID}
    assert answer["amount"] == {"total": 2012, "payer_total": 2012, "currency": "CNY", "payer_currency": "CNY"}
    said = datetime.datetime.fromisoformat(answer["success_time"])
    assert said == datetime.datetime.fromisoformat(paid["paid_at"]).replace(microsecond=0)
    assert answer["success_time"].endswith("+08:00")


@pytest.mark.parametrize("product", ["native", "h5", "app"])
def test_somebody_paid_also_where_the_order_named_nobody(
    simulator: Simulator, wechat_v3: WechatV3Client, product: str
) -> None:
    wechat_v3.create(product, NUMBER)
    simulator.pay(NUMBER)

    assert wechat_v3.verified(wechat_v3.query(NUMBER))["payer"]["openid"].startswith("o")


def test_an_order_is_found_by_wechats_number_too(simulator: Simulator, wechat_v3: WechatV3Client) -> None:
    wechat_v3.create("native", NUMBER)
    transaction_id = simulator.pay(NUMBER)["trade_no"]

    answer = wechat_v3.send("GET", f"/v3/pay/transactions/id/{transaction_id}?mchid={wechat_v3.merchant.mch_id}")

    assert wechat_v3.verified(answer)["out_trade_no"] == NUMBER


def test_a_number_with_odd_characters_is_signed_as_it_travels(wechat_v3: WechatV3Client) -> None:
    number = "2018-06|15*x_1"
    wechat_v3.create("native", number)

    assert wechat_v3.verified(wechat_v3.query(quote(number, safe="")))["out_trade_no"] == number


def test_asking_again_with_the_same_content_answers_the_same(wechat_v3: WechatV3Client) -> None:
    first = wechat_v3.create("jsapi", NUMBER).json()

    assert wechat_v3.verified(wechat_v3.create("jsapi", NUMBER)) == first


@pytest.mark.parametrize(
    ("product", "changed"),
    [
        ("native", {"amount": {"total": 2013, "currency": "CNY"}}),
        ("native", {"description": "another"}),
        ("native", {"attach": "another"}),
        ("app", {}),
    ],
)
def test_the_same_number_with_other_content_is_refused(
    simulator: Simulator, wechat_v3: WechatV3Client, product: str, changed: dict[str, object]
) -> None:
    wechat_v3.create("native", NUMBER)
    before = simulator.trade(NUMBER)

    answer = wechat_v3.create(product, NUMBER, **changed)

    assert wechat_v3.refused(answer) == (400, "INVALID_REQUEST")
    assert simulator.trade(NUMBER) == before


def test_an_order_of_two_merchants_under_one_number_is_two_orders(
    simulator: Simulator, wechat_v3: WechatV3Client
) -> None:
    wechat_v3.create("native", NUMBER)
    simulator.pay(NUMBER)
    with WechatV3Client(simulator.register_wechat_merchant(), notify_url=wechat_v3.notify_url) as other:
        assert other.refused(other.query(NUMBER)) == (404, "ORDER_NOT_EXIST")
        other.create("native", NUMBER)
        assert other.verified(other.query(NUMBER))["trade_state"] == "NOTPAY"

    assert wechat_v3.verified(wechat_v3.query(NUMBER))["trade_state"] == "SUCCESS"


def test_closing_answers_204_signed_over_nothing(simulator: Simulator, wechat_v3: WechatV3Client) -> None:
    wechat_v3.create("native", NUMBER)

    answer = wechat_v3.close(NUMBER)

    assert (answer.status_code, answer.content) == (204, b"")
    assert wechat_v3.genuine(answer)
    assert wechat_v3.verified(wechat_v3.query(NUMBER))["trade_state"] == "CLOSED"
    assert simulator.trade(NUMBER)["status"] == "closed"


def test_a_closed_order_stays_closed(wechat_v3: WechatV3Client) -> None:
    wechat_v3.create("native", NUMBER)
    wechat_v3.close(NUMBER)

    assert wechat_v3.refused(wechat_v3.close(NUMBER)) == (400, "ORDER_CLOSED")
    assert wechat_v3.refused(wechat_v3.create("native", NUMBER)) == (400, "ORDER_CLOSED")


def test_a_paid_order_can_neither_be_closed_nor_asked_for_again(
    simulator: Simulator, wechat_v3: WechatV3Client
) -> None:
    wechat_v3.create("native", NUMBER)
    simulator.pay(NUMBER)

    assert wechat_v3.refused(wechat_v3.close(NUMBER)) == (400, "ORDERPAID")
    assert wechat_v3.refused(wechat_v3.create("native", NUMBER)) == (400, "ORDERPAID")
    assert simulator.trade(NUMBER)["status"] == "paid"


def test_an_order_cannot_be_closed_in_its_first_five_minutes(simulator: Simulator, v3_receiver: V3Receiver) -> None:
    with WechatV3Client(simulator.register_wechat_merchant(), notify_url=v3_receiver.url) as client:
        client.create("native", NUMBER)

        assert client.refused(client.close(NUMBER)) == (400, "INVALID_REQUEST")
        assert client.verified(client.query(NUMBER))["trade_state"] == "NOTPAY"

        simulator.age(NUMBER, seconds=300)
        assert client.close(NUMBER).status_code == 204


def test_an_order_ends_when_the_merchant_said(simulator: Simulator, wechat_v3: WechatV3Client) -> None:
    until = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(minutes=5)

    wechat_v3.create("native", NUMBER, time_expire=until.isoformat())

    assert datetime.datetime.fromisoformat(simulator.trade(NUMBER)["expires_at"]) == until


def test_the_answers_key_is_the_one_asked_for(simulator: Simulator, v3_receiver: V3Receiver) -> None:
    merchant = simulator.register_wechat_merchant(mode="grey")
    with WechatV3Client(merchant, notify_url=v3_receiver.url) as client:
        client.create("native", NUMBER)
        by_certificate = client.query(NUMBER)
        client.asked_serial = merchant.platform_public_key_id
        by_public_key = client.query(NUMBER)

    assert by_certificate.headers["Wechatpay-Serial"] == merchant.platform_certificate_serials[-1]
    assert by_public_key.headers["Wechatpay-Serial"] == merchant.platform_public_key_id
    assert client.genuine(by_certificate)
    assert client.genuine(by_public_key)


def test_the_platform_certificates_come_under_the_apiv3_key(simulator: Simulator, v3_receiver: V3Receiver) -> None:
    merchant = simulator.register_wechat_merchant(mode="certificate")
    with WechatV3Client(merchant, notify_url=v3_receiver.url) as client:
        told = client.verified(client.send("GET", "/v3/certificates"))["data"]

        opened = [client.opened(each["encrypt_certificate"]) for each in told]
    assert opened == merchant.platform_certificates
    assert [each["serial_no"] for each in told] == merchant.platform_certificate_serials
    now = datetime.datetime.now(datetime.UTC)
    for each in told:
        assert datetime.datetime.fromisoformat(each["effective_time"]) < now
        assert datetime.datetime.fromisoformat(each["expire_time"]) > now


def test_who_uses_the_public_key_has_no_certificates(wechat_v3: WechatV3Client) -> None:
    assert wechat_v3.refused(wechat_v3.send("GET", "/v3/certificates")) == (404, "RESOURCE_NOT_EXISTS")


def test_a_path_nobody_knows_is_not_found(wechat_v3: WechatV3Client) -> None:
    assert httpx.get(f"{wechat_v3.merchant.base_url}/v3/pay/nothing", trust_env=False).status_code == 404


def test_the_last_certificate_is_in_use_and_the_older_ones_stay_known(
    simulator: Simulator, v3_receiver: V3Receiver
) -> None:
    merchant = simulator.register_wechat_merchant(mode="certificate")
    with WechatV3Client(merchant, notify_url=v3_receiver.url) as client:
        client.create("native", NUMBER)
        simulator.arm("key_switch")

        answer = client.query(NUMBER)

        assert answer.headers["Wechatpay-Serial"] not in merchant.platform_certificate_serials
        told = client.send("GET", "/v3/certificates").json()["data"]
    serials = [each["serial_no"] for each in told]
    assert serials == [*merchant.platform_certificate_serials, answer.headers["Wechatpay-Serial"]]


def test_the_end_of_an_unpaid_order_is_told_to_nobody(simulator: Simulator, wechat_v3: WechatV3Client) -> None:
    wechat_v3.create("native", NUMBER)

    assert simulator.close(NUMBER)["gateway_status"] == "CLOSED"

    assert wechat_v3.verified(wechat_v3.query(NUMBER))["trade_state"] == "CLOSED"
    assert simulator.notifications(NUMBER) == []
