"""Staff refund an order: they see first which tender bears it, and what they sent twice goes once."""

import re
from html import unescape

import pytest
from django.contrib.auth import get_user_model
from django.test import RequestFactory
from django.urls import reverse

from payments.admin.base import actor_of
from payments.customers import grants
from payments.customers.grants import Direction, GrantCommand
from payments.gateways import memory
from payments.ledger.accounts import Kind
from payments.models import AuditRow, Refund
from tests.payments.admin.test_decisions import browser
from tests.payments.admin.test_pages import text
from tests.payments.refunds.shop import book, left, paid_order, recharge, refund, statuses
from tests.threads import at_once
from tests.world import make_client, make_customer, place_order

pytestmark = pytest.mark.django_db

MAY = ("view_order", "view_refund", "request_refund")
NOTHING = (0, 0, 0, 0)
MEANWHILE = "Of this order something was refunded, or came back, meanwhile."


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


@pytest.fixture
def order():
    """An order of 100 yuan, 10 of them shipping: 30 paid by points, 70 at the gateway."""
    return paid_order()


@pytest.fixture
def lin():
    return browser("lin", *MAY)


def page(order):
    return reverse("admin:payments_order_refund", args=[order.pk])


def html(response):
    return response.content.decode()


def table(response, name):
    """The rows of a table, each with its cells' text."""
    body = re.search(rf'id="{name}">(.*?)</table>', html(response), re.DOTALL)[1]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)[1:]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [tuple(unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in row) for row in cells]


def buttons(response):
    return [
        unescape(found)
        for found in re.findall(r'<button[^>]* value="(?:refund|edit)"[^>]*>(.*?)</button>', html(response))
    ]


def carried(response):
    """What the form that is shown carries without showing it."""
    return dict(re.findall(r'<input type="hidden" name="(refund_no|left)" value="([^"]*)"', html(response)))


def filled_in(client, order, **entered):
    return {"goods": "", "shipping": "", "reason": "too small"} | carried(client.get(page(order))) | entered


def send(client, order, fields, step="refund"):
    return client.post(page(order), fields | {"step": step}, follow=True)


def nothing_moved(order):
    return (Refund.objects.count(), left(order), book().refunds) == (0, NOTHING, {})


def test_a_part_of_the_goods_and_the_shipping_go_back(lin, order):
    fields = filled_in(lin, order, goods="40", shipping="10.00")

    answer = send(lin, order, fields)

    made = Refund.objects.get()
    assert answer.redirect_chain == [(reverse("admin:payments_refund_change", args=[made.pk]), 302)]
    assert f"Refund {made.number} succeeded: the money went back." in text(answer)
    assert (made.refund_no, made.goods_fen, made.shipping_fen) == (fields["refund_no"], 4_000, 1_000)
    assert (made.reason, made.requested_by) == ("too small", "user:lin")
    assert statuses(made) == ("succeeded", ["succeeded"])
    assert left(order) == (0, 0, 4_000, 1_000)
    assert AuditRow.objects.get(action="refund.request").actor == "user:lin"


def test_the_preview_shows_which_tender_bears_what_and_moves_nothing(lin, order):
    answer = send(lin, order, filled_in(lin, order, goods="70", shipping="10"), step="preview")

    assert table(answer, "plan-table") == [
        ("points", "¥10.00", "–", "¥10.00", "¥20.00"),
        ("in memory", "¥60.00", "¥10.00", "¥70.00", "¥0.00"),
    ]
    assert buttons(answer) == ["Refund ¥80.00 to in memory ¥70.00 + points 10.00", "Change amounts"]
    assert nothing_moved(order)


def test_what_was_previewed_is_what_goes(lin, order):
    previewed = send(lin, order, filled_in(lin, order, goods="70", shipping="10"), step="preview")
    names = re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', html(previewed))

    send(lin, order, dict(names))

    assert {leg.charge.tender: (leg.goods_fen, leg.shipping_fen) for leg in Refund.objects.get().legs.all()} == {
        "points": (1_000, 0), "memory": (6_000, 1_000),
    }  # fmt: skip


def test_who_wants_to_change_it_finds_what_was_entered(lin, order):
    answer = send(lin, order, filled_in(lin, order, goods="70"), step="edit")

    assert 'name="goods" value="70"' in html(answer)
    assert nothing_moved(order)


