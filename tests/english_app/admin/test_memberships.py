"""Staff look up who is a member until when, and by what."""

import datetime

import pytest
from django.utils import timezone

from english_app.models import Grant, Membership
from tests.english_app.world import buy, make_item, make_learner
from tests.payments.admin.forms import listing, page
from tests.payments.admin.test_decisions import browser
from tests.payments.admin.test_pages import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def lin():
    return browser("lin", "view_membership", "view_grant", "view_englishorder")


@pytest.fixture
def bought(learner, month):
    return buy(client=learner.client, goods={month: 2, make_item(client=learner.client): 3})


def rows(answer):
    return list(answer.context["cl"].result_list)


@pytest.mark.parametrize("noun", [Membership, Grant])
@pytest.mark.parametrize("by", ["user_id", "phone"])
def test_what_is_a_customer_s_is_found_by_the_customer(bought, learner, month, noun, by):
    learner.phone = "13800138000"
    learner.save(update_fields=["phone"])
    make_learner(client=learner.client, user_id="2", balance_fen=10_000)
    buy(client=learner.client, goods={month: 1}, user_id="2")

    found = rows(browser("lin", f"view_{noun._meta.model_name}").get(listing(noun), {"q": getattr(learner, by)}))

    assert {row.customer for row in found} == {learner}


def test_a_grant_is_found_by_its_order_and_leads_there(lin, bought):
    shown = lin.get(listing(Grant), {"q": bought.order.number})

    assert [str(grant) for grant in rows(shown)] == ["单词卡 × 3", "会员月卡 × 2"]
    assert f'href="{page(bought)}"' in shown.content.decode()
    assert " 1 month " in text(shown)


def test_the_lists_ask_as_often_for_many_as_for_one(lin, bought, month, django_assert_num_queries):
    for noun in (Membership, Grant):
        lin.get(listing(noun))
    make_learner(client=month.client, user_id="2", balance_fen=10_000)
    buy(client=month.client, goods={month: 1}, user_id="2")

    for noun in (Membership, Grant):
        with django_assert_num_queries(6):  # session, user, their rights, their groups' and clients, the list
            lin.get(listing(noun))


@pytest.mark.parametrize(("days", "state"), [(1, "member"), (0, "member"), (-1, "expired"), (None, "none")])
def test_a_membership_tells_whether_it_lasts(lin, bought, learner, days, state):
    ends_on = None if days is None else timezone.localdate() + datetime.timedelta(days=days)
    before = Membership.objects.get()
    Membership.objects.update(ends_on=ends_on)

    shown = text(lin.get(page(before)))

    Membership.objects.update(ends_on=before.ends_on)  # so that the books are right in the end
    assert f" {state} " in shown


def test_a_membership_leads_to_what_it_adds_up_from(lin, bought, learner):
    path = f"{listing(Grant)}?customer__id__exact={learner.pk}"

    assert path in lin.get(listing(Membership)).content.decode()
    assert len(rows(lin.get(path))) == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [("line__kind__exact=item", 1), ("taken_back_at__isempty=1", 2), ("taken_back_at__isempty=0", 0)],
)
def test_grants_filter(lin, bought, query, found):
    assert len(rows(lin.get(f"{listing(Grant)}?{query}"))) == found
