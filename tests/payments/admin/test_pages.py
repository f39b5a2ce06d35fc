"""Every page of the back-office opens, and none of them can touch money."""

import html
import re
import zoneinfo

import pytest
from django.contrib import admin
from django.urls import reverse

from checkout.models import CheckoutOrder
from payments.models import ApiClient, AuditRow, Charge, InboundNotification, Order
from tests.world import make_customer, owe_from_balance, place_by_balance

pytestmark = pytest.mark.django_db

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
SETTINGS = {
    "auth.User", "auth.Group", "payments.ApiClient", "payments.GatewayAccount", "payments.GatewayDefault",
    "payments.WebhookEndpoint", "partner_orders.GiftPack", "partner_orders.Coupon", "partner_orders.UserLevel",
    "partner_orders.CustomerLevel", "english_app.Good", "english_app.Agent",
}  # fmt: skip
READ_ONLY = [model for model in MODELS if model._meta.label not in SETTINGS]


def page(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def text(response):
    return html.unescape(re.sub(r"<[^>]+>|\s+", " ", response.content.decode()))


def rows(model):
    return list(model.objects.order_by("pk").values())


def named(models):
    return pytest.mark.parametrize("model", models, ids=lambda model: model._meta.label)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@named(MODELS)
def test_the_list_opens(boss, book, model, language):
    response = boss.get(page(model, "changelist"), headers={"Accept-Language": language})

    assert response.status_code == 200


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@named(MODELS)
def test_the_page_of_a_row_opens(boss, book, model, language):
    response = boss.get(page(model, "change", model.objects.first().pk), headers={"Accept-Language": language})

    assert response.status_code == 200


@named([model for model in MODELS if model not in READ_ONLY])
def test_the_page_of_a_new_row_tells_nothing_that_only_machines_read(boss, book, model):
    response = boss.get(page(model, "add"))

    assert re.findall(r"&lt;[^&]* object at 0x", response.content.decode()) == []


@named(READ_ONLY)
def test_nobody_adds(boss, book, model):
    before = rows(model)

    assert boss.get(page(model, "add")).status_code == 403
    assert boss.post(page(model, "add"), {"number": "1"}).status_code == 403
    assert rows(model) == before


@named(READ_ONLY)
def test_nobody_changes(boss, book, model):
    before = rows(model)

    response = boss.post(page(model, "change", model.objects.first().pk), {"status": "closed", "_save": ""})

    assert response.status_code == 403
    assert rows(model) == before


@named(MODELS)
def test_nobody_deletes(boss, book, model):
    first = model.objects.first()
    before = rows(model)

    one = boss.post(page(model, "delete", first.pk), {"post": "yes"})
    boss.post(page(model, "changelist"), {"action": "delete_selected", "_selected_action": [first.pk], "post": "yes"})

    assert one.status_code == 403
    assert rows(model) == before


def test_a_stranger_is_sent_to_the_log_in(client, order):
    response = client.get(page(Order, "changelist"))

    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


def test_the_order_page_shows_the_money_in_yuan_and_all_that_touched_it(boss, order):
    shown = text(boss.get(page(Order, "change", order.pk)))

    charge = order.charges.get(attempt=2)
    for expected in (
        order.number, "20111111111", "0000010111135", "¥2144.00", "¥5.00", "¥131.28", "¥2012.72",
        f"{order.number}_1", f"{order.number}_2", charge.gateway_trade_no, "held for the order",
        "Everything settled", "accepted",
    ):  # fmt: skip
        assert expected in shown


def test_what_the_balance_paid_stands_between_points_and_cash(boss, order):
    customer = make_customer(client=order.client, user_id="442091", balance_fen=30_000)
    bought = place_by_balance(customer=customer, total_fen=23_456)

    listed, shown = (
        " ".join(text(boss.get(path)).split()) for path in (page(Order, "changelist"), page(Order, "change", bought.pk))
    )

    assert "¥234.56 balance" in listed
    assert "Points ¥0.00 Balance ¥234.56 Cash ¥0.00" in shown


def test_what_the_balance_is_still_to_pay_is_shown_as_unpaid_and_cannot_be_refunded(boss, order):
    customer = make_customer(client=order.client, user_id="442091", balance_fen=30_000)
    owed = owe_from_balance(customer=customer, total_fen=23_456)

    shown = boss.get(page(Order, "change", owed.pk))
    refund = boss.get(reverse("admin:payments_order_refund", args=[owed.pk]))

    assert "Points ¥0.00 Balance ¥234.56 Cash ¥0.00" in " ".join(text(shown).split())
    assert shown.context["may_refund"] is False
    assert (refund.status_code, refund["Location"]) == (302, page(Order, "change", owed.pk))


def test_the_order_page_shows_what_its_family_says_and_leads_to_its_document(boss, order):
    response = boss.get(page(Order, "change", order.pk))

    assert "Where the customer is led back to https://www.example.com" in " ".join(text(response).split())
    assert f'href="{page(CheckoutOrder, "change", order.checkout.pk)}"' in response.content.decode()


def test_the_page_of_an_order_without_its_document_opens_all_the_same(boss, order):
    orphan = place_by_balance(customer=make_customer(client=order.client, user_id="1", balance_fen=10_000),
                              family="checkout")  # fmt: skip

    assert boss.get(page(Order, "change", orphan.pk)).status_code == 200


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 1),
        ("status__exact=partly_refund", 1),
        ("status__exact=closed", 0),
        ("money_flag__exact=overpaid", 0),
        ("family=checkout", 1),
        ("family=other", 0),
        ("created_at_from=2018-01-01&created_at_to=2999-01-01", 1),
        ("created_at_to=2018-01-01", 0),
        ("created_at_from=rubbish", 0),
    ],
)
def test_the_list_of_orders_filters(boss, order, query, found):
    response = boss.get(f"{page(Order, 'changelist')}?{query}")

    assert len(response.context["cl"].result_list) == found


