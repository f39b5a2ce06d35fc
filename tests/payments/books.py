"""Books with an order of every kind, in which every invariant has something to look at."""

from django.utils import timezone

from checkout import operations as checkout
from checkout.operations import PayCommand
from payments.charges import operations as charges
from payments.charges import settlement
from payments.customers.grants import Direction, GrantCommand, grant
from payments.customers.operations import save_customer
from payments.customers.profiles import Profile
from payments.direct import operations as direct
from payments.direct.operations import Booking, OrderCommand
from payments.gateways import memory
from payments.gateways.base import Mode, Outcome, PaymentState
from payments.invariants.table import TABLE
from payments.ledger.accounts import Kind
from payments.models import Order, WebhookEndpoint
from payments.orders.models import OrderKind
from payments.outbox import operations as outbox
from tests.world import make_client, make_memory_account

FAMILIES = ("checkout", "payments")
EVERY = {invariant.name for invariant in TABLE} | {*FAMILIES}


def give(client, *, points_fen):
    save_customer(client_id=client.pk, profile=Profile(user_id="442090", ee_no="a09999"), actor="test")
    command = GrantCommand(grant_no="g1", kind=Kind.POINTS, direction=Direction.IN, amount_fen=points_fen)
    grant(client_id=client.pk, user_id="442090", command=command, actor="test")


def place(client, number):
    command = PayCommand(
        out_trade_no=number, client_pay_id=f"p-{number}", total_fen=10_000, shipping_fen=500,
        user_id="442090", ee_no="a09999", redirect_url="",
    )  # fmt: skip
    placed = checkout.pay(client=client, command=command, at=timezone.now())
    return Order.objects.get(pk=placed.order_id)


def place_directly(client, kind, booking):
    command = OrderCommand(
        kind=kind, user_id="442090", title="title", total_fen=7_000, booking=booking, client_order_no=str(kind)
    )
    number = direct.place_order(client=client, command=command, at=timezone.now())
    return Order.objects.get(number=number)


def attempt(order, mode):
    return charges.start(order_id=order.pk, channel="memory", mode=mode, actor="test", at=timezone.now())


def settle(charge, trade_no):
    state = PaymentState(
        outcome=Outcome.SUCCEEDED, number=charge.number, amount_fen=charge.amount_fen, trade_no=trade_no
    )
    settlement.settle(charge_id=charge.pk, state=state, at=timezone.now())


def make_books():
    """
    Orders of every kind: points alone; points and cash, paid twice; waiting for cash; points held for later; a
    recharge and an appointment, both paid. The client is to be told of what was paid.
    """
    memory.forget_everything()
    make_memory_account()
    first, last = make_client(name="first"), make_client(name="last", points_policy="points_last")
    WebhookEndpoint.objects.create(client=first, url="https://www.example.com/")
    for client in (first, last):
        give(client, points_fen=13_000)
    place(first, "points")
    mixed = place(first, "mixed")
    for n, charge in enumerate([attempt(mixed, Mode.QR), attempt(mixed, Mode.PAGE)]):
        settle(charge, f"trade-{n}")
    attempt(place(first, "waiting"), Mode.QR)
    place(last, "gone")
    place(last, "held")
    for kind, booking in (
        (OrderKind.RECHARGE, None),
        (OrderKind.APPOINTMENT, Booking(time=timezone.now(), subject="张三")),
    ):
        settle(attempt(place_directly(first, kind, booking), Mode.QR), f"trade-{kind}")
    outbox.dispatch(at=timezone.now())


def number(of):
    return Order.objects.get(client_order_no=of).number
