"""What staff do on an order: close it, ask its gateway, decide on late money, clear its flag."""

import pytest
from django.utils import timezone

from payments.charges import operations as charges
from payments.closing import operations as closing
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.models import AuditRow, Charge, Order, Refund
from tests.payments.admin.deeds import complaints, do, is_kept_to, opened, page, said
from tests.payments.admin.test_decisions import browser
from tests.payments.admin.test_pages import text
from tests.payments.manual.desk import book, charge_of, everything, nothing_moves, waiting_order
from tests.world import make_client, make_customer, make_memory_account, place_order, points_fen

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


@pytest.fixture
def waiting():
    """An order of 70 yuan, 30 of them paid by points, whose payer is at the gateway."""
    client = make_client(late_money_policy="hold")
    make_customer(client=client, points_fen=3_000)
    make_memory_account()
    order = place_order(client=client, total_fen=7_000)
    charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.PAGE, actor="test", at=timezone.now())
    return order


@pytest.fixture
def lin():
    return browser("lin", "view_order", "view_charge", "close_order", "query_gateway", "request_refund", "clear_flag")


@pytest.mark.parametrize(
    ("name", "permission"),
    [("close", "close_order"), ("query", "query_gateway"), ("late_money", "request_refund"),
     ("clear_flag", "clear_flag")],
)  # fmt: skip
def test_each_is_for_who_may_and_of_ones_own_clients(waiting, name, permission):
    with nothing_moves():
        is_kept_to(waiting, name, view="view_order", permission=permission)


@pytest.mark.parametrize("name", ["close", "query", "late_money", "clear_flag"])
def test_each_has_a_reason(waiting, lin, name):
    with nothing_moves():
        answer = do(lin, waiting, name, reason=" ", charge="1")

    assert complaints(answer)["reason"] == ["This field is required."]


# --- close


def test_closed_an_order_gives_back_its_points(waiting, lin):
    assert "¥30.00 points" in text(lin.get(page(waiting, "close")))

    answer = do(lin, waiting, "close")

    waiting.refresh_from_db()
    assert said(answer) == ["The order is closed. What went back to the customer: ¥30.00 points."]
    assert (waiting.status, points_fen(waiting.customer)) == ("closed", 3_000)
    row = AuditRow.objects.get(action="order.close")
    assert (row.actor, row.subject, row.detail) == ("user:lin", waiting.subject, {"reason": "the customer calls"})
    assert waiting.transitions.get(event="closed").reason == "the customer calls"


def test_while_the_gateway_does_not_answer_nothing_is_closed(waiting, lin):
    for verb in ("query_payment", "close_payment"):
        book().script(memory.Fault.LOST_REQUEST, verb=verb)

    answer = do(lin, waiting, "close")

    waiting.refresh_from_db()
    assert complaints(answer)["__all__"] == [
        "The payment service has not answered, so it is not known whether the order is paid. Try again."
    ]
    assert (waiting.status, points_fen(waiting.customer)) == ("point_paid", 0)
    assert not AuditRow.objects.filter(action="order.close").exists()


def test_an_order_that_turns_out_to_be_paid_is_paid_and_not_closed(waiting, lin):
    book().pay(Charge.objects.get(tender="memory").number)

    answer = do(lin, waiting, "close")

    waiting.refresh_from_db()
    assert complaints(answer)["__all__"] == ["This order is paid, so it cannot be closed. Refund it instead."]
    assert waiting.status == "pay_finished"


def test_a_form_from_before_the_order_was_closed_closes_nothing_again(waiting, lin):
    fields = opened(lin, waiting, "close")
    lin.post(page(waiting, "close"), fields)

    with nothing_moves():
        again = lin.post(page(waiting, "close"), fields)

    assert complaints(again)["__all__"] == [
        "This has changed since you opened the form. See what is so now, and decide again."
    ]


def test_there_is_a_button_for_what_can_be_done(waiting, lin):
    shown = text(lin.get(page(waiting, "change")))
    assert ["Close the order…" in shown, "Ask the gateway now…" in shown] == [True, True]
    assert ["Decide on late money…" in shown, "Clear the flag…" in shown] == [False, False]

    do(lin, waiting, "close")

    assert "Close the order…" not in text(lin.get(page(waiting, "change")))


# --- query


def test_asked_the_gateway_says_that_it_is_paid(waiting, lin):
    number = Charge.objects.get(tender="memory").number
    book().pay(number)

    answer = do(lin, waiting, "query")

    waiting.refresh_from_db()
    assert waiting.status == "pay_finished"
    assert said(answer) == [
        f"The gateway was asked: {number}: it says: paid, or given back (PAID) · waiting for the payer → succeeded"
    ]
    assert AuditRow.objects.get(action="order.query").actor == "user:lin"


def test_where_there_is_nothing_to_ask_it_says_so(waiting, lin):
    book().pay(Charge.objects.get(tender="memory").number)
    do(lin, waiting, "query")

    with nothing_moves():
        answer = do(lin, waiting, "query")

    assert complaints(answer)["__all__"] == [
        "Of this order no payment and no refund is under way at a gateway: there is nothing to ask."
    ]


