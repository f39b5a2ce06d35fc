import pytest
from django.test import Client

from config import demo
from partner_orders.models import Address
from payments.models import Charge, GatewayAccount, Order
from tests.partner_orders.world import make_alipay
from tests.world import make_memory_account

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sandbox(settings):
    settings.SIMULATOR_URL = ""


@pytest.fixture
def world():
    demo.build()
    make_memory_account()


@pytest.fixture
def stranger():
    return Client(HTTP_ACCEPT_LANGUAGE="en")


def press(stranger, order="mall_part"):
    return stranger.post("/", {"order": order})


def follow_the_link(stranger, link):
    """What the page behind the link does by itself."""
    fields = dict(pair.split("=", 1) for pair in link.split("?", 1)[1].split("&"))
    return stranger.post("/api_login/", fields)


@pytest.mark.parametrize(
    ("button", "expected"),
    [
        ("mall_part", ("point_paid", 13_128, 201_272)),
        ("mall_cash", ("point_paid", 0, 2_144)),
        ("mall_points", ("pay_finished", 8_800, 0)),
    ],
)
def test_each_button_makes_a_real_order_and_opens_its_cashier(stranger, world, button, expected):
    response = press(stranger, button)

    order = Order.objects.get()
    assert (order.status, order.points_fen, order.cash_fen) == expected
    assert response.status_code == 303
    opened = follow_the_link(stranger, response["Location"])
    assert stranger.get(opened["Location"]).context["in_session"]


@pytest.mark.parametrize(
    ("button", "expected"),
    [("shop", ("goods", 1_110)), ("recharge", ("recharge", 5_000)), ("appointment", ("appointment", 9_900))],
)
def test_the_shops_buttons_make_document_003s_orders_and_open_their_page(stranger, world, button, expected):
    response = press(stranger, button)

    order = Order.objects.get()
    assert (order.kind, order.cash_fen) == expected
    assert (order.family, order.status) == ("payments", "unpaid")
    assert response["Location"] == f"/app/payment/wpay/{order.number}/"
    assert stranger.get(response["Location"]).context["ways"]


def test_the_partners_buttons_make_document_002s_orders_and_open_their_page(stranger, world):
    make_alipay()

    from_balance = press(stranger, "partner_balance")
    by_alipay = press(stranger, "partner_alipay")

    paid, waiting = Order.objects.order_by("pk")
    assert (paid.family, paid.status, paid.balance_fen) == ("partner_orders", "pay_finished", 30_000)
    assert (waiting.family, waiting.status, waiting.cash_fen) == ("partner_orders", "unpaid", 30_000)
    assert from_balance["Location"] == f"/app/payment/wpay/{paid.number}/"
    assert by_alipay["Location"] == f"/app/payment/wpay/{waiting.number}/"
    assert stranger.get(by_alipay["Location"]).status_code == 200


@pytest.mark.parametrize("order", ["partner_balance", "partner_alipay"])
def test_a_demo_customer_whose_address_was_deleted_is_told_how_to_make_it_again(stranger, world, order):
    Address.objects.all().delete()

    response = press(stranger, order)

    assert response.status_code == 503
    assert "demo_data" in response.content.decode()
    assert not Order.objects.exists()
    demo.build()
    assert press(stranger, "partner_balance").status_code == 303


def test_a_button_gives_the_same_order_each_time(stranger, world):
    for _ in range(3):
        press(stranger)

    assert set(Order.objects.values_list("points_fen", flat=True)) == {13_128}
    assert Order.objects.count() == 3


def test_looking_makes_nothing(stranger, world):
    response = stranger.get("/")

    assert response.status_code == 200
    assert demo.STAFF["password"] in response.content.decode()
    assert not Order.objects.exists()


def test_an_unknown_button_and_a_missing_token_make_nothing(stranger, world):
    assert press(stranger, "free_money").status_code == 404
    assert Client(enforce_csrf_checks=True).post("/", {"order": "mall_part"}).status_code == 403
    assert not Order.objects.exists()


def test_a_world_that_was_not_made_yet_says_how_to_make_it(stranger):
    response = press(stranger)

    assert response.status_code == 503
    assert "demo_data" in response.content.decode()


@pytest.mark.parametrize(("query", "proven"), [("status=pay_finished&sign=0", False), ("", None)])
def test_a_return_is_believed_by_its_signature_alone(stranger, query, proven):
    returned = stranger.get(f"/?{query}").context["returned"]

    assert returned.get("proven") is proven


def test_outside_the_sandbox_there_is_no_such_page(stranger, settings):
    settings.SANDBOX = False

    assert stranger.get("/").status_code == 404
    assert press(stranger).status_code == 404


def test_no_gateway_is_touched_before_a_way_is_chosen(stranger, world):
    press(stranger)

    assert GatewayAccount.objects.count() == 1
    assert set(Charge.objects.values_list("tender", flat=True)) == {"points"}
