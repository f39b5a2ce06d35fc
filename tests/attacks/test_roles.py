"""Every address of the back-office as every role: theirs opens, what is not is 403, what is out of sight 404."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from config.roles import ROLES
from config.urls import admin_patterns
from payments.models import ApiClient, Export
from tests.attacks.test_admin import book, dump, page, users  # noqa: F401  book is a fixture
from tests.world import make_client, make_staff

pytestmark = pytest.mark.django_db

# For everybody of the staff: their own log-in, their first page, and what shows nothing of its own.
OWN = {
    "index", "login", "logout", "password_change", "password_change_done", "jsi18n", "search", "security",
    "second_factor", "second_factor_remove", "recovery_codes", "sessions_end", "app_list",
}  # fmt: skip
# What asks for rights beyond looking at its rows. Whoever may not look at them may not do it either.
DEEDS = {
    "payments_charge_confirm": {"payments.request_confirmation"},
    "payments_charge_give_back": {"payments.request_refund"},
    "payments_customer_value": {"payments.grant_value"},
    "payments_customer_freeze": {"payments.freeze_customer"},
    "payments_customer_unfreeze": {"payments.freeze_customer"},
    "payments_inboundnotification_replay": {"payments.replay_inboundnotification"},
    "payments_refund_approve": {"payments.approve_refund"},
    "payments_refund_refuse": {"payments.approve_refund"},
    "payments_refund_ask": {"payments.query_gateway"},
    "payments_order_refund": {"payments.request_refund"},
    "payments_order_close": {"payments.close_order"},
    "payments_order_query": {"payments.query_gateway"},
    "payments_order_late_money": {"payments.request_refund"},
    "payments_order_clear_flag": {"payments.clear_flag"},
    "payments_handconfirmation_approve": {"payments.approve_confirmation"},
    "payments_handconfirmation_refuse": {"payments.approve_confirmation"},
    "payments_valuerequest_approve": {"payments.approve_grant"},
    "payments_valuerequest_refuse": {"payments.approve_grant"},
    "partner_orders_coupon_give": {"partner_orders.add_customercoupon"},
    "partner_orders_partnerorder_ship": {"partner_orders.ship_partnerorder"},
    "partner_orders_partnerorder_remark": {"partner_orders.change_partnerorder"},
    "partner_orders_giftpack_stock": {"partner_orders.change_giftpack"},
    "english_app_englishorder_approve": {"english_app.decide_return"},
    "english_app_englishorder_refuse": {"english_app.decide_return"},
    "english_app_englishorder_deliver": {"english_app.deliver_again"},
}
# Only to be posted to, or of arguments of their own: tested where they are made.
ELSEWHERE = {
    "autocomplete", "view_on_site", "look_up", "payments_order_raw", "payments_export_ask", "payments_export_state",
    "payments_export_file", "payments_gatewayaccount_examine", "payments_refundbatch_new", "auth_user_reset_device",
    "auth_user_password_change", "payments_handconfirmation_evidence", "payments_refund_to_approve",
    "payments_refund_held_up",
}  # fmt: skip
ACTIONS = {"changelist": "view", "change": "view", "history": "view", "add": "add", "delete": "delete"}
MODELS = {f"{model._meta.app_label}_{model._meta.model_name}": model for model in admin.site._registry}


def names():
    """The name of every address there is, once."""
    found = set()
    left = list(admin_patterns)
    while left:
        entry = left.pop()
        if isinstance(entry, URLResolver):
            left += entry.url_patterns
        elif isinstance(entry, URLPattern) and entry.name:
            found.add(entry.name)
    return sorted(found)


def of_models():
    """Yield each address of a model's pages: its name, the model, and the permissions that it asks for."""
    for name in names():
        model, _underscore, action = name.rpartition("_")
        if name in DEEDS:
            key = next(key for key in MODELS if name.startswith(f"{key}_"))
            yield name, MODELS[key], DEEDS[name] | {permission(MODELS[key], "view")}
        elif model in MODELS and action in ACTIONS:
            yield name, MODELS[model], {permission(MODELS[model], ACTIONS[action])}


