import datetime

import pytest
from django.test import Client
from django.utils import timezone

from payments.charges import operations as charges
from payments.charges import settlement
from payments.gateways import memory, registry
from payments.gateways.base import Mode, Outcome, PaymentState
from payments.gateways.memory import Fault
from payments.models import ApiClient, Charge, GatewayAccount, Order, Transfer
from payments.orders import operations as orders
from payments.transactions import transaction
from tests.payments.cashier.conftest import place

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"


def text(response):
    return " ".join(response.content.decode().split())


def page(client, order, query=""):
    return client.get(f"/till/{order.number}/{query}")


def choose(client, order, way="memory:qr"):
    return client.post(f"/till/{order.number}/", {"way": way})


def live(client, order, query=""):
    return client.get(f"/till/{order.number}/status{query}").json()


def settle_paid(charge, at=None):
    state = PaymentState(
        outcome=Outcome.SUCCEEDED, number=charge.number, amount_fen=charge.amount_fen, trade_no=charge.number
    )
    settlement.settle(charge_id=charge.pk, state=state, at=at or timezone.now())


def pay_by(order, mode=Mode.QR):
    return charges.pay_by(order_id=order.pk, channel="memory", mode=mode, actor="test", at=timezone.now())


def change(order, **fields):
    """Age an order: its time alone may change."""
    Order.objects.filter(pk=order.pk).update(**fields)


def money_moved(order):
    cash = Charge.objects.filter(order=order).exclude(tender="points").count()
    return cash, Transfer.objects.filter(order=order).count()


# --- choosing


def test_a_customer_sees_what_is_owed_and_what_the_points_paid(browser, order):
    response = page(browser, order)

    body = text(response)
    assert response.status_code == 200
    assert response.context["scene"].state == "choosing"
    assert "¥</span>2,012.72" in body
    assert "−¥131.28" in body
    assert "¥2,144.00" in body
    assert order.title in body
    assert order.number in body


def test_a_stranger_sees_the_amount_and_nothing_personal(stranger, order, customer):
    body = text(page(stranger, order))

    assert "2,012.72" in body
    assert order.number in body
    assert 'value="memory:qr"' in body
    for personal in ("131.28", "2,144.00", order.title, customer.real_name, customer.ee_no, customer.user_id):
        assert personal not in body


def test_looking_starts_nothing(browser, order):
    before = money_moved(order)

    page(browser, order)
    live(browser, order)

    assert money_moved(order) == before
    assert memory.book("memory-app").payments == {}


@pytest.mark.parametrize(("agent", "first"), [("", "memory:qr"), (PHONE, "memory:wap")])
def test_the_device_decides_what_is_offered_first(order, agent, first):
    response = page(Client(HTTP_USER_AGENT=agent), order)

    assert response.context["ways"][0].value == first
    assert {way.value for way in response.context["ways"]} >= {first, "memory:qr"}


def test_a_shop_without_a_way_to_pay_is_told_about(browser, order):
    GatewayAccount.objects.update(is_active=False)

    assert "No way to pay is set up" in text(page(browser, order))


# --- paying


def test_choosing_a_code_leads_back_to_the_page_that_shows_it(browser, order):
    response = choose(browser, order)

    charge = Charge.objects.get(order=order, tender="memory")
    assert (response.status_code, response["Location"]) == (303, f"/till/{order.number}/")
    shown = page(browser, order)
    assert shown.context["scene"].state == "waiting"
    assert "data:image/svg+xml" in shown.context["qr"]
    assert (charge.mode, charge.amount_fen) == ("qr", 201_272)


def test_choosing_twice_is_one_charge(browser, order):
    first, second = choose(browser, order), choose(browser, order)

    assert first["Location"] == second["Location"]
    assert Charge.objects.filter(order=order, tender="memory").count() == 1


def test_choosing_a_page_marks_the_way_on_to_the_gateway(browser, order, settings):
    settings.BASE_URL = "https://pay.example"

    response = choose(browser, order, "memory:page")

    assert response.status_code == 303
    assert response["Location"].endswith("#go")
    request = memory.book("memory-app").payments[f"{order.number}_2"].request
    assert request.return_url == f"https://pay.example/till/{order.number}/?returned=1"
    assert request.payer_address == "127.0.0.1"


