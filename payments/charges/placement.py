"""
An order appears: one statement writes everything of it.

This is the hot path, so it is one statement by hand: order, history, charge, transfers, audit row, event, the family's
document and what the customer's account pays stand or fall together on the order's unique numbers (`ON CONFLICT DO
NOTHING`) and on what that account holds. The order comes first, so that two calls with one number wait for each other
there. The account stands first among the rest because PostgreSQL carries out what the main query does not read from
the last to the first: so it comes last, and is locked for little more than the commit.
"""

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, connection
from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.charges.models import Tender
from payments.charges.states import Status as ChargeStatus
from payments.errors import Conflict, TryAgain
from payments.ledger import accounts
from payments.ledger.models import OVERDRAWN, TransferKind
from payments.ledger.operations import NotEnough, Posting
from payments.orders.models import OrderKind
from payments.orders.operations import finishing_postings
from payments.orders.states import Event, Status, next_status
from payments.outbox import events
from payments.outbox.models import EventKind


class NumberReused(Conflict):
    """The same number with other contents."""

    code = "number_reused"
    message = _("This number was used for another order or with other contents. Use a new one.")


class NoNumberFree(TryAgain):
    """Every number that was drawn was taken: a matter of chance, and of a day with very many orders."""

    message = _("No order number was free. Send the same call again.")


def fingerprint_of(command: Any) -> str:
    """Return what a repeated call must repeat: every field of a command that is compared."""
    compared = [getattr(command, field.name) for field in dataclasses.fields(command) if field.compare]
    return hashlib.sha256(json.dumps(compared).encode()).hexdigest()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Document:
    """The family's own row: an `INSERT … SELECT id, … FROM placed` (a constant) and the parameters it names."""

    insert: str
    parameters: Mapping[str, Any]


NO_DOCUMENT = Document(insert="SELECT 1", parameters={})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Placement:
    """
    An order that is to appear. `points_fen` or `balance_fen` of `total_fen` are paid with it; the rest is cash.

    One account of the customer's pays. Points pay as far as they reach, or are held; the balance pays all or nothing.
    Where it `pays_later`, by a call of its own (`payments.charges.from_balance`), the order appears unpaid and nothing
    moves.
    """

    number: str
    family: str
    client_id: int
    customer_id: int
    client_order_no: str
    client_pay_no: str
    fingerprint: str
    title: str
    total_fen: int
    shipping_fen: int
    points_fen: int
    points_first: bool
    expires_at: datetime.datetime
    at: datetime.datetime
    actor: str
    document: Document
    kind: str = OrderKind.GOODS
    notify_url: str = ""
    balance_fen: int = 0
    pays_later: bool = False

    def __post_init__(self) -> None:
        assert not (self.points_fen and self.balance_fen), "one account of the customer's pays"
        assert self.balance_fen in (0, self.total_fen), "the balance pays all or nothing"
        assert self.balance_fen or not self.pays_later, "only the balance pays later"

    @property
    def own_fen(self) -> int:
        """What leaves the customer's account with the order."""
        return 0 if self.pays_later else self.points_fen + self.balance_fen

    @property
    def cash_fen(self) -> int:
        return self.total_fen - self.points_fen - self.balance_fen

    @property
    def tender(self) -> Tender:
        return Tender.BALANCE if self.balance_fen else Tender.POINTS

    @property
    def event(self) -> Event | None:
        """What placing does to a fresh, unpaid order."""
        if self.pays_later:
            return None
        if not self.cash_fen:
            return Event.ALL_SETTLED
        return Event.POINTS_SETTLED if self.points_first else None

    @property
    def status(self) -> Status:
        return next_status(status=Status.UNPAID, event=self.event) if self.event else Status.UNPAID

    @property
    def charge_number(self) -> str:
        return f"{self.number}_1"

    def postings(self) -> list[Posting]:
        """Return the customer's account → escrow and, where nothing is left to pay, what finishing posts."""
        paid = Posting(
            debit=accounts.customer_code(kind=self.tender, customer_id=self.customer_id),
            credit=accounts.ESCROW, amount_fen=self.own_fen,
            kind=TransferKind.PAYMENT, reference=self.charge_number,
        )  # fmt: skip
        if self.event is not Event.ALL_SETTLED:
            return [paid] if self.own_fen else []
        return [
            paid,
            *finishing_postings(
                order_id=None,
                kind=self.kind,
                customer_id=self.customer_id,
                reference=self.charge_number,
                total_fen=self.total_fen,
                shipping_fen=self.shipping_fen,
            ),
        ]


