"""Everybody at the same moment, over HTTP: one attempt, one session, one grant."""

from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from partner_orders.models import CustomerCoupon, GiftPack
from payments.charges import operations as charges
from payments.charges.states import OPEN
from payments.models import Account, Charge, Customer, Order, Transfer
from tests.attacks.partner import stock_up
from tests.attacks.routes import BUY
from tests.calls import body, signed
from tests.checkout.test_documents import PAY
from tests.english_app import world as english
from tests.faults.test_alipay_end_to_end import connect
from tests.partner_orders.world import make_pack
from tests.web_process import eventually
from tests.world import balance_fen, points_fen

pytestmark = pytest.mark.django_db(transaction=True)

CROWD = 50
HUNDRED = 100


@pytest.fixture
def order(site, shop, simulator):
    connect(simulator, notify_base=site.url)
    result = site.api("/api/checkout/pay/", PAY)[1]["result"]
    order = Order.objects.get(number=result["bb_trade_no"])
    order.page = f"/checkout/pay/{order.number}/"
    order.link = {name: values[0] for name, values in parse_qs(urlsplit(result["cash_pay_url"]).query).items()}
    return order


def form(site, path, **fields):
    """A POST as a browser sends it that has seen a page of ours."""
    token = "a" * 32
    headers = {"cookie": f"csrftoken={token}", "origin": site.url}
    return "POST", path, {"headers": headers, "data": {**fields, "csrfmiddlewaretoken": token}}


def signed_call(method, path, params):
    headers = {"authorization": "Token shop-token", "content-type": "application/json"}
    return method, path, {"headers": headers, "content": body(signed(params))}


def statuses(responses):
    return Counter(response.status_code for response in responses)


def cash_charges(order):
    return Charge.objects.filter(order=order, tender="alipay")


def test_fifty_posts_of_the_pay_form_are_one_attempt_and_one_payment(site, simulator, order):
    answers = statuses(site.at_once([form(site, order.page, way="alipay:qr")] * CROWD))

    assert set(answers) <= {303, 503}
    assert answers[303] >= 1
    charge = cash_charges(order).get()
    assert charge.status == "pending"
    assert [trade["out_trade_no"] for trade in simulator.trades()] == [charge.number]
    simulator.pay(charge.number)
    eventually(lambda: Order.objects.get(pk=order.pk).status == "pay_finished")
    assert Transfer.objects.filter(debit__startswith="clearing").count() == 1


