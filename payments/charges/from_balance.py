"""An order that its customer pays from the balance, by a call of its own after it was placed (`pays_later`)."""

import datetime

import structlog
from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.charges import queries
from payments.charges.models import Charge, Tender
from payments.charges.operations import OrderExpired, OrderNotPayable, check_awaits_payment
from payments.charges.states import Status
from payments.ledger import accounts
from payments.ledger import operations as ledger
from payments.ledger.models import TransferKind
from payments.ledger.operations import Posting
from payments.orders import operations as orders
from payments.orders.models import Order
from payments.transactions import transaction_required

log = structlog.get_logger(__name__)


class OrderNotFromBalance(OrderNotPayable):
    code = "order_not_from_balance"
    message = _("This order is not paid from the balance. Pay it in the way that it was placed with.")


@transaction_required
def pay_from_balance(*, order: Order, actor: str, at: datetime.datetime) -> Charge:
    """
    Take what a locked order costs out of its customer's balance and finish the order. Whatever is raised ends the
    transaction: nothing of it is kept.

    :raises OrderNotPayable: if it is paid, refunded, closed or not the balance's to pay (one of its kinds)
    :raises OrderExpired: if its time has run out, though it is not closed yet
    :raises NotEnough: if the balance is too small
    """
    check_awaits_payment(order=order)
    if order.balance_fen != order.total_fen:
        raise OrderNotFromBalance
    if at >= order.expires_at:
        raise OrderExpired
    attempt = queries.next_attempt(order=order)
    charge = Charge.objects.create(
        order=order,
        attempt=attempt,
        number=f"{order.number}_{attempt}",
        tender=Tender.BALANCE,
        amount_fen=order.balance_fen,
        paid_fen=order.balance_fen,
        status=Status.SUCCEEDED,
        created_at=at,
        paid_at=at,
    )
    ledger.post(
        Posting(
            debit=accounts.customer_code(kind=charge.tender, customer_id=order.customer_id),
            credit=accounts.ESCROW,
            amount_fen=charge.amount_fen,
            kind=TransferKind.PAYMENT,
            reference=charge.number,
            order_id=order.pk,
        )
    )
    audit.record(
        actor=actor, action="charge.paid", subject=order.subject, charge=charge.number,
        paid_fen=charge.paid_fen,
    )  # fmt: skip
    log.info("charge_paid", order=order.number, charge=charge.number, paid_fen=charge.paid_fen, pays=True)
    orders.finish(order=order, reference=charge.number, actor=actor, at=at)
    return charge
