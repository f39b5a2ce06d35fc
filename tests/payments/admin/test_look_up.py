"""One box on every page: any number in, the order out."""

import json

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from payments.admin import look_ups
from payments.models import Customer, InboundNotification, Order, OutboxEvent, Refund, RefundLeg
from payments.refunds import operations as refunds
from payments.refunds.operations import RefundCommand
from tests.english_app import world as learners
from tests.partner_orders import world as partners
from tests.payments.admin.test_pages import text
from tests.world import make_client, make_customer, make_staff, place_order

pytestmark = pytest.mark.django_db

LOOK_UP = reverse("admin:look_up")


def browser(name, *permissions, **who):
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(make_staff(name, *permissions, **who))
    return client


def page(order):
    return reverse("admin:payments_order_change", args=[order.pk])


def leads_to(browser, term, order):
    answer = browser.get(LOOK_UP, {"q": term})
    assert (answer.status_code, answer.get("Location")) == (302, page(order))


def console_leg(order):
    made = Refund.objects.create(
        order=order, client=order.client, sequence=9, number=f"{order.number}_R9", kind="console", goods_fen=1,
        shipping_fen=0, policy="cash_first", status="failed", requested_by="gateway:memory",
    )  # fmt: skip
    RefundLeg.objects.create(
        refund=made, charge=order.charges.get(attempt=2), number=made.number, foreign_number="5030", goods_fen=1,
        shipping_fen=0, status="failed",
    )  # fmt: skip
    return "5030"