def test_two_ways_at_once_are_two_attempts_of_which_one_pays(site, simulator, order):
    ways = [form(site, order.page, way=way) for way in ("alipay:qr", "alipay:page") * (CROWD // 2)]

    answers = statuses(site.at_once(ways))

    assert set(answers) <= {303, 503}
    standing = list(cash_charges(order).filter(status__in=OPEN))
    assert Counter(charge.mode for charge in standing).most_common(1)[0][1] == 1
    assert cash_charges(order).count() <= 4, "attempts must not breed"
    for charge in standing:
        if charge.mode == "page":
            site.http.get(charge.payload["url"])
        simulator.pay(charge.number)
    eventually(lambda: cash_charges(order).filter(status__in=OPEN).count() == 0)
    booked = Counter(cash_charges(order).values_list("status", flat=True))
    assert booked["succeeded"] == 1
    assert booked["surplus"] == len(standing) - 1
    assert Order.objects.get(pk=order.pk).money_flag == ("overpaid" if len(standing) > 1 else "")


def test_changing_ones_mind_breeds_no_attempts(site, simulator, order):
    for _again in range(10):
        for way in ("alipay:qr", "alipay:page"):
            method, path, given = form(site, order.page, way=way)
            assert site.http.request(method, path, **given).status_code == 303

    assert cash_charges(order).count() == 2


def test_a_login_code_used_by_twenty_at_once_opens_one_session(site, order):
    responses = site.at_once([form(site, "/api_login/", **order.link)] * 20)

    assert statuses(responses) == {303: 1, 403: 19}
    assert sum("cashier=" in response.headers.get("set-cookie", "") for response in responses) == 1
    order.checkout.refresh_from_db()
    assert order.checkout.login_generation == 1


def test_fifty_notices_of_one_payment_while_the_sweep_asks_book_once(site, simulator, order):
    simulator.arm("lost")
    charge = charges.pay_by(order_id=order.pk, channel="alipay", mode="qr", actor="test", at=timezone.now())
    simulator.pay(charge.number)
    notice = simulator.notifications(charge.number)[0]

    simulator.resend(notice["id"], times=CROWD, at_once=CROWD)
    charges.reconcile(charge_id=charge.pk, at=timezone.now())

    assert Order.objects.get(pk=order.pk).status == "pay_finished"
    assert Transfer.objects.filter(debit__startswith="clearing").count() == 1


def test_fifty_makers_of_one_customer_make_one(site, shop):
    profile = {"ee_no": "e1", "phone": "13800138000", "real_name": "韩梅梅"}

    responses = site.at_once([signed_call("PUT", "/api/customers/new/", profile)] * CROWD)

    assert statuses(responses) == {200: CROWD}
    assert len({response.text for response in responses}) == 1
    customer = Customer.objects.get(user_id="new")
    assert Counter(Account.objects.filter(customer=customer).values_list("kind", flat=True)) == {
        "points": 1,
        "balance": 1,
    }


def test_fifty_changes_of_one_customer_end_as_one_of_them_whole(site, shop):
    profiles = [{"ee_no": f"e{n}", "phone": f"1380013{n:04}", "real_name": f"n{n}"} for n in range(CROWD)]

    responses = site.at_once([signed_call("PUT", "/api/customers/442090/", profile) for profile in profiles])

    assert statuses(responses) == {200: CROWD}
    left = Customer.objects.get(user_id="442090")
    assert {"ee_no": left.ee_no, "phone": left.phone, "real_name": left.real_name} in profiles


def test_fifty_times_one_grant_is_one_grant(site, shop):
    grant = {"grant_no": "g1", "kind": "points", "direction": "in", "amount": "1.00"}

    responses = site.at_once([signed_call("POST", "/api/customers/442090/grants/", grant)] * CROWD)

    assert statuses(responses) == {200: CROWD}
    assert points_fen(shop.customer) == 13_228


def test_one_grant_number_for_fifty_amounts_is_the_first_of_them(site, shop):
    grants = [{"grant_no": "g1", "kind": "points", "direction": "in", "amount": str(n + 1)} for n in range(CROWD)]

    responses = site.at_once([signed_call("POST", "/api/customers/442090/grants/", grant) for grant in grants])

    assert statuses(responses) == {200: 1, 409: CROWD - 1}


def test_fifty_takings_of_what_is_there_for_seven_are_seven(site, shop):
    takings = [{"grant_no": f"g{n}", "kind": "points", "direction": "out", "amount": "18.00"} for n in range(CROWD)]

    responses = site.at_once([signed_call("POST", "/api/customers/442090/grants/", taking) for taking in takings])

    assert statuses(responses) == {200: 7, 422: CROWD - 7}
    assert points_fen(shop.customer) == 13_128 - 7 * 1_800


def test_fifty_grants_and_orders_at_once_neither_lose_nor_double(site, shop):
    calls = []
    for n in range(CROWD // 2):
        grant = {"grant_no": f"g{n}", "kind": "points", "direction": "in", "amount": "10"}
        calls.append(signed_call("POST", "/api/customers/442090/grants/", grant))
        order = PAY | {"out_trade_no": f"T{n}", "client_pay_id": "", "total_amount": "7.00"}
        calls.append(signed_call("POST", "/api/checkout/pay/", order))

    responses = site.at_once(calls)

    assert statuses(responses) == {200: CROWD}
    spent = sum(Order.objects.values_list("points_fen", flat=True))
    assert spent == CROWD // 2 * 700
    assert points_fen(shop.customer) == 13_128 + CROWD // 2 * 1_000 - spent


def test_fifty_times_one_pack_is_one_order_and_one_piece(site, shop):
    stock_up(shop)

    responses = site.at_once([signed_call("POST", "/app/partner/order/pay", BUY)] * CROWD)

    assert set(statuses(responses)) <= {200, 503}
    answers = [response.json() for response in responses if response.status_code == 200]
    order = Order.objects.get()
    assert {answer["result"]["order_info"]["order_no"] for answer in answers} == {order.number}
    assert order.status == "pay_finished"
    assert (GiftPack.objects.get().stock, balance_fen(shop.customer)) == (9, 70_000)


def test_one_coupon_for_fifty_packs_at_once_is_taken_off_once(site, shop):
    stock_up(shop)
    coupon = CustomerCoupon.objects.get().uid
    packs = [make_pack(client=shop, uid=f"{number:032x}", price_fen=5_100).uid for number in range(CROWD)]

    responses = site.at_once(
        [
            signed_call("POST", "/app/partner/order/pay", BUY | {"gift_pos_id": pack, "coupon_id": coupon})
            for pack in packs
        ]
    )

    assert set(statuses(responses)) <= {200, 409, 503}
    assert Order.objects.get().total_fen == 100
    assert balance_fen(shop.customer) == 99_900


@pytest.fixture
def learner():
    client = english.make_english_client()
    return english.make_learner(client=client, balance_fen=2 * english.MONTH_FEN)


def english_pay(number):
    told = signed({"app_id": "1", "user_id": english.USER_ID, "order_sn": number})
    return "POST", "/english/order/pay", {"data": told}


def test_a_hundred_times_order_pay_is_a_hundred_equal_answers_and_one_payment(site, learner):
    month = english.make_month(client=learner.client)
    order = english.init(client=learner.client, goods={month: 1}).purchase

    responses = site.at_once([english_pay(order.number)] * HUNDRED)

    assert Counter((response.status_code, response.text) for response in responses) == {
        (200, '{"code":0,"msg":"ok","data":{}}'): HUNDRED
    }
    assert balance_fen(learner) == english.MONTH_FEN
    assert Charge.objects.filter(order=order).count() == 1
    assert Transfer.objects.filter(order=order, debit__startswith="balance:").count() == 1


def test_a_hundred_times_order_pay_before_the_notice_has_come_books_the_recharge_once(site, simulator, learner):
    connect(simulator, notify_base=site.url)
    month = english.make_month(client=learner.client)
    made = english.init(client=learner.client, goods={month: 3}, money_fen=english.MONTH_FEN)
    simulator.arm("lost")
    simulator.use_app(made.charge.payload["order_string"])

    answers = statuses(site.at_once([english_pay(made.purchase.number)] * HUNDRED))

    assert set(answers) <= {200, 503}, "who cannot ask the gateway now is told to come again, and never to pay"
    assert answers[200] >= 1
    assert balance_fen(learner) == 0
    assert Transfer.objects.filter(debit__startswith="clearing").count() == 1
    assert Transfer.objects.filter(order=made.purchase, debit__startswith="balance:").count() == 1
