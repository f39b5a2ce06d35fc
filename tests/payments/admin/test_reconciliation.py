"""Differences in the back-office: looked at by many, settled with a reason by who may."""

import datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from payments.models import AuditRow, Difference, GatewayBill
from tests.world import make_memory_account, make_staff

pytestmark = pytest.mark.django_db

LIST = reverse("admin:payments_difference_changelist")
DAY = datetime.date(2018, 6, 15)


@pytest.fixture
def account():
    return make_memory_account()


@pytest.fixture
def differences(account):
    return [
        Difference.objects.create(
            account=account, day=DAY, kind="ours_missing", entry="payment", number=f"X{n}", theirs_fen=12_345,
            remedy="check_by_hand", status="open", found_at=timezone.now(),
        )
        for n in range(3)
    ]  # fmt: skip


def settle(browser, *chosen, **fields):
    given = {"action": "settle_chosen", "_selected_action": [one.pk for one in chosen], **fields}
    return browser.post(LIST, given)


def standing():
    return list(Difference.objects.order_by("number").values_list("status", "settled_by", "settled_reason"))


def test_with_a_reason_the_chosen_are_settled_and_audited(boss, differences):
    response = settle(boss, *differences[:2], reason="refunded at the console")

    settled = ("settled", "user:boss", "refunded at the console")
    assert response.status_code == 302
    assert standing() == [settled, settled, ("open", "", "")]
    assert set(AuditRow.objects.values_list("actor", "action", "subject")) == {
        ("user:boss", "difference.settle", f"difference:{one.pk}") for one in differences[:2]
    }


@pytest.mark.parametrize("reason", ["", " ", "x" * 201, "\x00"])
def test_a_reason_that_says_nothing_settles_nothing(boss, differences, reason):
    settle(boss, *differences, reason=reason)

    assert {status for status, *_rest in standing()} == {"open"}


def test_what_is_settled_stays_as_it_was(boss, differences):
    settle(boss, differences[0], reason="first")

    response = boss.post(
        LIST, {"action": "settle_chosen", "_selected_action": [differences[0].pk], "reason": "second"}, follow=True
    )  # fmt: skip

    assert "This difference was settled before." in response.content.decode()
    assert standing()[0] == ("settled", "user:boss", "first")


@pytest.mark.parametrize("reason", [{}, {"reason": "mine now"}])
def test_who_may_only_look_cannot_settle(client, differences, reason):
    user = make_staff("lin", "view_difference")
    client.force_login(user)

    assert "settle_chosen" not in client.get(LIST).content.decode()
    settle(client, *differences, **reason)

    assert {status for status, *_rest in standing()} == {"open"}
    assert not AuditRow.objects.exists()


def test_who_may_settle_need_not_be_the_boss(client, differences):
    user = make_staff("lin", "view_difference", "settle_difference")
    client.force_login(user)

    settle(client, differences[0], reason="known")

    assert standing()[0] == ("settled", "user:lin", "known")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 3),
        ("q=X1", 1),
        ("q=X", 0),
        ("status__exact=open", 3),
        ("status__exact=pooled", 0),
        ("kind__exact=fee", 0),
        ("entry__exact=payment", 3),
        ("day_from=2018-06-15&day_to=2018-06-15", 3),
        ("day_from=2018-06-16", 0),
        ("day_to=2018-06-14", 0),
    ],
)
def test_the_list_filters(boss, differences, query, found):
    response = boss.get(f"{LIST}?{query}")

    assert len(response.context["cl"].result_list) == found


def test_the_list_shows_both_sides_in_yuan(boss, differences):
    shown = boss.get(LIST).content.decode()

    assert "¥123.45" in shown
    assert "the gateway has it, we do not" in shown
    assert "check by hand" in shown


def test_a_bill_that_could_not_be_had_says_why(boss, account):
    GatewayBill.objects.create(account=account, day=DAY, status="unusable", reason="truncated: 17 bytes")

    assert "truncated: 17 bytes" in boss.get(reverse("admin:payments_gatewaybill_changelist")).content.decode()