def test_a_form_sent_twice_is_one_refund(lin, order):
    fields = filled_in(lin, order, goods="40")

    answers = [send(lin, order, fields) for _time in range(2)]

    assert answers[0].redirect_chain == answers[1].redirect_chain
    assert Refund.objects.count() == len(book().refunds) == 1
    assert left(order) == (0, 0, 4_000, 0)


def test_the_last_refund_sent_twice_is_one_and_no_error(lin, order):
    fields = filled_in(lin, order, goods="90", shipping="10")

    answers = [send(lin, order, fields) for _time in range(2)]

    assert answers[0].redirect_chain == answers[1].redirect_chain
    assert statuses(Refund.objects.get()) == ("succeeded", ["succeeded", "succeeded"])


@pytest.mark.django_db(transaction=True)
def test_a_double_click_is_one_refund(order):
    lin = browser("lin", *MAY)
    fields = filled_in(lin, order, goods="40") | {"step": "refund"}

    answers = at_once(2, lambda n: lin.post(page(order), fields))

    assert [answer.status_code for answer in answers] == [302, 302]
    assert Refund.objects.count() == len(book().refunds) == 1


@pytest.mark.parametrize("step", ["preview", "refund"])
def test_a_form_from_before_another_refund_is_refused_and_shown_anew(lin, order, step):
    fields = filled_in(lin, order, goods="40")
    refund(order, goods_fen=1_000)

    answer = send(lin, order, fields, step=step)

    assert MEANWHILE in text(answer)
    assert "At most ¥80.00." in text(answer)
    assert 'name="goods" value="40"' in html(answer)
    assert Refund.objects.count() == 1
    anew = carried(answer)
    assert anew["refund_no"] != fields["refund_no"]
    send(lin, order, fields | anew)
    assert left(order) == (0, 0, 5_000, 0)


def test_what_another_refund_was_given_back_under_is_refused(lin, order):
    fields = filled_in(lin, order, goods="40")
    send(lin, order, fields)

    answer = send(lin, order, fields | {"goods": "41"})

    assert MEANWHILE in text(answer)
    assert Refund.objects.get().goods_fen == 4_000


@pytest.mark.parametrize("change", [{"refund_no": "r1"}, {"left": "x"}, {"left": ""}, {"refund_no": "staff-\x00"}])
def test_what_the_form_carries_cannot_be_made_up(lin, order, change):
    answer = send(lin, order, filled_in(lin, order, goods="40") | change)

    assert MEANWHILE in text(answer)
    assert nothing_moved(order)


def test_above_the_limit_it_waits_for_a_second_person(lin):
    order = paid_order(approval_above_fen=3_999)

    answer = send(lin, order, filled_in(lin, order, goods="40"))

    assert "waits for a second person" in text(answer)
    assert statuses(Refund.objects.get()) == ("to_approve", ["started"])
    assert book().refunds == {}


def test_without_an_answer_it_is_on_its_way(lin, order):
    fields = filled_in(lin, order, goods="40")
    book().refunds_take_time = True

    answer = send(lin, order, fields)

    assert "is on its way" in text(answer)
    assert Refund.objects.get().status == "pending"


@pytest.mark.parametrize(
    ("entered", "field", "sentence"),
    [
        ({"goods": "90.01"}, "goods", "No more than ¥90.00 can be refunded here."),
        ({"shipping": "10.01"}, "shipping", "No more than ¥10.00 can be refunded here."),
        ({"goods": "1.234"}, "goods", "Enter yuan with at most two decimals, such as 21.40."),
        ({"goods": "-1"}, "goods", "Enter yuan"),
        ({"goods": "1", "shipping": "1e3"}, "shipping", "Enter yuan"),
        ({"goods": "１"}, "goods", "Enter yuan"),
        ({"goods": "9" * 13}, "goods", "Enter yuan"),
        ({"goods": "999999999999"}, "goods", "No more than"),
        ({"goods": "1\x00"}, "goods", "Null characters are not allowed."),
        ({}, "goods", "Enter how much is to go back"),
        ({"goods": "0", "shipping": "0.00"}, "goods", "Enter how much is to go back"),
        ({"goods": "1", "reason": " "}, "reason", "This field is required."),
        ({"goods": "1", "reason": "x" * 201}, "reason", "at most 200 characters"),
        ({"goods": "1", "reason": "\x00"}, "reason", "Null characters are not allowed."),
    ],
)
def test_what_cannot_be_is_said_at_its_field(lin, order, entered, field, sentence):
    for step in ("preview", "refund"):
        answer = send(lin, order, filled_in(lin, order, **entered), step=step)

        assert answer.status_code == 200
        assert list(answer.context["form"].errors) == [field]
        assert sentence in text(answer)
    assert nothing_moved(order)


