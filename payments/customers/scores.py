"""Points that an order brings its customer once it is paid, and takes with it when it goes back."""

from typing import cast

from django.db.models import Case, F, Sum, When

from payments import audit
from payments.audit import AuditRow
from payments.ledger import accounts
from payments.ledger import operations as ledger
from payments.ledger.accounts import Kind
from payments.ledger.models import Account, Transfer, TransferKind
from payments.ledger.operations import Posting
from payments.transactions import transaction_required

TAKEN_BACK = "customer.score_back"


@transaction_required
def grant(*, customer_id: int, order_id: int, amount_fen: int, reference: str) -> None:
    """
    Give the customer what a paid order of theirs brings in points, once for each reference; of 0 nothing is written.

    :raises ledger.PostingConflict: if the reference stands for another customer or amount
    """
    ledger.post(
        Posting(
            debit=accounts.POINTS_ISSUED,
            credit=accounts.customer_code(kind=Kind.POINTS, customer_id=customer_id),
            amount_fen=amount_fen,
            kind=TransferKind.SCORE,
            reference=reference,
            order_id=order_id,
        )
    )


@transaction_required
def take_back(*, customer_id: int, order_id: int, amount_fen: int, reference: str) -> int:
    """
    Take back what an order brought in points, as far as the account reaches, and return what was taken, in fen.

    It is never more than the order has brought and not been taken yet. Under one reference it is taken once, be it
    nothing: the audit row, which also says what was out of reach, keeps that, and asking again returns it.
    """
    if not amount_fen:
        return 0
    subject = f"customer:{customer_id}"
    own = Account.objects.select_for_update(of=("self",), no_key=True).get(customer_id=customer_id, kind=Kind.POINTS)
    before = AuditRow.objects.filter(subject=subject, action=TAKEN_BACK, detail__reference=reference).first()
    if before is not None:
        return cast("int", before.detail["taken_fen"])
    taken_fen: int = min(amount_fen, own.balance_fen, _left_fen(order_id))
    ledger.post(
        Posting(
            debit=own.code,
            credit=accounts.POINTS_ISSUED,
            amount_fen=taken_fen,
            kind=TransferKind.SCORE_BACK,
            reference=reference,
            order_id=order_id,
        )
    )
    audit.record(
        actor=audit.SYSTEM, action=TAKEN_BACK, subject=subject, reference=reference, asked_fen=amount_fen,
        taken_fen=taken_fen, before_fen=own.balance_fen, after_fen=own.balance_fen - taken_fen,
    )  # fmt: skip
    return taken_fen


def _left_fen(order_id: int) -> int:
    """What an order has brought in points that was not taken back yet."""
    signed_fen = Case(When(kind=TransferKind.SCORE, then=F("amount_fen")), default=-F("amount_fen"))
    scores = Transfer.objects.filter(order_id=order_id, kind__in=[TransferKind.SCORE, TransferKind.SCORE_BACK])
    left_fen: int = scores.aggregate(fen=Sum(signed_fen, default=0))["fen"]
    return left_fen
