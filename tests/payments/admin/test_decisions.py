"""Staff decide on refunds: each decision is one call to the domain, with a reason, by somebody who may."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from payments.charges import operations as charges
from payments.closing import operations as closing
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.models import AuditRow, Charge, Order, Refund
from tests.payments.admin.test_pages import text
from tests.payments.refunds.shop import book, paid_order, refund, statuses
from tests.world import make_client, make_customer, make_memory_account, make_staff, place_order

pytestmark = pytest.mark.django_db

REFUNDS = reverse("admin:payments_refund_changelist")
CHARGES = reverse("admin:payments_charge_changelist")
ORDERS = reverse("admin:payments_order_changelist")


def browser(name, *permissions):
    """Somebody of the staff with these permissions, logged in, in English."""
    user = make_staff(name, *permissions, "view_personal_data")
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


def act(client, path, action, row, reason="seen the parcel"):
    return client.post(path, {"action": action, "_selected_action": [row.pk], "reason": reason}, follow=True)


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


@pytest.fixture
def waiting():
    """A refund that a colleague, lin, has asked for and that needs a second person."""
    return refund(paid_order(approval_above_fen=0), goods_fen=5_000, actor="user:lin")


def test_a_second_person_approves_and_the_money_goes(waiting):
    wang = browser("wang", "view_refund", "approve_refund")

    answer = act(wang, REFUNDS, "approve", waiting)

    assert "1 refund approved." in text(answer)
    assert statuses(waiting) == ("succeeded", ["succeeded"])
    assert (waiting.decided_by, waiting.decision) == ("user:wang", "seen the parcel")
    assert AuditRow.objects.filter(action="refund.approved", actor="user:wang").count() == 1


def test_a_second_person_may_refuse(waiting):
    answer = act(browser("wang", "view_refund", "approve_refund"), REFUNDS, "refuse", waiting)

    assert "1 refund not approved." in text(answer)
    assert statuses(waiting) == ("refused", ["failed"])
    assert list(book().refunds) == []


def test_whoever_asked_is_told_to_ask_a_colleague(waiting):
    answer = act(browser("lin", "view_refund", "approve_refund"), REFUNDS, "approve", waiting)

    assert "Whoever asked for this cannot decide on it." in text(answer)
    assert statuses(waiting) == ("to_approve", ["started"])


def test_without_a_reason_nothing_is_decided(waiting):
    answer = act(browser("wang", "view_refund", "approve_refund"), REFUNDS, "approve", waiting, reason=" ")

    assert "Give a reason" in text(answer)
    assert statuses(waiting) == ("to_approve", ["started"])


def test_who_may_only_look_is_offered_no_decision(waiting):
    looker = browser("looker", "view_refund")

    assert "Approve" not in text(looker.get(REFUNDS))
    act(looker, REFUNDS, "approve", waiting)

    assert statuses(waiting) == ("to_approve", ["started"])


def test_a_refund_that_was_decided_is_not_decided_again(waiting):
    wang = browser("wang", "view_refund", "approve_refund")
    act(wang, REFUNDS, "refuse", waiting)

    answer = act(wang, REFUNDS, "approve", waiting)

    assert "does not wait for a decision" in text(answer)
    assert statuses(waiting) == ("refused", ["failed"])


@pytest.fixture
def late():
    """Money that came after its order was closed, which waits for staff."""
    client = make_client(late_money_policy="hold")
    make_customer(client=client)
    make_memory_account()
    order = place_order(client=client, total_fen=7_000)
    charge = charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())
    closing.close(order_id=order.pk, actor="client:shop", at=timezone.now())
    book().pay(charge.number)
    charges.reconcile(charge_id=charge.pk, at=timezone.now())
    return Charge.objects.get(pk=charge.pk)


def test_staff_give_late_money_back(late):
    answer = act(browser("lin", "view_charge", "request_refund"), CHARGES, "return_surplus", late)

    assert "1 payment goes back." in text(answer)
    late.refresh_from_db()
    assert (late.status, book().refunded_fen(late.number)) == ("released", 7_000)
    assert Refund.objects.get().requested_by == "user:lin"


def test_money_that_pays_an_order_is_not_given_back_that_way():
    order = paid_order()
    charge = order.charges.get(tender="memory")

    answer = act(browser("lin", "view_charge", "request_refund"), CHARGES, "return_surplus", charge)

    assert "Nothing of this payment can go back" in text(answer)
    assert Refund.objects.count() == 0


def test_an_order_is_found_by_the_number_of_its_refund(boss):
    made = refund(paid_order(), goods_fen=100, refund_no="R-1")

    for number in (made.number, "R-1"):
        assert made.order.number in text(boss.get(reverse("admin:payments_order_changelist"), {"q": number}))
        assert made.number in text(boss.get(REFUNDS, {"q": number}))


def test_staff_clear_a_flag_once_they_have_seen_to_it():
    order = paid_order()
    Order.objects.filter(pk=order.pk).update(money_flag="needs_attention")
    lin = browser("lin", "view_order", "clear_flag")

    answers = [act(lin, ORDERS, "clear_flag", order) for _time in range(2)]

    assert ["1 flag cleared." in text(answer) for answer in answers] == [True, False]
    assert "This order has no money flag (any more)." in text(answers[1])
    order.refresh_from_db()
    assert order.money_flag == ""
    cleared = AuditRow.objects.get(action="order.unflag")
    assert (cleared.actor, cleared.detail) == ("user:lin", {"flag": "needs_attention", "reason": "seen the parcel"})
