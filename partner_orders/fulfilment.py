"""What the order book asks of the partner programme: level and score for a paid pack, and all of it back again."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from partner_orders import levels, stock
from partner_orders.invariants import breaches
from partner_orders.models import PartnerOrder
from partner_orders.states import OVER
from payments.charges.states import Status as ChargeStatus
from payments.customers import scores
from payments.ledger.models import Transfer, TransferKind
from payments.models import Order, Refund
from payments.transactions import transaction_required

LABELS = {
    "gift_title": _("gift pack"),
    "coupon_id": _("coupon id"),
    "receive": _("recipient"),
    "delivery": _("delivery"),
    "express": _("courier"),
    "partner_order.ship": _("shipped"),
    "partner_order.receive": _("received"),
    "partner_order.remark": _("remark"),
}
PERSONAL = ("receive",)


@transaction_required
def fulfil(*, order: Order) -> None:
    """Do what a paid pack says, once: raise its customer's level, credit its score."""
    document = PartnerOrder.objects.select_for_update(of=("self",)).get(order=order)
    if document.fulfilled_at is not None or order.status in OVER:
        return
    paying = order.charges.filter(status=ChargeStatus.SUCCEEDED).latest("attempt")
    scores.grant(
        customer_id=order.customer_id, order_id=order.pk, amount_fen=_score_fen(document), reference=paying.number
    )  # fmt: skip
    document.fulfilled_at = order.finished_at or timezone.now()
    document.save(update_fields=["fulfilled_at"])
    if order.refunded_fen:  # what failed at first is tried again, and something may have gone back meanwhile
        _take_score_back(order=order, document=document, reference=paying.number)
    levels.recount(customer_id=order.customer_id)


@transaction_required
def release(*, order_ids: list[int]) -> None:
    """Orders closed: their stock and their coupons are free again."""
    stock.give_back(order_ids=order_ids)


@transaction_required
def take_back(*, order: Order, refund: Refund) -> None:
    """
    Take back what a refund undoes.

    Of the score the refunded share, as far as the customer's points reach. When all is refunded: the level, unless
    another paid pack supports it; and stock and coupon are free again.
    """
    document = PartnerOrder.objects.select_for_update(of=("self",)).get(order=order)
    if document.fulfilled_at is not None:
        # A number of its own, as a refund's legs have: what is booked under a leg's is what that leg gave back.
        _take_score_back(order=order, document=document, reference=f"{refund.number}s")
    if order.status not in OVER:
        return
    if document.fulfilled_at is not None and document.taken_back_at is None:
        document.taken_back_at = timezone.now()
        document.save(update_fields=["taken_back_at"])
        levels.recount(customer_id=order.customer_id)
    stock.give_back(order_ids=[order.pk])


def describe(*, order: Order) -> dict[str, str]:
    """Return what the order page shows of this family's document."""
    document = order.partner
    return {
        "gift_title": document.pack_title,
        "coupon_id": document.coupon.uid if document.coupon else "",
        "receive": f"{document.receive_name} {document.receive_phone} {document.receive_address}",
        "delivery": str(document.get_delivery_display()),
        "express": f"{document.express_name} {document.express_number}".strip(),
    }


def look_up(*, term: str) -> Iterable[tuple[Any, Any]]:
    """Yield what of this family carries `term`: what people call the number, and the ids of the orders."""
    documents = PartnerOrder.objects.values("order")
    yield _("partner order id"), documents.filter(uid=term)
    yield _("tracking number"), documents.filter(express_number=term).exclude(express_number="")
    yield _("recipient's phone"), documents.filter(receive_phone=term)


def audit() -> list[str]:
    """Return the breaches of this family's invariants."""
    return breaches()


def _score_fen(document: PartnerOrder) -> int:
    return int(document.score * settings.POINT_FEN)


@transaction_required
def _take_score_back(*, order: Order, document: PartnerOrder, reference: str) -> None:
    """Take the share of the score that is refunded by now, less what was taken before."""
    due_fen = _score_fen(document) * order.refunded_fen // order.total_fen
    taken = Transfer.objects.filter(order=order, kind=TransferKind.SCORE_BACK).exclude(reference=reference)
    taken_fen = sum(taken.values_list("amount_fen", flat=True))
    scores.take_back(
        customer_id=order.customer_id, order_id=order.pk, amount_fen=due_fen - taken_fen, reference=reference
    )  # fmt: skip