def test_a_form_without_its_token_starts_nothing(order):
    strict = Client(enforce_csrf_checks=True, HTTP_ACCEPT_LANGUAGE="en")
    before = money_moved(order)

    response = choose(strict, order)

    assert response.status_code == 403
    assert "Nothing was paid" in text(response)
    assert money_moved(order) == before


@pytest.mark.parametrize("way", ["", "memory", "memory:app", "alipay:qr", "memory:qr\x00", "points:qr"])
def test_a_way_that_is_not_offered_is_refused_in_words(browser, order, way):
    before = money_moved(order)

    response = choose(browser, order, way)

    assert response.status_code == 422
    assert "not on offer" in text(response)
    assert money_moved(order) == before


def test_a_silent_gateway_is_told_about_and_may_be_tried_again(browser, order):
    memory.book("memory-app").script(Fault.LOST_RESPONSE, verb="create_payment")

    choose(browser, order)
    asking = page(browser, order)
    choose(browser, order)

    assert asking.context["scene"].state == "asking"
    assert "has not answered yet" in text(asking)
    assert page(browser, order).context["scene"].state == "waiting"
    assert Charge.objects.filter(order=order, tender="memory").count() == 1


def test_a_refusal_is_shown_with_its_status_and_other_ways(browser, order):
    memory.book("memory-app").script(Fault.REFUSED, verb="create_payment")

    response = choose(browser, order)

    assert response.status_code == 422
    assert 'role="alert"' in text(response)
    assert response.context["scene"].state == "choosing"
    assert page(browser, order).context["scene"].was_refused


def test_a_gateway_without_a_free_line_answers_503_on_the_page(browser, order, monkeypatch):
    class Taken:
        def acquire(self, *, blocking):
            return False

    monkeypatch.setattr(registry, "_places", Taken())

    response = choose(browser, order)

    assert response.status_code == 503
    assert "Try again in a moment" in text(response)


# --- what comes of it


def test_the_status_changes_by_itself_when_the_money_comes(browser, order):
    charge = pay_by(order)
    before = live(browser, order)

    settle_paid(charge)

    after = live(browser, order)
    assert (before["state"], before["paid"], before["is_final"], before["next_url"]) == ("waiting", False, False, "")
    assert (after["status"], after["state"], after["paid"], after["is_final"]) == ("pay_finished", "paid", True, True)
    assert after["mark"] != before["mark"]
    assert after["next_url"] == f"/till/{order.number}/?return"


def test_a_paid_customer_is_led_back_with_a_fresh_signature(browser, order):
    settle_paid(pay_by(order))

    shown, back = page(browser, order), page(browser, order, "?return")

    assert f'data-return="/till/{order.number}/?return"' in text(shown)
    assert f'content="3;url=/till/{order.number}/?return"' in text(shown)
    assert "SIGNED" not in text(shown)
    assert (back.status_code, back["Location"]) == (
        302,
        "https://www.example.com/?status=pay_finished&sign=SIGNED",
    )


def test_a_stranger_is_led_back_without_a_signature(stranger, order):
    settle_paid(pay_by(order))

    assert page(stranger, order, "?return")["Location"] == "https://www.example.com/"


def test_nobody_is_led_back_before_the_end(browser, order):
    assert page(browser, order, "?return").status_code == 200
    assert live(browser, order)["next_url"] == ""


def test_an_order_paid_long_ago_waits_for_a_click(browser, order):
    settle_paid(pay_by(order))
    change(order, finished_at=timezone.now() - datetime.timedelta(minutes=5))

    body = text(page(browser, order))

    assert "already paid" in body
    assert "data-return" not in body
    assert f'href="/till/{order.number}/?return"' in body


def test_an_expired_order_cannot_be_paid(browser, order):
    change(order, expires_at=timezone.now() + datetime.timedelta(seconds=119))
    before = money_moved(order)

    shown, refused = page(browser, order), choose(browser, order)

    assert shown.context["scene"].state == "expired"
    assert "has run out" in text(shown)
    assert 'name="way"' not in text(shown)
    assert refused.status_code == 422
    assert money_moved(order) == before


