"""The back-office under attack: strangers, lookers-on, a superuser gone bad, and what customers write into it."""

from html.parser import HTMLParser

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from payments.admin.base import ReadOnlyAdmin
from payments.charges import operations as charges
from payments.days import day_of
from payments.figures import operations as figures
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.inbox import operations as inbox
from payments.models import Appointment, GatewayDefault, Order, StaffMember, WebhookEndpoint
from payments.outbox import operations as outbox
from payments.refunds import batches
from payments.refunds import operations as refunds
from payments.refunds.batches import Chosen
from payments.refunds.operations import RefundCommand
from tests.calls import post, signed
from tests.checkout.test_documents import PAY
from tests.english_app import world as learners
from tests.partner_orders import world as partners
from tests.world import make_difference, make_export, make_memory_account, make_requests

pytestmark = pytest.mark.django_db

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
MONEY = [model for model in MODELS if isinstance(admin.site._registry[model], ReadOnlyAdmin)]
SETTINGS = [model for model in MODELS if model not in MONEY]


@pytest.fixture
def book(client, shop, alipay):
    """Something of every kind."""
    memory.forget_everything()
    GatewayDefault.objects.create(channel="memory", mode="qr", account=make_memory_account())
    placed = order(client)
    Appointment.objects.create(order=placed, appointment_time=timezone.now(), appointment_for="李雷")
    make_difference(charge=placed.charges.get(attempt=2))
    make_requests(client=placed.client)
    command = RefundCommand(goods_fen=100)
    refunds.refund(order_id=placed.pk, command=command, actor="client:shop", at=timezone.now())
    batches.confirm(
        number="batch-1", chosen=[Chosen(order_id=placed.pk, goods_fen=1, shipping_fen=0)], reason="recalled",
        actor="user:lin", at=timezone.now(),
    )  # fmt: skip
    WebhookEndpoint.objects.create(client=placed.client, url="https://www.example.com/hook")
    outbox.dispatch(at=timezone.now())
    figures.compute(day=day_of(timezone.now()), at=timezone.now())
    make_export(user=placed.client.user)
    partners.make_something_of_every_kind(client=partners.make_partner_client(name="partner"))
    learners.make_something_of_every_kind(client=learners.make_english_client(app_id=3))  # shop and rival have 1 and 2
    return placed


def order(client, **changes):
    status, answer = post(client, "/api/checkout/pay/", signed(PAY | changes))
    assert status == 200, answer
    placed = Order.objects.get(number=answer["result"]["bb_trade_no"])
    charge = charges.pay_by(order_id=placed.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())
    raw = memory.book("memory-app").notification(charge.number) if _paid(charge) else None
    inbox.receive(kind="memory", headers=raw.headers, body=raw.body, remote_address="127.0.0.1", at=timezone.now())
    return placed


def _paid(charge):
    memory.book("memory-app").pay(charge.number)
    return True


def page(model, name, pk=None):
    where = f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}"
    return reverse(where, args=[pk] if pk is not None else [])


def pages(model):
    first = model.objects.order_by("pk").first()
    yield page(model, "changelist")
    yield page(model, "add")
    for name in ("change", "delete", "history"):
        yield page(model, name, first.pk if first else 1)


def logged_in(**fields):
    user = get_user_model().objects.create_user(username="somebody", password="a long enough password", **fields)
    StaffMember.objects.create(user=user, sees_every_client=True)
    client = Client()
    client.force_login(user)
    return client, user


def dump():
    """Everything that is in the database, but for sessions and what reading writes."""
    skipped = {"payments_staffsession", "auth_user", "payments_staffmember", "django_admin_log"}
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if name not in skipped]
        found = {}
        for name in tables:
            cursor.execute(f'SELECT t::text FROM "{name}" t ORDER BY 1')
            found[name] = cursor.fetchall()
    return found


