"""The pages of the English app's deeds under attack: strangers, lookers-on, forged forms, ids of nothing."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from english_app import returns
from english_app.models import EnglishOrder, Grant, Membership
from payments.models import AuditRow, Refund
from tests.english_app.world import buy, deliver_in_vain
from tests.payments.admin.forms import page, send
from tests.payments.admin.test_decisions import browser

pytestmark = pytest.mark.django_db

# page: the right it needs, a form that would do something
PAGES = {
    "approve": ("decide_return", {"reason": "x"}),
    "refuse": ("decide_return", {"reason": "x"}),
    "deliver": ("deliver_again", {"reason": "x"}),
}
RIGHTS = ("view_englishorder", "add_englishorder", "change_englishorder", "delete_englishorder", "approve_refund",
          "request_refund", "decide_return", "deliver_again")  # fmt: skip


@pytest.fixture(params=PAGES)
def deed(request, monkeypatch, learner, month):
    right, form = PAGES[request.param]
    if request.param == "deliver":
        document = deliver_in_vain(monkeypatch, client=learner.client, goods={month: 1})
    else:
        document = buy(client=learner.client, goods={month: 1})
        returns.ask(order_id=document.order_id, actor="client:english", at=timezone.now())
    return page(document, request.param), right, form


def state():
    return [
        list(model.objects.order_by("pk").values()) for model in (EnglishOrder, Grant, Membership, Refund, AuditRow)
    ]


def test_control_who_may_do_it_does_it(deed):
    path, right, form = deed
    before = state()

    assert send(browser("lin", "view_englishorder", right), path, form).redirect_chain != []

    assert state() != before


def test_every_other_right_together_is_not_enough_and_there_is_no_button(deed):
    path, right, form = deed
    carrying = browser("boss", *RIGHTS).get(path).context["form"].seen()
    someone = browser("someone", *(set(RIGHTS) - {right}))
    before = state()

    assert someone.get(path).status_code == 403
    assert someone.post(path, form | carrying).status_code == 403
    home = "/".join([*path.split("/")[:5], "change", ""])
    assert path not in someone.get(home).content.decode()
    assert path in browser("lin", *RIGHTS).get(home).content.decode()

    assert state() == before


def test_the_right_alone_without_one_to_look_is_not_enough(deed):
    path, right, form = deed
    before = state()

    assert browser("lin", right).post(path, form).status_code == 403

    assert state() == before


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