def test_a_recharge_that_was_spent_is_refused_in_a_sentence(lin):
    order = recharge()
    spend = GrantCommand(grant_no="g1", kind=Kind.BALANCE, direction=Direction.OUT, amount_fen=4_000)
    grants.grant(client_id=order.client_id, user_id="442090", command=spend, actor="test")

    answer = send(lin, order, filled_in(lin, order, goods="50"))

    assert answer.context["form"].non_field_errors() == ["The balance is too small"]
    assert nothing_moved(order)


def test_to_look_at_the_form_changes_nothing(lin, order):
    before = AuditRow.objects.count()

    answer = lin.get(page(order))

    assert answer.status_code == 200
    assert "At most ¥90.00." in text(answer)
    assert AuditRow.objects.count() == before
    assert nothing_moved(order)


@pytest.mark.parametrize("missing", ["request_refund", "view_order"])
def test_who_may_not_refund_is_refused(order, missing):
    someone = browser("someone", *(set(MAY) - {missing}))
    fields = {"goods": "1", "reason": "x", "refund_no": f"staff-{'0' * 32}", "left": "9000:1000", "step": "refund"}

    assert someone.get(page(order)).status_code == 403
    assert someone.post(page(order), fields).status_code == 403
    assert nothing_moved(order)


def test_who_may_not_look_at_refunds_is_led_back_to_the_order(order):
    someone = browser("someone", "view_order", "request_refund")

    answer = send(someone, order, filled_in(someone, order, goods="1"))

    assert answer.redirect_chain == [(reverse("admin:payments_order_change", args=[order.pk]), 302)]
    assert "succeeded" in text(answer)


def test_a_stranger_is_sent_to_the_log_in(client, order):
    answer = client.post(page(order), {"step": "refund"})

    assert (answer.status_code, answer["Location"].startswith("/admin/login/")) == (302, True)


def test_an_order_that_is_gone_is_404(lin):
    for number in (9, 10**30):
        assert lin.get(reverse("admin:payments_order_refund", args=[number])).status_code == 404


def test_an_unpaid_order_is_refused_in_a_sentence(lin):
    client = make_client()
    make_customer(client=client)
    unpaid = place_order(client=client)

    for answer in (lin.get(page(unpaid), follow=True), send(lin, unpaid, {})):
        assert answer.redirect_chain == [(reverse("admin:payments_order_change", args=[unpaid.pk]), 302)]
        assert "This order is not paid in full, so nothing can be refunded." in text(answer)
    assert Refund.objects.count() == 0


def test_the_orders_page_leads_to_the_form_where_something_can_be_refunded(lin, order):
    looker = browser("looker", "view_order")
    path = reverse("admin:payments_order_change", args=[order.pk])

    assert f'href="{page(order)}"' in html(lin.get(path))
    assert page(order) not in html(looker.get(path))
    refund(order, goods_fen=9_000, shipping_fen=1_000)
    assert page(order) not in html(lin.get(path))


@pytest.mark.parametrize(("length", "kept"), [(59, 59), (60, 40), (150, 40)])
def test_a_name_too_long_for_audit_rows_is_cut_and_stays_one_persons_own(length, kept):
    users = [get_user_model().objects.create_user(username="x" * (length - 1) + end) for end in "ab"]
    actors = []
    for user in users:
        request = RequestFactory().get("/")
        request.user = user
        actors.append(actor_of(request))

    assert len(set(actors)) == 2
    assert all(len(actor) <= 64 and actor.startswith(f"user:{'x' * (kept - 1)}") for actor in actors)
