"""Books with an order of every kind, in which every invariant has something to look at."""

from django.utils import timezone

from checkout import operations as checkout
from checkout.operations import PayCommand
from english_app import operations as english_app
from payments.charges import operations as charges
from payments.charges import settlement
from payments.clients.models import RefundPolicy
from payments.closing import operations as closing
from payments.customers import scores
from payments.customers.grants import Direction, GrantCommand, grant
from payments.customers.operations import save_customer
from payments.customers.profiles import Profile
from payments.direct import operations as direct
from payments.direct.operations import Booking, OrderCommand
from payments.gateways import memory
from payments.gateways.base import Mode, Outcome, PaymentState, RefundState
from payments.invariants.table import TABLE
from payments.ledger.accounts import Kind
from payments.manual import confirmations, values
from payments.models import ApiClient, Customer, Order, ValueRequest, WebhookEndpoint
from payments.orders.models import OrderKind
from payments.outbox import operations as outbox
from payments.refunds import console
from payments.refunds import operations as refunds
from payments.refunds import settlement as refund_settlement
from payments.refunds.operations import RefundCommand
from payments.transactions import transaction
from tests.english_app import world as english
from tests.partner_orders.world import buy, make_address, make_pack, make_partner_client
from tests.world import (
    confirm_by_hand,
    give_by_hand,
    make_client,
    make_memory_account,
    owe_from_balance,
    pay_from_balance,
    place_by_balance,
)

FAMILIES = ("checkout", "partner_orders", "english_app", "payments")
EVERY = {invariant.name for invariant in TABLE} | {*FAMILIES}


def give(client, *, points_fen):
    save_customer(client_id=client.pk, profile=Profile(user_id="442090", ee_no="a09999"), actor="test")
    command = GrantCommand(grant_no="g1", kind=Kind.POINTS, direction=Direction.IN, amount_fen=points_fen)
    grant(client_id=client.pk, user_id="442090", command=command, actor="test")


def give_balance(client):
    command = GrantCommand(grant_no="g2", kind=Kind.BALANCE, direction=Direction.IN, amount_fen=15_000)
    grant(client_id=client.pk, user_id="442090", command=command, actor="test")
    return Customer.objects.get(client=client)


def place(client, number):
    command = PayCommand(
        out_trade_no=number, client_pay_id=f"p-{number}", total_fen=10_000, shipping_fen=500,
        user_id="442090", ee_no="a09999", redirect_url="",
    )  # fmt: skip
    placed = checkout.pay(client=client, command=command, at=timezone.now())
    return Order.objects.get(pk=placed.order_id)


def place_directly(client, kind, booking=None, number=""):
    command = OrderCommand(
        kind=kind, user_id="442090", title="title", total_fen=7_000, booking=booking,
        client_order_no=number or str(kind),
    )  # fmt: skip
    number = direct.place_order(client=client, command=command, at=timezone.now())
    return Order.objects.get(number=number)


def attempt(order, mode):
    return charges.start(order_id=order.pk, channel="memory", mode=mode, actor="test", at=timezone.now())


def settle(charge, trade_no):
    state = PaymentState(
        outcome=Outcome.SUCCEEDED, number=charge.number, amount_fen=charge.amount_fen, trade_no=trade_no
    )
    settlement.settle(charge_id=charge.pk, state=state, at=timezone.now())


def pay(order, mode=Mode.QR):
    settle(attempt(order, mode), f"trade-{order.client_order_no}")
    return order


def ask_back(order, *, goods_fen, shipping_fen=0):
    command = RefundCommand(goods_fen=goods_fen, shipping_fen=shipping_fen)
    made, _is_new = refunds.request(order_id=order.pk, command=command, actor="user:lin", at=timezone.now())
    return made


def answer(refund, outcome=Outcome.SUCCEEDED):
    """The gateway says what became of a refund's cash."""
    leg = refund.legs.get(charge__gateway_account__isnull=False)
    state = RefundState(outcome=outcome, number=leg.number, amount_fen=leg.amount_fen)
    refund_settlement.settle(leg_id=leg.pk, state=state, at=timezone.now())


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