NUMBERS = {
    "ours": lambda order: order.number,
    "client's order": lambda order: "20111111111",
    "client's payment": lambda order: "0000010111135",
    "charge": lambda order: f"{order.number}_2",
    "gateway's": lambda order: order.charges.get(attempt=2).gateway_trade_no,
    "notification": lambda order: InboundNotification.objects.get().notification_id,
    "refund": lambda order: Refund.objects.earliest("pk").number,
    "client's refund": lambda order: "R-20111111111",
    "leg": lambda order: RefundLeg.objects.first().number,
    "console's refund": console_leg,
    "phone": lambda order: "13800138000",
    "employee": lambda order: "a09999",
    "user": lambda order: "442090",
    "webhook event": lambda order: OutboxEvent.objects.filter(order=order).first().uid,
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_each_kind_of_number_leads_straight_to_the_order(boss, order, kind):
    leads_to(boss, NUMBERS[kind](order), order)


def test_a_partner_order_is_found_by_id_tracking_number_and_recipient_s_phone(boss):
    bought = partners.make_something_of_every_kind(client=partners.make_partner_client(name="partner"))
    type(bought).objects.filter(pk=bought.pk).update(express_number="SF1641549475356")

    for term in (bought.uid, "SF1641549475356", bought.receive_phone):
        leads_to(boss, term, bought.order)


def test_an_english_order_is_found_by_the_phone_s_serial_number(boss):
    shop = learners.make_english_client()
    learners.make_learner(client=shop, balance_fen=100_000)
    bought = learners.buy(client=shop, goods={learners.make_item(client=shop): 1}, imeil="8613950402")

    leads_to(boss, "8613950402", bought.order)


def spaced(number):
    return f"\t {number[:3]} {number[3:7]}\u200b{number[7:]}\u3000\n"


def full_width(number):
    return "".join(chr(ord(char) + 0xFEE0) for char in number)


@pytest.mark.parametrize("pasted", [spaced, full_width, lambda number: f"\x00{number}\ufeff"])
def test_what_is_pasted_with_spaces_or_full_width_is_found(boss, order, pasted):
    for number in (order.number, "13800138000"):
        leads_to(boss, pasted(number), order)


@pytest.mark.parametrize(
    "term",
    ["", " ", "\x00", "%", "_", "%_", "'", '"', "' OR 1=1 --", "\\", "9" * 10_000, "１" * 10_000, "\U0001f600",
     "<script>alert(1)</script>", "2011111111", "13800", "-1", "1e9", "null", "\u202e"],
)  # fmt: skip
def test_a_part_of_a_number_or_rubbish_finds_nothing_and_says_what_was_searched(boss, order, term):
    answer = boss.get(LOOK_UP, {"q": term})

    assert answer.status_code == 200
    assert "Searched is the whole number, exactly, among:" in text(answer)
    assert "<script>alert(1)" not in answer.content.decode()


@pytest.mark.parametrize("query", ["q=%ED%A0%80", "q=%00%00", "q=%FF", "q=1&q=2", "", "q[]=1"])
def test_an_odd_address_is_answered(boss, order, query):
    assert boss.get(f"{LOOK_UP}?{query}").status_code == 200


def test_what_is_too_long_is_called_so(boss, order):
    assert "This is too long for a number." in text(boss.get(LOOK_UP, {"q": "9" * 129}))
    assert "No order that you may see carries" in text(boss.get(LOOK_UP, {"q": "9" * 128}))


def test_several_are_listed_the_newest_first_with_what_they_were_found_by(boss, order):
    second = place_order(client=order.client, number="T2", total_fen=1_234)

    answer = boss.get(LOOK_UP, {"q": "442090"})

    shown = text(answer)
    assert "2 orders carry 442090 , the newest first." in " ".join(shown.split())
    assert [row["order"] for row in answer.context["rows"]] == [second, order]
    assert [row["kinds"] for row in answer.context["rows"]] == [("user id",), ("user id",)]
    for expected in ("¥12.34", second.get_status_display(), "¥2144.00", "partly refunded", order.number, second.number):
        assert expected in shown


def test_an_order_that_carries_it_twice_is_listed_once_with_both(boss, order):
    Customer.objects.filter(pk=order.customer_id).update(phone="442090")
    place_order(client=order.client, number="T2")

    rows = boss.get(LOOK_UP, {"q": "442090"}).context["rows"]

    assert [row["kinds"] for row in rows] == [("phone", "user id")] * 2


def test_no_more_than_fifty_are_listed_and_it_says_that_there_are_more(boss, order, monkeypatch):
    monkeypatch.setattr(look_ups, "FOUND_MAX", 3)
    placed = [place_order(client=order.client, number=f"T{count}") for count in range(3)]

    answer = boss.get(LOOK_UP, {"q": "a09999"})

    assert [row["order"] for row in answer.context["rows"]] == placed[::-1]
    assert "More than 3 orders carry" in text(answer)


def test_staff_of_another_client_find_nothing(order):
    rival = make_client(name="rival")
    lin = browser("lin", "view_order", "view_personal_data", clients=[rival])
    own = browser("own", "view_order", clients=[order.client])

    for kind, number in NUMBERS.items():
        term = number(order)
        assert "No order that you may see carries" in text(lin.get(LOOK_UP, {"q": term})), kind
        leads_to(own, term, order)


def test_a_foreign_order_of_the_same_phone_is_not_counted(order):
    rival = make_client(name="rival")
    make_customer(client=rival, phone="13800138000", points_fen=0)
    foreign = place_order(client=rival, number="T2")

    leads_to(browser("lin", "view_order", clients=[rival]), "13800138000", foreign)


def test_a_phone_is_found_by_who_may_not_see_phones_and_the_list_does_not_tell_it(order):
    place_order(client=order.client, number="T2")
    lin = browser("lin", "view_order")

    answer = lin.get(LOOK_UP, {"q": "13800138000"})

    assert len(answer.context["rows"]) == 2
    assert "李**" in text(answer)
    assert "李雷" not in text(answer)


def test_who_may_not_see_orders_has_neither_box_nor_answer(order):
    lin = browser("lin", "view_customer")

    assert lin.get(LOOK_UP, {"q": order.number}).status_code == 403
    assert "data-look-up" not in lin.get("/admin/").content.decode()
    assert Client().get(LOOK_UP)["Location"].startswith("/admin/login/")


def test_nothing_is_sent_to_it(boss, order):
    assert boss.post(LOOK_UP, {"q": order.number}).status_code == 405


@pytest.mark.parametrize("path", ["/admin/", "/admin/payments/order/", "/admin/password_change/", LOOK_UP])
def test_the_box_is_on_every_page(boss, path):
    assert boss.get(path).content.decode().count("data-look-up") == 1


def test_the_box_is_on_a_row_s_page_too(boss, order):
    for path in (page(order), reverse("admin:payments_charge_change", args=[order.charges.first().pk])):
        assert boss.get(path).content.decode().count("data-look-up") == 1


def test_a_look_up_takes_five_queries_and_a_list_one_more(boss, order, django_assert_num_queries):
    with django_assert_num_queries(5):  # session, user, clients, gateway accounts, the look-ups in one
        boss.get(LOOK_UP, {"q": order.number})
    for count in range(5):
        place_order(client=order.client, number=f"T{count}")
    with django_assert_num_queries(6):
        boss.get(LOOK_UP, {"q": "442090"})


def test_a_refund_s_own_number_is_found_whoever_asked_for_it(boss, order):
    command = RefundCommand(goods_fen=100, refund_no=f"staff-{'a' * 32}")
    made = refunds.refund(order_id=order.pk, command=command, actor="user:lin", at=timezone.now())

    leads_to(boss, made.refund_no, order)


def test_every_look_up_is_by_an_index(order):
    """The planner is asked with sequential scans made dear, so that few rows do not tempt it."""
    branches = list(look_ups.of_orders("20111111111", orders=Order.objects.all()))

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    for label, rows in branches:
        [plan] = json.loads(rows.order_by("-pk").values("pk").explain(format="json"))
        assert "Seq Scan" not in json.dumps(plan), label
    [control] = json.loads(Order.objects.filter(title="20111111111").values("pk").explain(format="json"))
    assert "Seq Scan" in json.dumps(control)