def users():
    return set(get_user_model().objects.values_list("username", "password", "is_staff", "is_superuser", "is_active"))


def test_every_model_of_ours_is_either_settings_or_read_only():
    ours = {
        model
        for app in ("payments", "checkout", "partner_orders", "english_app")
        for model in apps.get_app_config(app).get_models()
    }

    settings = {
        "payments": ("ApiClient", "GatewayAccount", "GatewayDefault", "WebhookEndpoint"),
        "partner_orders": ("GiftPack", "UserLevel", "CustomerLevel", "Coupon"),
        "english_app": ("Good", "Agent"),
    }
    assert ours & set(SETTINGS) == {apps.get_model(app, name) for app in settings for name in settings[app]}


@pytest.mark.parametrize("who", ["nobody", "a customer", "switched off"])
def test_who_is_no_staff_sees_nothing(book, who):
    client = Client()
    if who != "nobody":
        client, _user = logged_in(is_staff=who == "switched off", is_active=who != "switched off", is_superuser=True)
    paths = [path for model in MODELS for path in pages(model)] + ["/admin/", "/admin/jsi18n/", "/admin/autocomplete/"]
    paths += ["/admin/password_change/", "/admin/payments/", "/admin/r/1/1/", "/admin/nothing/"]
    paths.append(page(Order, "refund", book.pk))

    for method in (client.get, client.post):
        for path in paths:
            response = method(path)
            assert response.status_code in {302, 403, 404}, path
            if response.status_code == 302:
                assert response["Location"].startswith("/admin/login/?next=")
            assert "20111111111" not in response.content.decode()


