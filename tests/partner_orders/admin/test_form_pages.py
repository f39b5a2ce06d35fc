"""The pages of the partner programme's deeds under attack: strangers, lookers-on, forged forms, ids of nothing."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from partner_orders.models import Coupon, CustomerCoupon, GiftPack, PartnerOrder
from payments.models import AuditRow
from tests.partner_orders.admin.test_orders import now
from tests.partner_orders.world import USER_ID, make_partner_client, make_something_of_every_kind
from tests.payments.admin.forms import page, send
from tests.payments.admin.test_decisions import browser

pytestmark = pytest.mark.django_db

# page: its noun, the right it needs, a form that would do something
PAGES = {
    "stock": (GiftPack, "change_giftpack", {"pieces": "5", "reason": "x"}),
    "give": (Coupon, "add_customercoupon", {"user_ids": USER_ID, "copies": "1"}),
    "ship": (PartnerOrder, "ship_partnerorder", {"name": "EMS", "number": "1"}),
    "remark": (PartnerOrder, "change_partnerorder", {"text": "x"}),
}
RIGHTS = ("view_giftpack", "view_coupon", "view_partnerorder", *(right for _noun, right, _form in PAGES.values()))


@pytest.fixture(params=PAGES)
def deed(request):
    make_something_of_every_kind(client=make_partner_client())
    noun, right, form = PAGES[request.param]
    if request.param == "ship":
        form = form | {"at": now()}
    return page(noun.objects.get(), request.param), right, form


def state():
    return [list(model.objects.order_by("pk").values()) for model in (GiftPack, CustomerCoupon, PartnerOrder, AuditRow)]


def test_control_who_may_do_it_does_it(deed):
    path, right, form = deed
    noun = path.split("/")[3]
    before = state()

    assert send(browser("lin", f"view_{noun}", right), path, form).redirect_chain != []

    assert state() != before


def test_every_other_right_together_is_not_enough(deed):
    path, right, form = deed
    carrying = browser("boss", *RIGHTS).get(path).context["form"].seen()
    someone = browser("someone", *(set(RIGHTS) - {right}))
    before = state()

    assert someone.get(path).status_code == 403
    assert someone.post(path, form | carrying).status_code == 403

    assert state() == before


@pytest.mark.parametrize("deed", ["give", "ship"], indirect=True)  # who may change a row may look at it
def test_the_right_alone_without_one_to_look_is_not_enough(deed):
    path, right, form = deed

    assert browser("lin", right).post(path, form).status_code == 403


def test_a_stranger_is_sent_to_the_log_in(deed, client):
    path, _right, form = deed
    before = state()

    answer = client.post(path, form)

    assert (answer.status_code, answer["Location"].startswith("/admin/login/")) == (302, True)
    assert state() == before


def test_a_form_without_its_token_is_refused(deed):
    path, _right, form = deed
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(get_user_model().objects.create_superuser(username="boss"))
    before = state()

    assert strict.post(path, form).status_code == 403
    assert state() == before


@pytest.mark.parametrize("pk", ["0", "999999", "9" * 30, "9" * 5_000, "x", "-1", "1%00"])
def test_a_row_that_is_not_there_is_a_clean_answer(deed, pk):
    path, _right, form = deed
    parts = path.split("/")
    wrong = "/".join([*parts[:4], pk, *parts[5:]])
    lin = browser("lin", *RIGHTS)

    assert lin.get(wrong).status_code in {302, 404}
    assert lin.post(wrong, form).status_code in {302, 403, 404}


def test_other_ways_of_asking_are_refused(deed):
    path, _right, form = deed
    lin = browser("lin", *RIGHTS)

    assert {lin.put(path, form).status_code, lin.delete(path).status_code} == {405}


def test_nothing_at_all_is_a_clean_answer_and_does_nothing(deed):
    path, _right, _form = deed
    before = state()

    assert browser("lin", *RIGHTS).post(path, {}, follow=True).status_code == 200

    assert state() == before