def test_what_a_gateway_says_is_shown_and_never_run(waiting, lin):
    evil = "<script>alert(1)</script>"
    book().script(lambda: (_ for _ in ()).throw(memory.GatewayUnavailable(evil)), verb="query_payment")

    answer = do(lin, waiting, "query")

    assert evil not in answer.content.decode()
    assert "it did not answer" in text(answer)


# --- late money


@pytest.fixture
def late(waiting):
    """Money that came after its order was closed, which waits for staff."""
    closing.close(order_id=waiting.pk, actor="client:shop", at=timezone.now())
    charge = Charge.objects.get(tender="memory")
    book().payments[charge.number].closed_at = None
    book().pay(charge.number)
    charges.reconcile(charge_id=charge.pk, at=timezone.now())
    waiting.refresh_from_db()
    assert waiting.money_flag == "paid_late"
    return waiting


def surplus():
    return Charge.objects.get(tender="memory")


def test_late_money_is_told_and_given_back_from_the_order(late, lin):
    shown = text(lin.get(page(late, "late_money")))
    assert "This money came in at the gateway but pays nothing" in shown
    assert f"{surplus().number} · {surplus().get_tender_display()} · ¥40.00" in shown
    assert "waits for staff" in shown

    answer = do(lin, late, "late_money", charge=surplus().pk)

    made = Refund.objects.get()
    assert said(answer) == [f"¥40.00 went back to the payer: refund {made.number}."]
    assert (surplus().status, book().refunded_fen(surplus().number)) == ("released", 4_000)
    assert (made.requested_by, made.reason) == ("user:lin", "the customer calls")
    assert AuditRow.objects.get(action="refund.request").detail["reason"] == "the customer calls"


def test_late_money_is_given_back_from_its_charge(late):
    lin = browser("lin", "view_charge", "request_refund")

    answer = do(lin, surplus(), "give_back")

    assert said(answer) == [f"¥40.00 went back to the payer: refund {Refund.objects.get().number}."]
    assert surplus().status == "released"


def test_above_the_limit_late_money_waits_for_a_second_person(late, lin):
    late.client.approval_above_fen = 0
    late.client.save(update_fields=["approval_above_fen"])

    answer = do(lin, late, "late_money", charge=surplus().pk)

    assert said(answer) == [f"Refund {Refund.objects.get().number} of ¥40.00 waits for a second person."]
    assert surplus().status == "surplus"


@pytest.mark.parametrize("where", ["order", "charge"])
def test_a_form_sent_twice_gives_back_once(late, lin, where):
    row, name = (late, "late_money") if where == "order" else (surplus(), "give_back")
    fields = opened(lin, row, name, charge=surplus().pk)
    lin.post(page(row, name), fields)

    with nothing_moves():
        again = lin.post(page(row, name), fields)

    assert any("changed since you opened the form" in text for text in complaints(again)["__all__"])
    assert Refund.objects.count() == 1


@pytest.mark.parametrize("charge", ["", "0", "x", "99999999999999999999"])
def test_a_charge_that_is_not_there_is_not_given_back(late, lin, charge):
    with nothing_moves():
        answer = do(lin, late, "late_money", charge=charge)

    assert "charge" in complaints(answer)


def test_a_charge_of_another_order_is_not_given_back(late, lin):
    other = place_order(client=late.client, number="T2", total_fen=9_000)

    with nothing_moves():
        answer = do(lin, other, "late_money", charge=surplus().pk)

    assert "charge" in complaints(answer)


def test_money_that_pays_is_not_given_back_that_way(lin):
    order = waiting_order()
    book().pay(charge_of(order).number)
    charges.reconcile(charge_id=charge_of(order).pk, at=timezone.now())
    clerk = browser("clerk", "view_charge", "request_refund")
    assert "Give back…" not in text(clerk.get(page(charge_of(order), "change")))

    with nothing_moves():
        answer = do(clerk, charge_of(order), "give_back")

    assert complaints(answer)["__all__"] == [
        "Nothing of this payment can go back: it is not in suspense, or a refund of it is on its way."
    ]


def test_its_flag_cleared_late_money_stays_where_it_is(late, lin):
    before = everything()["transfers"]

    answer = do(lin, late, "clear_flag")

    late.refresh_from_db()
    assert said(answer) == ["The flag is cleared."]
    assert (late.money_flag, surplus().status, everything()["transfers"]) == ("", "surplus", before)
    row = AuditRow.objects.get(action="order.unflag")
    assert (row.actor, row.detail["reason"]) == ("user:lin", "the customer calls")


def test_an_order_without_a_flag_has_none_to_clear(waiting, lin):
    with nothing_moves():
        answer = do(lin, waiting, "clear_flag")

    assert complaints(answer)["__all__"] == ["This order has no money flag (any more)."]


def test_the_pages_ask_as_much_of_the_database_however_many_orders(late, lin, django_assert_max_num_queries):
    for number in range(5):
        place_order(client=late.client, number=f"more-{number}", total_fen=100)
    assert Order.objects.count() == 6

    for name in ("close", "query", "late_money", "clear_flag"):
        with django_assert_max_num_queries(40):
            assert lin.get(page(late, name)).status_code == 200
