import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from checkout import operations as checkout
from checkout.operations import PayCommand
from payments.charges import operations as charges
from payments.days import day_of
from payments.figures import operations as figures
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.inbox import operations as inbox
from payments.models import Appointment, GatewayDefault, Order, WebhookEndpoint
from payments.outbox import operations as outbox
from payments.refunds import batches
from payments.refunds import operations as refunds
from payments.refunds.batches import Chosen
from payments.refunds.operations import RefundCommand
from tests.english_app import world as learners
from tests.partner_orders import world as partners
from tests.world import make_client, make_customer, make_difference, make_export, make_memory_account, make_requests


@pytest.fixture
def order():
    """A checkout order of 2144 yuan, paid with points and, at the gateway in memory, with cash."""
    memory.forget_everything()
    account = make_memory_account()
    GatewayDefault.objects.create(channel="memory", mode="qr", account=account)
    client = make_client()
    make_customer(client=client, points_fen=13_128, phone="13800138000", real_name="李雷")
    placed = checkout.pay(
        client=client,
        command=PayCommand(
            out_trade_no="20111111111", client_pay_id="0000010111135", total_fen=214_400, shipping_fen=500,
            user_id="442090", ee_no="a09999", redirect_url="https://www.example.com",
        ),
        at=timezone.now(),
    )  # fmt: skip
    charge = charges.pay_by(order_id=placed.order_id, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())
    book = memory.book("memory-app")
    book.pay(charge.number)
    raw = book.notification(charge.number)
    inbox.receive(kind="memory", headers=raw.headers, body=raw.body, remote_address="127.0.0.1", at=timezone.now())
    Appointment.objects.create(order_id=placed.order_id, appointment_time=timezone.now(), appointment_for="李雷")
    command = RefundCommand(goods_fen=100, refund_no="R-20111111111")
    refunds.refund(order_id=placed.order_id, command=command, actor="client:shop", at=timezone.now())
    chosen = [Chosen(order_id=placed.order_id, goods_fen=1, shipping_fen=0)]
    batches.confirm(number="batch-1", chosen=chosen, reason="recalled", actor="user:lin", at=timezone.now())
    WebhookEndpoint.objects.create(client=client, url="https://www.example.com/hook")
    outbox.dispatch(at=timezone.now())
    figures.compute(day=day_of(timezone.now()), at=timezone.now())
    make_difference(charge=charge)
    return Order.objects.get(pk=placed.order_id)


@pytest.fixture
def book(order):
    """Something of every kind: beside the order, what a family has of its own."""
    make_requests(client=order.client)
    partners.make_something_of_every_kind(client=partners.make_partner_client(name="partner"))
    learners.make_something_of_every_kind(client=learners.make_english_client())
    make_export(user=order.client.user)


@pytest.fixture
def boss(client):
    """A browser in which a superuser is logged in, in English."""
    user = get_user_model().objects.create_superuser(username="boss", password="a long enough password")
    client.force_login(user)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client
