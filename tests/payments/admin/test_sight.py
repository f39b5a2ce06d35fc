"""Who of the staff sees what: their clients' rows, and persons only where they may."""

import pytest
from django.contrib.admin.sites import site
from django.test import Client
from django.urls import reverse

from payments.admin import base, masking
from payments.gateways import memory
from payments.models import Customer, Order, StaffMember
from payments.staff.queries import clients_of
from tests.payments.admin.test_pages import text
from tests.payments.refunds.shop import paid_order, refund
from tests.world import make_client, make_customer, make_staff, place_order

pytestmark = pytest.mark.django_db

ORDERS = reverse("admin:payments_order_changelist")


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


@pytest.fixture
def own():
    return make_customer(client=make_client(), points_fen=10_000, phone="18569557087", real_name="张学友")


@pytest.fixture
def foreign():
    return make_customer(client=make_client(name="rival"), points_fen=10_000)


def page(row, name="change"):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{name}", args=[row.pk])


def browser(user):
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


def listed(client, path):
    return {row.pk for row in client.get(path).context["cl"].result_list}


def test_staff_of_one_client_see_its_orders_alone(own, foreign):
    seen, unseen = place_order(client=own.client), place_order(client=foreign.client)
    lin = browser(make_staff("lin", "view_order", clients=[own.client]))

    assert listed(lin, ORDERS) == {seen.pk}
    assert lin.get(page(seen)).status_code == 200
    assert lin.get(page(unseen)).status_code == 404


def test_staff_of_every_client_see_every_order(own, foreign):
    orders = {place_order(client=own.client).pk, place_order(client=foreign.client).pk}

    assert listed(browser(make_staff("lin", "view_order")), ORDERS) == orders


def test_who_was_given_no_clients_sees_no_order(own):
    order = place_order(client=own.client)
    user = make_staff("lin", "view_order", clients=[])
    StaffMember.objects.filter(user=user).delete()
    lin = browser(user)

    assert clients_of(user) == frozenset()
    assert listed(lin, ORDERS) == set()
    assert lin.get(page(order)).status_code == 404


def test_a_foreign_order_is_not_found_by_its_number_either(own, foreign):
    unseen = place_order(client=foreign.client)
    lin = browser(make_staff("lin", "view_order", clients=[own.client]))

    assert listed(lin, f"{ORDERS}?q={unseen.number}") == set()


def test_foreign_rows_of_the_same_number_crowd_out_none_of_ones_own(own, foreign, monkeypatch):
    monkeypatch.setattr(base, "SEARCH_MAX", 1)
    order = place_order(client=own.client, number="T1")
    place_order(client=foreign.client, number="T1")

    lin = browser(make_staff("lin", "view_order", clients=[own.client]))

    assert listed(lin, f"{ORDERS}?q=T1") == {order.pk}


def test_a_foreign_order_is_not_refunded_by_its_address():
    unseen = paid_order()
    lin = browser(make_staff("lin", "view_order", "request_refund", clients=[make_client(name="other")]))
    path = reverse("admin:payments_order_refund", args=[unseen.pk])

    assert lin.get(path).status_code == 404
    assert lin.post(path, {"step": "refund", "goods": "1.00"}).status_code == 404
    assert unseen.refunds.count() == 0


def test_an_action_on_foreign_ids_does_nothing(own, foreign):
    unseen = place_order(client=foreign.client)
    Order.objects.filter(pk=unseen.pk).update(money_flag="needs_attention")
    lin = browser(make_staff("lin", "view_order", "clear_flag", clients=[own.client]))

    lin.post(ORDERS, {"action": "clear_flag", "_selected_action": [unseen.pk], "reason": "mine now"}, follow=True)

    assert Order.objects.get(pk=unseen.pk).money_flag == "needs_attention"


@pytest.mark.parametrize("model", ["auditrow", "gatewaybill", "billline"])
def test_what_is_nobody_s_is_not_for_the_staff_of_single_clients(own, model):
    path = reverse(f"admin:payments_{model}_changelist")

    assert browser(make_staff("lin", f"view_{model}", clients=[own.client])).get(path).status_code == 403
    assert browser(make_staff("wang", f"view_{model}")).get(path).status_code == 200


def test_clients_to_choose_from_are_one_s_own(own, foreign):
    lin = browser(make_staff("lin", "view_giftpack", "add_giftpack", clients=[own.client]))

    form = lin.get(reverse("admin:partner_orders_giftpack_add")).context["adminform"].form

    assert set(form.fields["client"].queryset) == {own.client}


@pytest.mark.parametrize("may", [True, False])
def test_persons_are_behind_stars_for_who_may_not_know_them(own, may):
    permissions = ["view_customer", *(["view_personal_data"] if may else [])]
    lin = browser(make_staff("lin", *permissions))

    for path in (page(own), reverse("admin:payments_customer_changelist")):
        shown = text(lin.get(path))
        assert ("18569557087" in shown, "张学友" in shown) == (may, may)
        assert ("185****7087" in shown, "张**" in shown) == (not may, not may)


@pytest.mark.parametrize("guess", ["phone__startswith=185", "phone=18569557087", "real_name__contains=张"])
def test_what_is_masked_cannot_be_guessed_through_an_address(own, guess):
    path = f"{reverse('admin:payments_customer_changelist')}?{guess}"

    assert browser(make_staff("lin", "view_customer")).get(path).status_code == 400
    assert browser(make_staff("wang", "view_customer", "view_personal_data")).get(path).status_code == 200


def test_who_may_not_know_persons_finds_them_by_their_whole_phone_all_the_same(own):
    lin = browser(make_staff("lin", "view_customer"))

    assert listed(lin, f"{reverse('admin:payments_customer_changelist')}?q=18569557087") == {own.pk}


@pytest.mark.parametrize(
    ("mask", "plain", "masked"),
    [
        (masking.phone, "18569557087", "185****7087"),
        (masking.phone, "110", "***"),
        (masking.name, "欧阳修", "欧**"),
        (masking.address, "广东省深圳市南山区科技园1号", "广东省深圳市***"),
        (masking.number, "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "oUp***S6o"),
        (masking.number, "short", "***"),
        (masking.all_of, "127.0.0.1", "***"),
    ],
)
def test_a_mask_leaves_so_much(mask, plain, masked):
    assert mask(plain) == masked


def test_every_page_of_a_client_s_rows_says_whose_they_are():
    """Forgetting it hides a page from the staff of single clients; here it is said once that it was meant."""
    nobodys = {
        model._meta.label
        for model, of_it in site._registry.items()
        if not getattr(of_it, "client_path", "") and model._meta.app_label != "auth"
    }

    # An export is whoever's asked for it: its page has a rule of its own.
    assert nobodys == {"payments.AuditRow", "payments.BillLine", "payments.Export", "payments.GatewayBill"}


def test_every_page_shows_every_row_where_the_person_sees_every_client(own):
    """A scope that joins must not lose rows that have no client, nor show one twice."""
    assert Customer.objects.count() == len(listed(browser(make_staff("lin", "view_customer")), page_of(Customer)))


def page_of(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.mark.parametrize("which", ["refund", "charge"])
def test_who_may_see_a_refund_or_its_charge_sees_where_it_goes(which):
    leg = refund(paid_order(), goods_fen=5_000).legs.order_by("pk").first()

    shown = browser(make_staff("lin", f"view_{which}")).get(page(getattr(leg, which)))

    assert leg.number in {inline.original.number for formset in shown.context["inline_admin_formsets"]
                          for inline in formset if inline.original}  # fmt: skip
