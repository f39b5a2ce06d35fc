"""Staff refund many orders at once: first what would become of each is shown, then one click, and no order twice."""

import re

import pytest
from django.urls import reverse

from payments.gateways import memory
from payments.models import Order, Refund, RefundBatch, RefundBatchLine
from payments.refunds import batches
from tests.payments.admin.test_decisions import browser
from tests.payments.admin.test_pages import text
from tests.payments.admin.test_refund_form import table
from tests.payments.refunds.shop import book, left, pay, refund
from tests.threads import at_once
from tests.world import make_client, make_customer, make_memory_account, make_staff, place_order

pytestmark = pytest.mark.django_db

ORDERS = reverse("admin:payments_order_changelist")
NEW = reverse("admin:payments_refundbatch_new")
MAY = ("view_order", "view_refund", "view_refundbatch", "request_refund", "refund_many")


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


@pytest.fixture
def orders():
    """One of points alone, one above the limit, one of both tenders; then one that is not paid."""
    client = make_client(approval_above_fen=8_000)
    make_customer(client=client, points_fen=10_000)
    make_memory_account()
    placed = []
    for number, total_fen in (("a", 3_000), ("b", 9_000), ("c", 4_000), ("d", 5_000)):
        placed.append(place_order(client=client, number=number, total_fen=total_fen, shipping_fen=1_000))
        if number == "c":
            pay(placed[-1])
    pay(placed[1])
    return list(Order.objects.order_by("pk"))


@pytest.fixture
def lin():
    return browser("lin", *MAY)


def choose(client, orders, reason=""):
    fields = {"action": "refund_in_full", "_selected_action": [order.pk for order in orders], "reason": reason}
    return client.post(ORDERS, fields, follow=True)


def form_of(response, **entered):
    html = response.content.decode()
    (number,) = re.findall(r'name="number" value="([^"]*)"', html)
    return {"number": number, "line": re.findall(r'name="line" value="([^"]*)"', html), "reason": "recalled"} | entered


def confirm(client, fields):
    return client.post(NEW, fields, follow=True)


def told():
    """What became of each line, in the order of the orders."""
    lines = RefundBatchLine.objects.select_related("refund").order_by("order")
    return [(line.status, line.refund.status if line.refund else line.refusal) for line in lines]


def nothing_moved():
    return (Refund.objects.count(), RefundBatch.objects.count(), book().refunds) == (0, 0, {})


def test_first_what_would_become_of_each_is_shown_and_nothing_moves(lin, orders):
    answer = choose(lin, orders, reason="recalled")

    assert table(answer, "can") == [
        (f"{orders[0]} {orders[0].title}", "¥30.00", "points 30.00", "–"),
        (f"{orders[1]} {orders[1].title}", "¥90.00", "in memory ¥20.00 + points 70.00", "must agree"),
        (f"{orders[2]} {orders[2].title}", "¥40.00", "in memory ¥40.00", "–"),
        ("together", "¥160.00", "", "1"),
    ]
    said = " ".join(text(answer).split())
    assert f"{orders[3]} · This order is not paid in full, so nothing can be refunded." in said
    assert "1 of them needs a second person: it becomes a request." in said
    assert "Refund 3 orders, ¥160.00 in all" in said
    assert 'name="reason" value="recalled"' in answer.content.decode()
    assert nothing_moved()


def test_confirmed_each_goes_its_way_and_the_page_says_how_far_it_is(lin, orders):
    fields = form_of(choose(lin, orders))
    refund(orders[2], goods_fen=1)

    before = confirm(lin, fields)
    batches.process_due()
    after = lin.get(before.redirect_chain[-1][0])

    batch = RefundBatch.objects.get()
    assert before.redirect_chain == [(reverse("admin:payments_refundbatch_change", args=[batch.pk]), 302)]
    assert (batch.requested_by, batch.reason) == ("user:lin", "recalled")
    assert told() == [("done", "succeeded"), ("done", "to_approve"), ("refused", "refunded_meanwhile")]
    assert [left(order) for order in orders[:3]] == [(0, 0, 2_000, 1_000), (8_000, 1_000, 0, 0), (0, 0, 1, 0)]
    assert set(Refund.objects.filter(reason="recalled").values_list("requested_by", flat=True)) == {"user:lin"}
    assert ("data-goes-on" in before.content.decode(), "data-goes-on" in after.content.decode()) == (True, False)
    said = " ".join(text(after).split())
    assert "asked for 2 not possible 1 All orders are dealt with." in said.replace("waits its turn 0 ", "")
    assert "Of this order something was refunded, or came back, meanwhile." in said
    assert reverse("admin:payments_refund_change", args=[Refund.objects.get(order=orders[0]).pk]) in (
        after.content.decode()
    )


def test_whoever_confirmed_cannot_approve_what_is_above_the_limit(orders):
    lin = browser("lin", *MAY, "approve_refund")
    confirm(lin, form_of(choose(lin, orders)))
    batches.process_due()
    waiting = Refund.objects.get(status="to_approve")

    lin.post(reverse("admin:payments_refund_approve", args=[waiting.pk]), {"reason": "x"})

    waiting.refresh_from_db()
    assert waiting.status == "to_approve"


def test_confirmed_twice_it_is_one_batch(lin, orders):
    fields = form_of(choose(lin, orders))

    answers = [confirm(lin, fields) for _time in range(2)]
    batches.process_due()

    assert answers[0].redirect_chain == answers[1].redirect_chain
    assert (RefundBatch.objects.count(), RefundBatchLine.objects.count(), Refund.objects.count()) == (1, 3, 3)


