"""A paid order to give back, and what the books say of it."""

from django.utils import timezone

from payments.charges import operations as charges
from payments.direct import operations as direct
from payments.direct.operations import OrderCommand
from payments.gateways import memory
from payments.gateways.base import Mode, RefundRequest
from payments.inbox import operations as inbox
from payments.models import Account, Charge, InboundNotification, Order, RefundLeg, Transfer
from payments.orders.models import OrderKind
from payments.refunds import operations as refunds
from payments.refunds import submission
from payments.refunds.operations import RefundCommand
from tests.world import make_client, make_customer, make_memory_account, place_order


def book():
    return memory.book("memory-app")


def pay(order):
    """Pay an order's cash at the gateway, and find out."""
    charge = charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.PAGE, actor="test", at=timezone.now())
    book().pay(charge.number)
    charges.reconcile(charge_id=charge.pk, at=timezone.now())
    order.refresh_from_db()
    return Charge.objects.get(pk=charge.pk)


def paid_order(*, total_fen=10_000, shipping_fen=1_000, points_fen=3_000, **client_fields):
    """An order of 100 yuan, 10 of them shipping: 30 paid by points, 70 at the gateway."""
    client = make_client(**client_fields)
    make_customer(client=client, points_fen=points_fen)
    make_memory_account()
    order = place_order(client=client, total_fen=total_fen, shipping_fen=shipping_fen)
    if order.cash_fen:
        pay(order)
    order.refresh_from_db()
    return order


def recharge(*, total_fen=5_000):
    client = make_client()
    make_customer(client=client)
    make_memory_account()
    command = OrderCommand(kind=OrderKind.RECHARGE, user_id="442090", title="recharge", total_fen=total_fen)
    order = Order.objects.get(number=direct.place_order(client=client, command=command, at=timezone.now()))
    pay(order)
    return order


def refund(order, *, goods_fen=0, shipping_fen=0, actor="client:shop", **fields):
    command = RefundCommand(goods_fen=goods_fen, shipping_fen=shipping_fen, **fields)
    return refunds.refund(order_id=order.pk, command=command, actor=actor, at=timezone.now())


def posted(order, since=0):
    """What was posted of an order by refunds, as (debit, credit, fen, kind), accounts by their first word."""
    rows = Transfer.objects.filter(order=order, pk__gt=since).exclude(
        kind__in=["payment", "sale", "shipping", "recharge", "surplus"]
    )
    return [
        (row.debit.split(":")[0], row.credit.split(":")[0], row.amount_fen, row.kind) for row in rows.order_by("pk")
    ]


def left(order):
    """goods refunding, shipping refunding, goods refunded, shipping refunded"""
    order.refresh_from_db()
    return (
        order.refunding_goods_fen, order.refunding_shipping_fen, order.refunded_goods_fen, order.refunded_shipping_fen,
    )  # fmt: skip


def sweep():
    """Have every leg submitted or asked about that waits for it, due or not."""
    RefundLeg.objects.filter(next_query_at__isnull=False).update(next_query_at=timezone.now())
    return submission.sweep_due()


def statuses(made):
    """The refund's status and those of its legs."""
    made.refresh_from_db()
    return made.status, [leg.status for leg in made.legs.all()]


def balance_fen(order):
    return Account.objects.get(customer=order.customer, kind="balance").balance_fen


def refund_at_console(charge, amount_fen, number="console-1"):
    """The merchant's staff give back at the gateway itself, past us; here, even more than was paid."""
    request = RefundRequest(
        number=number, charge_number=charge.number, amount_fen=amount_fen, total_fen=charge.amount_fen
    )  # fmt: skip
    book().refunds[number] = memory.Refund(request=request, settled_at=timezone.now())


def tell_of_refund(charge, number="console-1"):
    """Deliver the gateway's notice of a refund, and do what it wakes."""
    raw = book().notification(charge.number, refund_number=number)
    answer = inbox.receive(
        kind="memory", headers=raw.headers, body=raw.body, remote_address="127.0.0.1", at=timezone.now()
    )
    assert answer.body == b"success"
    row = InboundNotification.objects.get(verdict="accepted", body=raw.body)
    inbox.process(notification_id=row.pk, at=timezone.now())
    row.refresh_from_db()
    return row