_PLACE = """
WITH placed AS (
    INSERT INTO payments_order (number, family, kind, client_id, customer_id, client_order_no, client_pay_no,
        fingerprint, title, total_fen, shipping_fen, points_fen, balance_fen, cash_fen, status, money_flag,
        notify_url, created_at, expires_at, finished_at)
    VALUES (%(number)s, %(family)s, %(kind)s, %(client_id)s, %(customer_id)s, %(client_order_no)s, %(client_pay_no)s,
        %(fingerprint)s, %(title)s, %(total_fen)s, %(shipping_fen)s, %(points_fen)s, %(balance_fen)s, %(cash_fen)s,
        %(status)s, '', %(notify_url)s, %(at)s, %(expires_at)s, %(finished_at)s)
    ON CONFLICT DO NOTHING RETURNING {columns}
), spent AS (
    {spend}
), documented AS (
    {document}
), moved AS (
    INSERT INTO payments_ordertransition (order_id, sequence, source, event, target, reason, actor, at)
    SELECT id, 1, 'unpaid', %(event)s::text, %(status)s, '', %(actor)s, %(at)s FROM placed WHERE %(event)s::text <> ''
), charged AS (
    INSERT INTO payments_charge (order_id, attempt, number, tender, mode, amount_fen, paid_fen, status,
        gateway_trade_no, payload, last_answer, created_at, paid_at, queries)
    SELECT id, 1, %(charge_number)s, %(tender)s, '', %(own_fen)s, %(own_fen)s, %(charge_status)s,
        '', '{}', '', %(at)s, %(at)s, 0 FROM placed WHERE %(own_fen)s > 0
), posted AS (
    INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id, at)
    SELECT p.debit, p.credit, p.amount_fen, p.kind, p.reference, placed.id, %(at)s
    FROM placed, json_to_recordset(%(postings)s::json)
        AS p (debit text, credit text, amount_fen bigint, kind text, reference text)
), audited AS (
    INSERT INTO payments_auditrow (at, actor, action, subject, request_id, detail)
    SELECT %(at)s, %(actor)s, 'order.place', 'order:' || %(number)s::text, %(request_id)s, %(detail)s::jsonb FROM placed
), told AS (
    {tell}
)
SELECT id FROM placed
"""
# No condition on the balance: the CHECK of the table refuses what is not there, on the row as it is after any wait.
_SPEND = """
    UPDATE payments_account account SET balance_fen = account.balance_fen - %(own_fen)s
    FROM placed
    WHERE account.customer_id = %(customer_id)s AND account.kind = %(tender)s AND %(own_fen)s > 0
"""
_AUDITED = ("total_fen", "points_fen", "balance_fen")
_COLUMNS = ", ".join(events.COLUMNS)
_TELL = events.telling(source="(SELECT * FROM placed WHERE status = 'pay_finished')")


def place(placement: Placement) -> int | None:
    """
    Write the order and all that belongs to it, and take what the customer's account pays.

    One statement is a transaction by itself: it needs none around it, and saves the two round trips of one.

    Returns the order's id, or None where one of its numbers is taken and nothing was written.

    :raises NotEnough: if the account holds less than that; nothing was written
    """
    parameters = {
        **vars(placement),
        **placement.document.parameters,
        "own_fen": placement.own_fen,
        "cash_fen": placement.cash_fen,
        "status": placement.status.value,
        "request_id": audit.request_id(),
        "event": placement.event.value if placement.event else "",
        "finished_at": placement.at if placement.event is Event.ALL_SETTLED else None,
        "charge_number": placement.charge_number,
        "charge_status": _charge_status(placement).value,
        "tender": placement.tender.value,
        "postings": json.dumps([vars(posting) for posting in placement.postings()]),
        "detail": json.dumps({name: getattr(placement, name) for name in _AUDITED}),
        **events.parameters(kind=EventKind.ORDER_PAID, at=placement.at),
    }
    parts = {"columns": _COLUMNS, "spend": _SPEND, "tell": _TELL, "document": placement.document.insert}
    statement = _PLACE
    for name, part in parts.items():
        statement = statement.replace(f"{{{name}}}", part)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            row: tuple[int] | None = cursor.fetchone()
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") == OVERDRAWN:
            raise NotEnough from None
        raise
    return row[0] if row else None


def _charge_status(placement: Placement) -> ChargeStatus:
    held = placement.cash_fen and not placement.points_first
    return ChargeStatus.HELD if held else ChargeStatus.SUCCEEDED