@pytest.mark.django_db(transaction=True)
def test_a_double_click_is_one_batch(orders):
    lin = browser("lin", *MAY)
    fields = form_of(choose(lin, orders))

    answers = at_once(2, lambda n: lin.post(NEW, fields))

    assert [answer.status_code for answer in answers] == [302, 302]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert (RefundBatch.objects.count(), RefundBatchLine.objects.count()) == (1, 3)


def test_orders_of_other_clients_are_not_there(client, orders):
    rival = make_client(name="rival")
    client.force_login(make_staff("zhao", *MAY, clients=[rival]))
    fields = {
        "number": f"batch-{'0' * 32}", "reason": "x", "line": [f"{order.pk}:2000:1000" for order in orders],
        "numbers": " ".join(order.number for order in orders),
    }  # fmt: skip

    answers = [choose(client, orders), confirm(client, fields), client.post(NEW, {"numbers": fields["numbers"]})]

    for answer in answers:
        assert [order.number for order in orders if order.title in text(answer) or f">{order}<" in text(answer)] == []
    assert (RefundBatchLine.objects.count(), nothing_moved()) == (0, True)


def test_of_a_batch_with_other_clients_orders_one_sees_ones_own_lines(client, lin, orders):
    rival = make_client(name="rival")
    make_customer(client=rival, points_fen=5_000)
    own = place_order(client=rival, number="r", total_fen=2_000)
    confirm(lin, form_of(choose(lin, [*orders[:3], own])))
    batch = RefundBatch.objects.get()
    client.force_login(make_staff("zhao", "view_refundbatch", clients=[rival]))

    shown = text(client.get(reverse("admin:payments_refundbatch_change", args=[batch.pk])))
    listed = text(client.get(reverse("admin:payments_refundbatch_changelist")))

    assert [order.number in shown for order in (*orders[:3], own)] == [False, False, False, True]
    assert "员工 lin" in listed
    client.force_login(make_staff("qian", "view_refundbatch", clients=[]))
    assert client.get(reverse("admin:payments_refundbatch_change", args=[batch.pk])).status_code == 404


@pytest.mark.parametrize("missing", ["request_refund", "refund_many", "view_order"])
def test_who_may_not_refund_many_does_not(orders, missing):
    someone = browser("someone", *(set(MAY) - {missing}))
    fields = {"number": f"batch-{'0' * 32}", "reason": "x", "line": [f"{orders[0].pk}:2000:1000"]}

    assert someone.get(NEW).status_code == 403
    assert someone.post(NEW, fields).status_code == 403
    assert 'name="line"' not in choose(someone, orders).content.decode()
    assert nothing_moved()


def test_who_may_not_look_at_batches_is_led_back_to_the_orders(orders):
    someone = browser("someone", *(set(MAY) - {"view_refundbatch"}))

    answer = confirm(someone, form_of(choose(someone, orders)))

    assert answer.redirect_chain == [(ORDERS, 302)]
    assert "Each of these orders is refunded now, one after the other." in text(answer)
    assert RefundBatchLine.objects.count() == 3


@pytest.mark.parametrize(
    "change",
    [
        {"line": []}, {"line": ["x"]}, {"line": ["1:1"]}, {"line": ["999999999999999999:1:1"]}, {"line": ["0:0:0"]},
        {"line": ["9" * 30 + ":1:1"]}, {"number": "batch-1"}, {"number": ""}, {"reason": ""}, {"reason": "x" * 201},
        {"reason": "\x00"}, {"line": [f"{n}:1:1" for n in range(1, 202)]},
    ],
)  # fmt: skip
def test_what_is_made_up_confirms_nothing(lin, orders, change):
    answer = confirm(lin, form_of(choose(lin, orders)) | change)

    assert answer.status_code == 200
    assert nothing_moved()


@pytest.mark.parametrize("amounts", ["0:0", "1:0", "99999:0"])
def test_another_amount_than_what_is_left_refunds_nothing(lin, orders, amounts):
    confirm(lin, form_of(choose(lin, orders)) | {"line": [f"{orders[0].pk}:{amounts}"]})
    batches.process_due()

    assert Refund.objects.count() == 0
    assert left(orders[0]) == (0, 0, 0, 0)


def test_numbers_pasted_from_a_sheet_are_found_and_unknown_ones_told(lin, orders):
    pasted = f"{orders[0]}\r\n{orders[2]}，nothing;{orders[0]}\t<b>"

    answer = lin.post(NEW, {"numbers": pasted})

    assert [row[1] for row in table(answer, "can")] == ["¥30.00", "¥40.00", "¥70.00"]
    assert "nothing · There is no order of this number." in text(answer)
    confirm(lin, form_of(answer))
    assert RefundBatchLine.objects.count() == 2


@pytest.mark.parametrize(
    ("numbers", "said"),
    [("", "This field is required."), ("nothing", "None of these is the number of an order."),
     (" ".join(map(str, range(201))), "At most 200 orders at once."), ("\x00", "Null characters are not allowed.")],
)  # fmt: skip
def test_numbers_that_lead_to_nothing_are_told(lin, numbers, said):
    answer = lin.post(NEW, {"numbers": numbers})

    assert said in text(answer)