def make_refunds():
    """Beside those, of another client: orders closed, paid late, refunded by us and at the console, in every status."""
    client = make_client(name="back", refund_policy=RefundPolicy.PRO_RATA, approval_above_fen=5_000)
    give(client, points_fen=3_000)
    close_and_pay_late(client)
    answer(ask_back(pay(place(client, "partly")), goods_fen=4_000, shipping_fen=500))
    for label, outcome in (("pending", Outcome.PENDING), ("failed", Outcome.FAILED), ("back", Outcome.SUCCEEDED)):
        answer(ask_back(pay(place(client, label)), goods_fen=1_000), outcome)
        recharge = place_directly(client, OrderKind.RECHARGE, number=f"recharge-{label}")
        answer(ask_back(pay(recharge), goods_fen=1_000), outcome)
    decide(client)
    at_the_console = pay(place(client, "console"))
    state = RefundState(outcome=Outcome.SUCCEEDED, number="c-1", amount_fen=10_001)
    console.book(charge_id=at_the_console.charges.get().pk, number="c-1", state=state, at=timezone.now())
    buy_by_balance(client)
    buy_a_pack()
    buy_memberships()
    do_by_hand(client)


def do_by_hand(client):
    """Payments confirmed by hand: one booked, one refused. Points given alone, by two people, and still to approve."""
    silent, no = attempt(place(client, "by-hand"), Mode.QR), attempt(place(client, "not-by-hand"), Mode.QR)
    ApiClient.objects.filter(pk=client.pk).update(approval_above_fen=None, grant_approval_above_fen=600)
    memory.book("memory-app").script(memory.Fault.LOST_REQUEST, verb="query_payment")
    confirm_by_hand(silent)
    refused = confirm_by_hand(no, number="h-2", trade_no="bank-2", is_acknowledged=True)
    confirmations.refuse(waiting_id=refused.pk, actor="user:wang", reason="no", at=timezone.now())
    for grant_no in ("v-1", "v-2"):
        give_by_hand(silent.order.customer, number=grant_no)
    given = ValueRequest.objects.get(number="v-2")
    ApiClient.objects.filter(pk=client.pk).update(approval_above_fen=5_000)
    values.approve(waiting_id=given.pk, actor="user:wang", reason="yes", at=timezone.now())
    give_by_hand(silent.order.customer, number="v-3", amount_fen=700)


def buy_memberships():
    """Of a client of the English app: one is delivered, one is paid and still to be."""
    client = english.make_english_client()
    save_customer(client_id=client.pk, profile=Profile(user_id=english.USER_ID, ee_no=""), actor="test")
    command = GrantCommand(grant_no="g3", kind=Kind.BALANCE, direction=Direction.IN, amount_fen=10_000)
    grant(client_id=client.pk, user_id=english.USER_ID, command=command, actor="test")
    month = english.make_month(client=client)
    english.buy(client=client, goods={month: 1})
    made = english.init(client=client, goods={month: 1})
    english_app.pay(client=client, user_id=english.USER_ID, number=made.purchase.number, at=timezone.now())


def buy_a_pack():
    """Of a client of the partner programme, paid by the balance."""
    client = make_partner_client(name="partner")
    save_customer(client_id=client.pk, profile=Profile(user_id="442090", ee_no="a09999"), actor="test")
    customer = give_balance(client)
    buy(pack=make_pack(client=client, price_fen=10_000), address=make_address(customer=customer))


def buy_by_balance(client):
    """
    Orders that the balance pays: one brings score, one goes back in part and takes of its score with it, one was paid
    by a later call, one is still to be.
    """
    customer = give_balance(client)
    pay_from_balance(owe_from_balance(customer=customer, number="paid-later", total_fen=5_000))
    owe_from_balance(customer=customer, number="owed", total_fen=5_000)
    for label in ("balance", "balance-back"):
        order = place_by_balance(customer=customer, number=label, total_fen=5_000)
        with transaction():
            scores.grant(customer_id=customer.pk, order_id=order.pk, amount_fen=50, reference=order.number)
    ask_back(order, goods_fen=1_000)
    with transaction():
        scores.take_back(customer_id=customer.pk, order_id=order.pk, amount_fen=10, reference=f"{order.number}_R1")


def close_and_pay_late(client):
    order = place(client, "late")
    late = attempt(order, Mode.QR)
    closing.close(order_id=order.pk, actor="client:back", at=timezone.now())
    settle(late, "trade-late")
    answer(refunds.request_surplus(charge_id=late.pk, actor="system", reason="late", at=timezone.now()))


def decide(client):
    """Three refunds that a second person must see: not yet, refused, let go."""
    for label in ("to-approve", "refused", "approved"):
        made = ask_back(pay(place(client, label)), goods_fen=9_500, shipping_fen=500)
        if label == "refused":
            refunds.refuse(refund_id=made.pk, actor="user:wang", reason="no", at=timezone.now())
        elif label == "approved":
            memory.book("memory-app").script(memory.Fault.LOST_RESPONSE)
            refunds.approve(refund_id=made.pk, actor="user:wang", reason="yes", at=timezone.now())
            answer(made)


def number(of):
    return Order.objects.get(client_order_no=of).number