def permission(model, action):
    if model is Export and action == "view":
        return "payments.export_rows"
    return f"{model._meta.app_label}.{action}_{model._meta.model_name}"


def addresses():
    """Yield each with a row to open it on: the path, the permissions, whether it shows one row, and its model."""
    for name, model, permissions in of_models():
        of_a_row = not name.endswith(("_changelist", "_add"))
        first = model.objects.order_by("pk").first() if of_a_row else None
        if of_a_row:
            assert first is not None, f"the book has no {model._meta.label}"
        yield reverse(f"admin:{name}", args=[first.pk] if of_a_row else []), permissions, of_a_row, model


def refusals(model):
    """An export is whose it is, and staff are nobody's customers: for others neither is there."""
    return {403, 404} if model is Export or model._meta.app_label == "auth" else {403}


def browser(role, clients=None):
    user = make_staff(role, clients=clients)
    user.groups.add(Group.objects.get(name=role))
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


def test_every_address_is_in_the_matrix_or_tested_elsewhere():
    asked = {name for name, _model, _permissions in of_models()}

    assert set(names()) == asked | OWN | ELSEWHERE
    assert set(DEEDS) <= asked


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_what_its_permissions_say_and_nothing_else(book, role):  # noqa: F811
    someone = browser(role)

    for path, permissions, of_a_row, model in addresses():
        status = someone.get(path).status_code
        if permissions <= set(ROLES[role]) and not (of_a_row and model is Export):
            assert status in {200, 302}, (path, status)
        else:
            assert status in refusals(model), (path, status)


@pytest.mark.parametrize("role", ROLES)
def test_staff_of_another_client_find_no_row(book, role):  # noqa: F811
    stranger = make_client(name="somebody-else")
    someone = browser(role, clients=[stranger])
    shared = {"payments.GatewayAccount", "payments.GatewayDefault"}

    for path, permissions, of_a_row, model in addresses():
        status = someone.get(path).status_code
        if not of_a_row or model._meta.app_label == "auth":
            assert status in ({200, 403} if permissions <= set(ROLES[role]) else refusals(model)), (path, status)
        elif permissions <= set(ROLES[role]) and (
            getattr(admin.site._registry[model], "client_path", "") or model._meta.label in shared
        ):
            assert status == 404, (path, status)
        else:
            assert status in {403, 404}, (path, status)
    assert ApiClient.objects.filter(name="somebody-else").exists()


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_may_not_do_it_cannot_post_either(book, role):  # noqa: F811
    someone = browser(role)
    before, people = dump(), users()
    cache.clear()

    for path, permissions, _of_a_row, model in addresses():
        if not permissions <= set(ROLES[role]):
            answer = someone.post(path, {"reason": "mine now", "post": "yes", "goods": "1.00", "step": "refund"})
            assert answer.status_code in refusals(model), (path, answer.status_code)

    assert (dump(), users()) == (before, people)


@pytest.mark.parametrize("role", ROLES)
def test_foreign_rows_cannot_be_posted_to(book, role):  # noqa: F811
    someone = browser(role, clients=[make_client(name="somebody-else")])
    before = dump()

    for path, _permissions, of_a_row, model in addresses():
        if of_a_row:
            answer = someone.post(path, {"reason": "mine now", "post": "yes", "goods": "1.00", "step": "refund"})
            assert answer.status_code in {403, 404}, (path, answer.status_code)
        elif path == page(model, "changelist"):
            ids = list(model.objects.values_list("pk", flat=True)[:5])
            for action, _title in admin.site._registry[model].get_action_choices(someone_s(someone)):
                fields = {"action": action, "_selected_action": ids, "reason": "mine now"}
                assert someone.post(path, fields).status_code in {200, 302, 403}, (path, action)

    assert dump() == before


def someone_s(client):
    """A request of that person, of the kind that a list's actions are chosen for."""
    return client.get(reverse("admin:index")).wsgi_request
