"""Money that goes back at the simulated gateways: what we ask for, what the gateway's own book has, what ours has."""

from django.utils import timezone

from payments.closing import late_money
from payments.models import InboundNotification, Refund, RefundLeg, Transfer
from payments.refunds import operations as refunds
from payments.refunds import submission
from payments.refunds.operations import RefundCommand
from payments.tasks import process_notification
from tests.faults.gateways import ask, certified, place, start
from tests.web_process import eventually


def paid(simulator, side, *, notify_base, **placed):
    """An order that is paid at a gateway, and its attempt."""
    certified(simulator, side.connect(simulator, notify_base=notify_base))
    order = place(**placed)
    charge = start(order, side)
    simulator.pay(charge.number)
    ask(charge)
    charge.refresh_from_db()
    order.refresh_from_db()
    return order, charge


def give_back(order, *, goods_fen, shipping_fen=0, refund_no="R1"):
    command = RefundCommand(goods_fen=goods_fen, shipping_fen=shipping_fen, refund_no=refund_no, reason="少发一件")
    return refunds.refund(order_id=order.pk, command=command, actor="client:shop", at=timezone.now())


def sweep():
    """Let every refund that is waited for be due, and tell the gateway of it or ask about it."""
    RefundLeg.objects.filter(next_query_at__isnull=False).update(next_query_at=timezone.now())
    return submission.sweep_due()


def swept_to(made, status):
    """Sweep until a refund has come to its end: WeChat's takes its time."""

    def is_there():
        sweep()
        return statuses(made)[0] == status

    eventually(is_there)


def give_late_money_back():
    """What the task does: begin with every surplus. The refunds that were begun."""
    before = set(Refund.objects.values_list("pk", flat=True))
    late_money.refund_due()
    return list(Refund.objects.exclude(pk__in=before).order_by("pk"))


def hear_of_refunds():
    """Process, as the worker that was woken does, the notices of refunds that came; how many."""
    waiting = InboundNotification.objects.filter(verdict="accepted", processed_at__isnull=True)
    ids = list(waiting.values_list("pk", flat=True))
    for notification_id in ids:
        process_notification(notification_id=notification_id)
    return len(ids)


def statuses(made):
    """The refund's status and those of its legs at gateways."""
    made.refresh_from_db()
    legs = made.legs.filter(charge__gateway_account__isnull=False)
    return made.status, *legs.values_list("status", flat=True)


def reserved(order):
    """What of goods and shipping is on its way, and what has gone back."""
    order.refresh_from_db()
    return (
        (order.refunding_goods_fen, order.refunding_shipping_fen),
        (order.refunded_goods_fen, order.refunded_shipping_fen),
    )  # fmt: skip


def gone_back(simulator, *charges):
    """The gateway's own book: what moved, as (our number, fen), each time that it did."""
    return [
        (refund["request_no"], refund["amount_fen"])
        for charge in charges
        for refund in simulator.trade(charge.number)["refunds"]
        if refund["moved"]
    ]


def booked_back():
    """What went back by our books, as (where it came from, number, fen)."""
    transfers = Transfer.objects.filter(credit__startswith="clearing:").order_by("id")
    return list(transfers.values_list("debit", "reference", "amount_fen"))
