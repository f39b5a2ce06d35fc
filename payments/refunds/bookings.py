"""
What a refund posts.

Goods go back out of sales, shipping out of shipping, a surplus out of suspense, a recharge out of the balance it
filled. What a gateway gave back beyond what was paid, or of a balance that is spent, is out of suspense too: it is
booked, because it happened, and flagged, because it should not have.
"""

from payments.charges.models import CASH, Charge
from payments.charges.states import Event as ChargeEvent
from payments.charges.states import Status as ChargeStatus
from payments.charges.states import next_status
from payments.ledger import accounts
from payments.ledger import operations as ledger
from payments.ledger.models import Transfer, TransferKind
from payments.ledger.operations import NotEnough, Posting
from payments.orders.models import Order, OrderKind
from payments.refunds.models import Kind, Refund, RefundLeg
from payments.transactions import savepoint, transaction_required


@transaction_required
def take(*, order: Order, refund: Refund, leg: RefundLeg) -> None:
    """
    Take a recharge out of the balance again and keep it aside, so that it cannot be spent while it goes back.

    :raises NotEnough: if the balance holds less: it was spent
    """
    if order.kind == OrderKind.RECHARGE and refund.kind == Kind.ORDER:
        ledger.post(_between_balance(order=order, leg=leg, kind=TransferKind.TAKE_BACK))


@transaction_required
def return_taken(*, order: Order, refund: Refund, leg: RefundLeg) -> None:
    """What `take` kept aside goes into the balance again: the refund came to nothing."""
    if order.kind == OrderKind.RECHARGE and refund.kind == Kind.ORDER:
        ledger.post(_between_balance(order=order, leg=leg, kind=TransferKind.GIVE_BACK))


def _between_balance(*, order: Order, leg: RefundLeg, kind: TransferKind) -> Posting:
    balance = _balance(order)
    debit, credit = (balance, accounts.REFUNDING) if kind == TransferKind.TAKE_BACK else (accounts.REFUNDING, balance)
    return Posting(
        debit=debit, credit=credit, amount_fen=leg.amount_fen, kind=kind, reference=leg.number, order_id=order.pk
    )  # fmt: skip


@transaction_required
def book(*, order: Order, refund: Refund, leg: RefundLeg) -> int:
    """
    Book a leg that succeeded and return what of it, in fen, was beyond what could go back.

    `order` is locked and changed in memory: `settlement.reserve` saves it, with the reservations counted anew.
    """
    charge = Charge.objects.select_for_update(of=("self",)).get(pk=leg.charge_id)
    pays = charge.status == ChargeStatus.SUCCEEDED
    left_fen = int((charge.paid_fen or 0) - charge.refunded_fen)
    goods_fen, shipping_fen = min(leg.goods_fen, left_fen), 0
    if pays:
        goods_fen, shipping_fen = _split(order=order, leg=leg, fits_fen=min(leg.amount_fen, left_fen))
        order.refunded_goods_fen += goods_fen
        order.refunded_shipping_fen += shipping_fen
    charge.refunded_fen += goods_fen + shipping_fen
    charge.refunding_fen = min(charge.refunding_fen, (charge.paid_fen or 0) - charge.refunded_fen)
    if charge.status == ChargeStatus.SURPLUS and charge.refunded_fen == charge.paid_fen:
        charge.status = next_status(status=charge.status, event=ChargeEvent.RELEASED)
    charge.save(update_fields=["refunded_fen", "refunding_fen", "status"])

    excess_fen = leg.amount_fen - goods_fen - shipping_fen
    source, of_excess = _sources(order=order, leg=leg, pays=pays)
    is_there = _post(order, leg, charge, (source, goods_fen, TransferKind.REFUND))
    if not is_there:  # a recharge went back that the customer had spent
        _post(order, leg, charge, (accounts.SUSPENSE, goods_fen, TransferKind.REFUND))
    _post(order, leg, charge, (accounts.SHIPPING, shipping_fen, TransferKind.SHIPPING_REFUND))
    _post(order, leg, charge, (of_excess, excess_fen, TransferKind.EXCESS))
    return int(excess_fen if is_there else excess_fen + goods_fen)


def _split(*, order: Order, leg: RefundLeg, fits_fen: int) -> tuple[int, int]:
    """
    Divide what went back of an order as its leg asked for.

    Where another refund took it first, what is left of the order's goods or shipping stands in: this money too is back.
    """
    goods_left_fen = order.goods_fen - order.refunded_goods_fen
    goods_fen = min(leg.goods_fen, fits_fen, goods_left_fen)
    shipping_fen = min(fits_fen - goods_fen, order.shipping_fen - order.refunded_shipping_fen)
    return min(fits_fen - shipping_fen, goods_left_fen), shipping_fen


def _sources(*, order: Order, leg: RefundLeg, pays: bool) -> tuple[str, str]:
    """Return the accounts that goods, and what is beyond what could go back, go out of."""
    if not pays:
        return accounts.SUSPENSE, accounts.SUSPENSE
    if order.kind != OrderKind.RECHARGE:
        return accounts.SALES, accounts.SUSPENSE
    kept = Transfer.objects.filter(reference=leg.number, kind__in=[TransferKind.TAKE_BACK, TransferKind.GIVE_BACK])
    if set(kept.values_list("kind", flat=True)) == {TransferKind.TAKE_BACK}:
        return accounts.REFUNDING, accounts.REFUNDING
    return _balance(order), accounts.SUSPENSE


def _balance(order: Order) -> str:
    return accounts.customer_code(kind=accounts.Kind.BALANCE, customer_id=order.customer_id)


def _post(order: Order, leg: RefundLeg, charge: Charge, amount: tuple[str, int, TransferKind]) -> bool:
    """Post an amount from its account to the charge's tender; nothing where the account holds too little."""
    source, amount_fen, kind = amount
    if charge.tender in CASH:
        to = accounts.clearing_code(gateway_account_id=charge.gateway_account_id or 0)
    else:
        to = accounts.customer_code(kind=charge.tender, customer_id=order.customer_id)
    try:
        with savepoint():
            ledger.post(
                Posting(
                    debit=source, credit=to, amount_fen=amount_fen, kind=kind, reference=leg.number, order_id=order.pk
                )
            )
    except NotEnough:
        return False
    return True
