"""Addresses of the back-office beside its lists, asked oddly: a clean answer to each."""

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from payments.models import Export
from tests.attacks.test_admin import book, page  # noqa: F401  book is a fixture
from tests.world import make_staff

pytestmark = pytest.mark.django_db(transaction=True)  # PostgreSQL refuses some, and would refuse all that follows

ASK = reverse("admin:payments_export_ask", args=["payments.order"])
SEARCH, COMPLETE = reverse("admin:search"), reverse("admin:autocomplete")
ODD = [
    f"{SEARCH}?s=x&page=x", f"{SEARCH}?s=x&page=-1", f"{SEARCH}?s=x&page=99999", f"{SEARCH}?s=%00&extended=1",
    f"{COMPLETE}?app_label=payments&model_name=order&field_name=customer&term=%00",
    f"{COMPLETE}?app_label=payments&model_name=staffmember&field_name=user&term=%00",
    f"{COMPLETE}?app_label=payments&model_name=order&field_name=customer&term=&page=99999999999999999999",
    ASK.replace("payments.order", "payments.Order"), f"{ASK}?q=%00",
]  # fmt: skip
NULS = ["client=%00", "status__exact=%00", "q=%00", "family=%00", "title__contains=x%00"]


@pytest.fixture
def boss():
    client = Client(raise_request_exception=False)
    client.force_login(make_staff("boss", boss=True))
    return client


def test_control_what_is_not_odd_is_answered(boss, book):  # noqa: F811
    assert boss.get(f"{SEARCH}?s=x").status_code == 200
    assert boss.get(f"{COMPLETE}?app_label=payments&model_name=order&field_name=customer&term=1").status_code == 200


def test_an_odd_address_has_a_clean_answer(boss, book):  # noqa: F811
    assert [path for path in ODD if boss.get(path).status_code >= 500] == []


@pytest.mark.parametrize("query", NULS)
def test_an_export_of_what_no_column_holds_is_not_asked_for(boss, query):
    answer = boss.post(f"{ASK}?{query}", {"format": "csv", "reason": "month's end"})

    assert (answer.status_code, Export.objects.count()) == (404, 0)


def test_an_action_on_what_is_no_row_is_refused(boss, book):  # noqa: F811
    failed = []
    for model, pages in admin.site._registry.items():
        for action in pages.actions or ():
            for chosen in ("x", "", "\0", "-1"):
                sent = {"action": action, ACTION_CHECKBOX_NAME: [chosen], "reason": "x"}
                if boss.post(page(model, "changelist"), sent).status_code != 400:
                    failed.append((model, action, chosen))
    assert failed == []


@pytest.mark.parametrize(
    "query",
    [
        "number__range=x",
        "number__range=%00",
        "number__unaccent=x",
        "number__trigram_similar=x",
        f"id__range={9 * 10**21}",
    ],
)
def test_a_comparison_that_cannot_be_made_leads_to_the_list_without_it(boss, query):
    path = reverse("admin:payments_order_changelist")

    assert boss.get(f"{path}?{query}").headers["Location"] == f"{path}?e=1"


@pytest.mark.parametrize("query", ["body__exact=x", "body__in=%00", "headers__range=x", "headers__a__gt=x"])
def test_nor_does_one_with_bytes_or_json(boss, query):
    assert boss.get(f"{reverse('admin:payments_inboundnotification_changelist')}?{query}").status_code in {200, 302}