def test_who_may_only_look_changes_nothing(book):
    client, user = logged_in(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    before, people = dump(), users()

    for model in MODELS:
        for path in pages(model):
            assert client.get(path).status_code in {200, 403, 404}, path  # an export is its owner's: 404
            for fields in (filled_in(model), {"action": "delete_selected", "_selected_action": "1", "post": "yes"}):
                assert client.post(path, fields).status_code in {200, 302, 403, 404}, path

    assert (dump(), users()) == (before, people)


def test_who_may_do_one_thing_may_not_do_the_others(book):
    client, user = logged_in(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_order", "view_charge"]))

    for model in MODELS:
        expected = 200 if model._meta.label in {"payments.Order", "payments.Charge"} else 403
        assert client.get(page(model, "changelist")).status_code == expected, model


@pytest.mark.parametrize("model", MONEY, ids=lambda model: model._meta.label)
def test_a_superuser_moves_no_money(book, model):
    client, _user = logged_in(is_staff=True, is_superuser=True)
    before = dump()
    first = model.objects.order_by("pk").first()
    pk = first.pk if first else 1

    for fields in ({}, filled_in(model)):
        assert client.post(page(model, "add"), fields).status_code == 403
        assert client.post(page(model, "change", pk), fields).status_code in {302, 403}
        assert client.post(page(model, "delete", pk), fields | {"post": "yes"}).status_code in {302, 403}
    for action in ("delete_selected", "export", "__all__"):
        fields = {"action": action, "_selected_action": [pk], "select_across": "1", "index": "0", "post": "yes"}
        client.post(page(model, "changelist"), fields)
    client.post(page(model, "changelist"), {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": pk,
                                            **{f"form-0-{name}": value for name, value in filled_in(model).items()},
                                            "_save": "1"})  # fmt: skip

    assert dump() == before


@pytest.mark.parametrize("model", SETTINGS, ids=lambda model: model._meta.label)
def test_nobody_deletes_what_books_refer_to(book, model):
    client, _user = logged_in(is_staff=True, is_superuser=True)
    count = model.objects.count()

    assert client.post(page(model, "delete", model.objects.first().pk), {"post": "yes"}).status_code == 403
    client.post(
        page(model, "changelist"),
        {"action": "delete_selected", "_selected_action": [model.objects.first().pk], "post": "yes"},
    )

    assert model.objects.count() == count


def test_no_inline_of_an_order_takes_rows(book):
    client, _user = logged_in(is_staff=True, is_superuser=True)
    before = dump()
    fields = {}
    for prefix in ("charges", "transitions", "transfers", "transfer_set", "notifications", "accounts"):
        fields |= {f"{prefix}-TOTAL_FORMS": "2", f"{prefix}-INITIAL_FORMS": "1", f"{prefix}-0-id": "1",
                   f"{prefix}-0-amount_fen": "1", f"{prefix}-0-DELETE": "on"}  # fmt: skip

    assert client.post(page(Order, "change", book.pk), fields).status_code in {302, 403}
    assert dump() == before


def test_forms_need_their_token(book):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(get_user_model().objects.create_superuser(username="boss"))
    before = dump()

    for model in SETTINGS:
        assert strict.post(page(model, "change", model.objects.first().pk), filled_in(model)).status_code == 403
    assert dump() == before


VALUES = {"IntegerField": "1", "BigIntegerField": "1", "BooleanField": "on"}


def filled_in(model):
    return {field.name: VALUES.get(field.get_internal_type(), "x") for field in model._meta.fields}


# --- odd questions

ODD = [
    "q=%00", "q=%ED%A0%80", "q=" + "9" * 500, "q='", "q=%25", "p=-1", "p=99999999999999999999", "p=x", "o=1.-2.99",
    "all=", "e=1", "id__gt=99999999999999999999999", "id__in=1,x", "created_at__gte=x", "created_at_from=9999-99-99",
    "created_at_from=0000-00-00", "created_at_from=0001-01-01", "status__exact=x", "money_flag=x", "_popup=1",
    "client__token_sha256__startswith=a", "customer__user__password=x", "_to_field=password", "nothing=1",
    "delivery__exact=x", "pay_type__exact=x", "pay_type__exact=99999999999999999999", "order__status__exact=x",
    "order__created_at_from=9999-99-99", "coupon__id__exact=99999999999999999999", "coupon__id__exact=x",
    "valid_until_from=0000-00-00", "valid_until_to=x", "type__exact=x", "returning__exact=x", "client=x",
    "client=99999999999999999999", "agent__id__exact=x", "agent__id__exact=99999999999999999999",
    "customer__id__exact=x", "ends_on_from=0000-00-00", "ends_on_to=x", "line__kind__exact=x",
    "taken_back_at__isempty=x",
]  # fmt: skip
ODDER = ["status=%00", "family=%00", "created_at_to=9999-12-31", "number__regex=(", "order__status__exact=%00",
         "order__created_at_to=9999-12-31", "valid_until_to=9999-12-31", "client=%00", "returning__exact=%00",
         "line__kind__exact=%00", "ends_on_to=9999-12-31"]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_an_odd_question_has_a_clean_answer(book, model):
    assert not failures(model, ODD)


@pytest.mark.django_db(transaction=True)  # PostgreSQL refuses some, and would refuse all that follows
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_the_oddest_questions_have_a_clean_answer_too(book, model):
    assert not failures(model, ODDER)


def failures(model, queries):
    client, _user = logged_in(is_staff=True, is_superuser=True)
    client.raise_request_exception = False
    return [query for query in queries if client.get(f"{page(model, 'changelist')}?{query}").status_code >= 500]


# --- what customers and strangers write

EVIL = "<img src=x onerror=alert(1)>"
BREAKOUTS = ["</pre><script>alert(1)</script>", "\"'><svg/onload=alert(1)>", "</script><script>alert(1)</script>",
             "{{constructor.constructor('alert(1)')()}}", "javascript:alert(1)"]  # fmt: skip


class Elements(HTMLParser):
    """Every element and attribute that a browser would see."""

    def __init__(self, text):
        super().__init__()
        self.bad = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            acts = name.startswith(("on", "x-", "@", ":")) or name in {"href", "src", "action", "formaction", "srcdoc"}
            if acts and "alert(1)" in (value or "").lower().partition("?")[0] and "?" not in (value or ""):
                self.bad.append((tag, name, value))

    def handle_data(self, data):
        if self.cdata_elem == "script" and "alert(1)" in data:
            self.bad.append(("script", data[:200]))


def is_harmless(response):
    text = response.content.decode()
    assert Elements(text).bad == []
    for raw in (EVIL, *BREAKOUTS[:3]):
        assert raw not in text
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" in policy
    assert "script-src 'self' 'unsafe-inline'" not in policy
    return text


@pytest.mark.parametrize("raw", [EVIL, *BREAKOUTS[:3], "<a href='javascript:alert(1)'>", '<b x-data="alert(1)">'])
def test_control_what_runs_is_found(raw):
    assert Elements(f"<p title='alert(1)'>{raw}</p>").bad


@pytest.mark.parametrize("evil", [EVIL, *BREAKOUTS], ids=["img", "pre", "svg", "script", "template", "scheme"])
def test_what_is_written_into_the_books_is_shown_and_never_run(client, book, shop, evil):
    placed = order(
        client,
        out_trade_no=evil,
        client_pay_id=f"p{evil}"[:64],
        redirect_url="https://www.example.com/?" + evil.replace(" ", "+"),
    )
    shop.customer.real_name = shop.customer.phone = shop.customer.ee_no = evil[:32]
    shop.customer.save()
    for content in (evil.encode(), f"notify_id={evil}&out_trade_no={evil}&sign={evil}".encode()):
        for path in ("/rest/pub/ali/pay_notify", "/rest/pub/wx/pay_notify"):
            client.post(path, content, content_type="text/html", headers={"user-agent": evil, "x-evil": evil})
    boss, _user = logged_in(is_staff=True, is_superuser=True, first_name=evil)

    seen = ""
    for model in MODELS:
        seen += is_harmless(boss.get(page(model, "changelist")))
        for pk in model.objects.order_by("-pk").values_list("pk", flat=True)[:3]:
            seen += is_harmless(boss.get(page(model, "change", pk)))
    asked = {"step": "preview", "goods": evil, "reason": evil, "refund_no": evil, "left": evil}
    is_harmless(boss.post(page(Order, "refund", placed.pk), asked))
    seen += is_harmless(boss.get(page(Order, "refund", placed.pk)))
    seen += is_harmless(boss.get(page(Order, "changelist"), {"q": evil}))
    is_harmless(boss.get("/admin/", {"next": evil}))
    is_harmless(client.get("/admin/login/", {"next": evil}))

    assert "alert(1)" in seen, "it is to be shown"
    assert placed.title.endswith(evil)


@pytest.mark.parametrize("evil", [EVIL, *BREAKOUTS], ids=["img", "pre", "svg", "script", "template", "scheme"])
def test_the_cashier_shows_it_and_never_runs_it(client, book, evil):
    status, answer = post(client, "/api/checkout/pay/", signed(PAY | {"out_trade_no": evil, "client_pay_id": ""}))
    assert status == 200
    path = f"/checkout/pay/{answer['result']['bb_trade_no']}/"

    pages = [
        client.get(path), client.get(f"{path}?attempt={evil}"), client.post(path, {"way": evil}),
        client.post(path, {"way": "memory:qr"}, follow=True), client.get(path),
        client.get("/api_login/", {"code": evil, "next": path}), client.get("/api_login/", {"code": "x", "next": evil}),
        client.post("/api_login/", {"code": evil, "next": path}), client.get("/checkout/pay/" + evil),
        client.get("/" + evil), client.get("/", {"sign": evil, "status": evil, "out_trade_no": evil}),
    ]  # fmt: skip
    for response in pages:
        is_harmless(response)
    assert client.get(f"{path}status").headers["Content-Type"].startswith("application/json")
