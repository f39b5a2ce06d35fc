"""One box finds an order by any number on it, by index alone."""

import json

import pytest
from django.db import connection
from django.urls import reverse

from payments.admin.orders import OrderAdmin
from payments.models import Charge, Customer, GatewayAccount, InboundNotification, Order, Transfer
from tests.world import make_client, make_customer

pytestmark = pytest.mark.django_db

ORDERS = reverse("admin:payments_order_changelist")


def found(boss, term, path=ORDERS):
    return list(boss.get(path, {"q": term}).context["cl"].result_list)


def numbers(order):
    charge = order.charges.get(attempt=2)
    return {
        "ours": order.number,
        "the client's order": "20111111111",
        "the client's payment": "0000010111135",
        "the charge's": charge.number,
        "the points charge's": f"{order.number}_1",
        "the gateway's": charge.gateway_trade_no,
        "phone": "13800138000",
        "employee": "a09999",
        "user": "442090",
        "pasted with spaces": f"  {order.number} ",
    }


@pytest.mark.parametrize(
    "kind",
    [
        "ours", "the client's order", "the client's payment", "the charge's", "the points charge's", "the gateway's",
        "phone", "employee", "user", "pasted with spaces",
    ],
)  # fmt: skip
def test_an_order_is_found_by_every_number(boss, order, kind):
    assert found(boss, numbers(order)[kind]) == [order]


@pytest.mark.parametrize("term", ["2011111111", "0999", "nobody", "%", "_", "' OR 1=1 --", "0"])
def test_a_part_of_a_number_or_rubbish_finds_nothing(boss, order, term):
    assert found(boss, term) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("question", ["status=%00", "number__regex=(", "created_at_to=9999-12-31"])
def test_a_question_that_nobody_can_answer_leads_to_the_whole_list(boss, order, question):
    response = boss.get(f"{ORDERS}?{question}")

    assert (response.status_code, response["Location"]) == (302, f"{ORDERS}?e=1")
    assert list(boss.get(response["Location"]).context["cl"].result_list) == [order]
    assert boss.get(f"{ORDERS}?{question}&e=1").status_code == 200


def test_another_client_s_order_of_the_same_employee_number_is_found_too(boss, order):
    other = make_client(name="other")
    make_customer(client=other, ee_no="a09999", user_id="7")

    assert found(boss, "a09999") == [order]
    assert Customer.objects.filter(ee_no="a09999").count() == 2


def test_a_null_byte_is_refused_kindly(boss, order):
    assert boss.get(ORDERS, {"q": "1\0"}).status_code == 200


@pytest.mark.parametrize("term", ["\u200b", "\ufeff", "\u202e"])
def test_what_is_invisible_finds_nothing_not_even_customers_without_a_phone(boss, order, term):
    Customer.objects.update(phone="", ee_no="")

    assert found(boss, term) == []


def test_a_look_up_takes_a_fixed_number_of_queries(boss, order, django_assert_num_queries):
    # session, user, clients, gateway accounts, the look-ups in one, the page, what pays it, the clients to choose from
    with django_assert_num_queries(8):
        boss.get(ORDERS, {"q": order.number})


def cost(rows):
    [plan] = json.loads(rows.order_by("-pk").values("pk")[:200].explain(format="json"))
    return plan["Plan"]["Total Cost"]


@pytest.fixture
def many_orders(order):
    """Twenty thousand orders of as many customers, known to the planner."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO payments_customer (client_id, user_id, ee_no, phone, real_name, is_frozen)"
            " SELECT %s, 'u' || n, 'e' || n, 'p' || n, '', false FROM generate_series(1, 20000) n",
            [order.client_id],
        )
        cursor.execute(
            "INSERT INTO payments_order (number, family, client_id, customer_id, client_order_no, client_pay_no,"
            "  fingerprint, title, total_fen, shipping_fen, points_fen, cash_fen, status, money_flag, expires_at)"
            " SELECT 'n' || id, 'checkout', client_id, id, 'o' || id, 'p' || id, '', '', 1, 0, 0, 1, 'closed', '',"
            "  now()"
            " FROM payments_customer WHERE id <> %s",
            [order.customer_id],
        )
        cursor.execute(
            "INSERT INTO payments_charge (order_id, attempt, number, tender, mode, gateway_account_id, amount_fen,"
            "  status, gateway_trade_no, payload, last_answer, queries)"
            " SELECT id, 1, number || '_1', 'memory', 'qr', %s, 1, 'closed', 't' || id, '{}', '', 0"
            " FROM payments_order WHERE id <> %s",
            [GatewayAccount.objects.get().pk, order.pk],
        )
        cursor.execute("ANALYZE payments_customer, payments_order, payments_charge, payments_refund")
    return order


def test_every_look_up_is_answered_by_an_index(many_orders):
    costs = [cost(rows) for rows in OrderAdmin(model=Order, admin_site=None).find("20111111111")]

    assert len(costs) == 18
    assert max(costs) < 100
    assert cost(Order.objects.filter(title="20111111111")) > 500, "the control: no index, and the planner says so"


@pytest.mark.parametrize(
    ("model", "lookup"),
    [
        (Charge, lambda order: order.number),
        (Charge, lambda order: f"{order.number}_2"),
        (Charge, lambda order: order.charges.get(attempt=2).gateway_trade_no),
        (Transfer, lambda order: order.number),
        (Transfer, lambda order: f"points:{order.customer_id}"),
        (Customer, lambda order: "13800138000"),
        (Customer, lambda order: "442090"),
        (InboundNotification, lambda order: order.number),
        (InboundNotification, lambda order: InboundNotification.objects.get().notification_id),
    ],
)
def test_other_lists_find_their_rows_by_exact_number(boss, order, model, lookup):
    path = reverse(f"admin:payments_{model._meta.model_name}_changelist")

    assert found(boss, lookup(order), path)
    assert found(boss, "nobody", path) == []