def test_a_day_filter_takes_whole_days_of_shanghai(boss, order):
    day = order.created_at.astimezone(zoneinfo.ZoneInfo("Asia/Shanghai")).date().isoformat()

    response = boss.get(f"{page(Order, 'changelist')}?created_at_from={day}&created_at_to={day}")

    assert len(response.context["cl"].result_list) == 1


def test_a_list_counts_nothing(boss, order, django_assert_max_num_queries):
    with django_assert_max_num_queries(5) as captured:
        boss.get(page(Order, "changelist"))

    assert not any("COUNT(" in query["sql"] for query in captured.captured_queries)


def test_a_hostile_notification_is_shown_as_text_and_cut(boss, order):
    told = InboundNotification.objects.get()
    told.body = b"<script>alert(1)</script>\xff\x00" + b"x" * 10_000
    told.save(update_fields=["body"])

    response = boss.get(page(InboundNotification, "change", told.pk))

    shown = response.content.decode()
    assert "<script>alert(1)" not in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert "10027 bytes in all" in shown
    assert shown.count("x" * 4_000) == 1
    assert "x" * 5_000 not in shown


def test_a_hostile_name_is_shown_as_text(boss, order):
    Charge.objects.filter(attempt=2).update(last_answer="<img src=x onerror=alert(1)>")

    response = boss.get(page(Charge, "change", order.charges.get(attempt=2).pk))

    assert b"<img src=x" not in response.content


class TestClients:
    FIELDS = {
        "is_active": "on",
        "families": ["checkout"],
        "sign_type": "MD5",
        "allowed_networks": "10.0.0.0/8,192.168.1.0/24",
        "unsigned_from": "",
        "points_policy": "points_first",
        "order_ttl_seconds": "1800",
        "redirect_hosts": "www.example.com",
        "refund_policy": "cash_first",
        "approval_above_fen": "",
        "late_money_policy": "refund",
    }

    def test_networks_are_changed_and_the_change_is_an_audit_row(self, boss, order):
        client = ApiClient.objects.get()

        response = boss.post(page(ApiClient, "change", client.pk), self.FIELDS)

        client.refresh_from_db()
        assert response.status_code == 302
        assert client.allowed_networks == ["10.0.0.0/8", "192.168.1.0/24"]
        row = AuditRow.objects.get(action="client.change")
        assert row.actor == "user:boss"
        assert row.subject == f"client:{client.pk}"
        assert row.detail["changes"]["allowed_networks"] == ["[]", "['10.0.0.0/8', '192.168.1.0/24']"]

    def test_what_is_no_network_is_refused(self, boss, order):
        response = boss.post(
            page(ApiClient, "change", ApiClient.objects.get().pk), {**self.FIELDS, "allowed_networks": "10.0.0.0/99"}
        )

        assert response.status_code == 200

        assert "is not a network" in text(response)
        assert ApiClient.objects.get().allowed_networks == []
        assert not AuditRow.objects.filter(action="client.change").exists()

    def test_neither_token_nor_secret_is_on_the_page(self, boss, order):
        client = ApiClient.objects.get()

        shown = boss.get(page(ApiClient, "change", client.pk)).content.decode()

        for hidden in (client.secret(), client.sealed_secret, client.token_sha256, "shop-token"):
            assert hidden not in shown

    def test_nobody_adds_one_here(self, boss):
        assert boss.get(page(ApiClient, "add")).status_code == 403


def test_the_language_can_be_switched(boss):
    boss.post("/i18n/setlang/", {"language": "en", "next": "/admin/"})

    assert 'lang="en"' in boss.get("/admin/").content.decode()