def test_an_attempt_runs_until_the_gateway_ends_it(browser, order):
    charge = pay_by(order)
    change(order, expires_at=timezone.now() + datetime.timedelta(seconds=90))
    Charge.objects.filter(pk=charge.pk).update(expires_at=timezone.now() + datetime.timedelta(seconds=30))

    scene = page(browser, order).context["scene"]

    assert scene.state == "waiting"
    assert 28 <= scene.seconds_left <= 30


def test_a_closed_order_says_so_and_leads_back(browser, order):
    with transaction():
        locked = orders.lock(order_id=order.pk)
        orders.apply(order=locked, event="closed", actor="test", at=timezone.now())

    response = page(browser, order)

    assert response.context["scene"].state == "closed"
    assert "is closed" in text(response)
    assert "?return" in text(response)
    assert choose(browser, order).status_code == 409


@pytest.mark.parametrize(
    ("event", "words"),
    [("refunded_in_part", "Part of this order has been refunded"), ("refunded_in_full", "order has been refunded")],
)
def test_a_refunded_order_says_so(browser, order, event, words):
    settle_paid(pay_by(order))
    with transaction():
        orders.apply(order=orders.lock(order_id=order.pk), event=event, actor="test", at=timezone.now())

    assert words in text(page(browser, order))
    assert live(browser, order)["is_final"] is True


def test_cash_that_waits_for_its_points_is_no_end(shop, customer, account):
    ApiClient.objects.update(points_policy="points_last")
    shop.refresh_from_db()
    order = place(shop)
    with transaction():
        orders.apply(order=orders.lock(order_id=order.pk), event="cash_settled", actor="test", at=timezone.now())
    client = Client(HTTP_ACCEPT_LANGUAGE="en")

    assert live(client, order)["is_final"] is False
    assert "Your payment has arrived" in text(page(client, order))


def test_paying_a_paid_order_is_refused_on_the_page(browser, order):
    settle_paid(pay_by(order))
    before = money_moved(order)

    response = choose(browser, order)

    assert response.status_code == 409
    assert response.context["scene"].state == "paid"
    assert money_moved(order) == before


def test_coming_back_from_the_gateway_asks_for_patience_not_for_money(browser, order):
    charge = pay_by(order, Mode.PAGE)

    body = text(page(browser, order, f"?returned=1&out_trade_no={charge.number}&sign=x"))

    assert "Checking your payment" in body


# --- what there is not, and who asks


@pytest.mark.parametrize("number", ["2018061500000000", "x", "0" * 28])
def test_an_unknown_order_is_a_page_of_its_own(stranger, account, number):
    response = stranger.get(f"/till/{number}/")

    assert response.status_code == 404
    assert "There is no such order" in text(response)
    assert stranger.get(f"/till/{number}/status").json()["error_code"] == "order_unknown"


def test_another_familys_order_is_unknown_here(browser, order):
    assert browser.get(f"/other/{order.number}/").status_code == 404


def test_a_path_answers_with_and_without_its_last_slash(browser, order):
    for path in ("", "/", "/status", "/status/"):
        assert browser.get(f"/till/{order.number}{path}").status_code == 200
    assert browser.post(f"/till/{order.number}", {"way": "memory:qr"}).status_code == 303
    assert browser.post(f"/till/{order.number}/status", {"way": "memory:qr"}).status_code == 405


def test_every_answer_is_kept_by_nobody(browser, stranger, order):
    for response in (page(browser, order), browser.get(f"/till/{order.number}/status"), choose(browser, order),
                     stranger.get("/till/1/")):  # fmt: skip
        assert "no-store" in response["Cache-Control"]


def test_the_page_needs_nothing_the_policy_forbids(browser, order):
    choose(browser, order)

    response = page(browser, order)

    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy
    body = text(response)
    assert " style=" not in body
    assert "<style" not in body
    assert " onclick=" not in body
    assert "<script src=" in body
    assert "<script>" not in body


def test_the_page_speaks_chinese_unless_asked_otherwise(order):
    client = Client()

    chinese = page(client, order)
    client.post("/i18n/setlang/", {"language": "en", "next": f"/till/{order.number}/"})
    english = page(client, order)

    assert '<html lang="zh-hans">' in text(chinese)
    assert '<html lang="en">' in text(english)
