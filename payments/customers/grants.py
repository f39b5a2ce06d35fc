"""Points and balance given to a customer or taken, each once for its number."""

import dataclasses
import re

from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.customers.queries import CustomerUnknown, Direction
from payments.errors import Conflict, Malformed
from payments.ledger import accounts
from payments.ledger import operations as ledger
from payments.ledger.accounts import Kind
from payments.ledger.models import Account, Transfer, TransferKind
from payments.ledger.operations import Posting, PostingConflict
from payments.transactions import transaction, transaction_required

__all__ = [
    "Direction",
    "GrantCommand",
    "GrantNumberReused",
    "GrantUnfit",
    "give",
    "grant",
    "lock",
    "posting",
    "reference_of",
]

# `grant:<client id>:<number>` is the transfer's reference, which has room for 64.
NUMBER_LENGTH_MAX = 36
REASON_LENGTH_MAX = 200
_NUMBER = re.compile(rf"[0-9A-Za-z_.-]{{1,{NUMBER_LENGTH_MAX}}}")


class GrantUnfit(Malformed):
    code = "invalid_field"


class GrantNumberReused(Conflict):
    """The same number for another grant."""

    code = "grant_no_reused"
    message = _("This grant_no was used for another customer, kind, direction or amount. Use a new one.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GrantCommand:
    """Value to be given or taken. `grant_no` is the client's own."""

    grant_no: str
    kind: Kind
    direction: Direction
    amount_fen: int
    reason: str = ""

    def check(self) -> None:
        """
        Check what can be booked.

        :raises GrantUnfit: for a number, amount or reason that cannot
        """
        if not _NUMBER.fullmatch(self.grant_no):
            raise GrantUnfit(
                _("Send 1 to %(limit)s letters, digits, dots, hyphens or underscores."),
                field="grant_no",
                limit=NUMBER_LENGTH_MAX,
            )
        if self.amount_fen <= 0:
            raise GrantUnfit(_("Must be more than 0."), field="amount")
        if len(self.reason) > REASON_LENGTH_MAX or not self.reason.isprintable():
            raise GrantUnfit(
                _("Send at most %(limit)s characters, in one line."), field="reason", limit=REASON_LENGTH_MAX
            )


def posting(*, kind: Kind, direction: Direction, customer_id: int, amount_fen: int, reference: str) -> Posting:
    """Return the transfer between what we issued of this kind and the customer's account."""
    issued = accounts.ISSUED[kind]
    own = accounts.customer_code(kind=kind, customer_id=customer_id)
    debit, credit = (issued, own) if direction == Direction.IN else (own, issued)
    return Posting(debit=debit, credit=credit, amount_fen=amount_fen, kind=TransferKind.GRANT, reference=reference)


def grant(*, client_id: int, user_id: str, command: GrantCommand, actor: str) -> dict[Kind, int]:
    """
    Give value to a client's customer or take it, and return what they have then, in fen, by kind.

    The same number again grants nothing and returns what they have now. What makes it the same are customer, kind,
    direction and amount; the reason is a note of the first time.

    :raises GrantUnfit: if it cannot be booked
    :raises CustomerUnknown: if the client has none of that user id
    :raises GrantNumberReused: if the number stands for another grant
    :raises ledger.NotEnough: if more is to be taken than there is
    """
    with transaction():
        return give(client_id=client_id, user_id=user_id, command=command, actor=actor)


@transaction_required
def give(*, client_id: int, user_id: str, command: GrantCommand, actor: str) -> dict[Kind, int]:
    """Grant as part of the caller's transaction. See `grant` for what it returns and raises."""
    command.check()
    customer_id, holds = lock(client_id=client_id, user_id=user_id)
    wanted = posting(
        kind=command.kind, direction=command.direction, customer_id=customer_id,
        amount_fen=command.amount_fen, reference=reference_of(client_id=client_id, grant_no=command.grant_no),
    )  # fmt: skip
    # The customer's accounts are locked, so nobody else grants this customer anything under this number.
    is_repeat = Transfer.objects.filter(reference=wanted.reference, kind=wanted.kind).exists()
    try:
        ledger.post(wanted)
    except PostingConflict:
        raise GrantNumberReused(field="grant_no") from None
    if is_repeat:
        return holds
    before_fen = holds[command.kind]
    holds[command.kind] += command.amount_fen if command.direction == Direction.IN else -command.amount_fen
    audit.record(
        actor=actor, action="customer.grant", subject=f"customer:{customer_id}",
        reference=wanted.reference, kind=command.kind, direction=command.direction, reason=command.reason,
        amount_fen=command.amount_fen, before_fen=before_fen, after_fen=holds[command.kind],
    )  # fmt: skip
    return holds


def reference_of(*, client_id: int, grant_no: str) -> str:
    """Return what the transfer of a client's grant is called."""
    return f"grant:{client_id}:{grant_no}"


@transaction_required
def lock(*, client_id: int, user_id: str) -> tuple[int, dict[Kind, int]]:
    """Lock a customer's accounts and return the customer's id and what they hold, by kind."""
    own = Account.objects.filter(customer__client_id=client_id, customer__user_id=user_id)
    locked = list(own.order_by("pk").select_for_update(of=("self",), no_key=True))
    if not locked:
        raise CustomerUnknown(field="user_id")
    return locked[0].customer_id, {Kind(account.kind): account.balance_fen for account in locked}
