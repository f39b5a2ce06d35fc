"""
Points and balance that staff give or take, as grants of the ledger.

Up to the client's limit it is done as soon as it is asked for; above it, a second person decides. What one person
alone has given (or taken) of the same kind to the same customer within a day counts with it, so that no gift is too
large in parts.
"""

import datetime

from django.db import IntegrityError
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.customers import grants
from payments.customers.grants import Direction, GrantCommand
from payments.customers.models import Customer
from payments.errors import OnetillError
from payments.ledger.accounts import Kind
from payments.manual import requests
from payments.manual.models import ValueRequest
from payments.manual.states import Event, Status
from payments.money import yuan_text
from payments.transactions import savepoint, transaction, transaction_required

COUNTS_FOR = datetime.timedelta(days=1)


class TooLittleThere(OnetillError):
    """More is to be taken than there is."""

    code = "too_little_there"
    message = _("The customer has only %(has)s: no more can be taken.")


def request(*, customer_id: int, command: GrantCommand, actor: str, at: datetime.datetime) -> ValueRequest:
    """
    Give value to a customer or take it, or have that wait for a second person. The same number is the same request.

    :raises Malformed: if it cannot be kept
    :raises TooLittleThere: if more is to be taken than there is
    :raises requests.NumberReused: if the number stands for another request
    """
    command.check()
    requests.check(number=command.grant_no, reason=command.reason)
    with transaction():
        customer, holds = _lock(customer_id=customer_id)
        if (known := _known(customer=customer, command=command)) is not None:
            return known
        _check_there(command=command, holds=holds)
        made = ValueRequest(
            number=command.grant_no, customer=customer, kind=command.kind, direction=command.direction,
            amount_fen=command.amount_fen, reason=command.reason, requested_by=actor, requested_at=at,
        )  # fmt: skip
        made.status = Status.TO_APPROVE if _needs_approval(customer=customer, made=made, at=at) else Status.DONE
        try:
            with savepoint():
                made.save(force_insert=True)
        except IntegrityError as error:  # the number is another customer's
            raise requests.NumberReused from error
        audit.record(
            actor=actor, action="customer.grant_request", subject=f"customer:{customer_id}",
            number=made.number, kind=made.kind, direction=made.direction, amount_fen=made.amount_fen,
            reason=made.reason, waits_for_approval=made.status == Status.TO_APPROVE,
        )  # fmt: skip
        if made.status == Status.DONE:
            _give(customer=customer, command=command, actor=actor)
        return made


def approve(*, waiting_id: int, actor: str, reason: str, at: datetime.datetime) -> ValueRequest:
    """
    Let value that waits for a second person be given or taken.

    :raises four_eyes.NotToDecide: if it does not wait (any more)
    :raises four_eyes.SamePerson: if `actor` asked for it
    :raises TooLittleThere: if more is to be taken than there is
    """
    return _decide(waiting_id=waiting_id, event=Event.APPROVED, actor=actor, reason=reason, at=at)


def refuse(*, waiting_id: int, actor: str, reason: str, at: datetime.datetime) -> ValueRequest:
    """Do not let value be given or taken. See `approve` for the errors."""
    return _decide(waiting_id=waiting_id, event=Event.REFUSED, actor=actor, reason=reason, at=at)


def _decide(*, waiting_id: int, event: Event, actor: str, reason: str, at: datetime.datetime) -> ValueRequest:
    with transaction():
        customer_id = ValueRequest.objects.values_list("customer_id", flat=True).get(pk=waiting_id)
        customer, holds = _lock(customer_id=customer_id)
        waiting = ValueRequest.objects.select_for_update(of=("self",)).get(pk=waiting_id)
        requests.decide(request=waiting, event=event, actor=actor, reason=reason, at=at)
        audit.record(
            actor=actor, action=f"customer.grant_{event}", subject=f"customer:{customer_id}",
            number=waiting.number, requested_by=waiting.requested_by, reason=reason,
        )  # fmt: skip
        if event == Event.APPROVED:
            command = GrantCommand(
                grant_no=waiting.number, kind=Kind(waiting.kind), direction=Direction(waiting.direction),
                amount_fen=waiting.amount_fen, reason=waiting.reason,
            )  # fmt: skip
            _check_there(command=command, holds=holds)
            _give(customer=customer, command=command, actor=actor)
        return waiting


@transaction_required
def _lock(*, customer_id: int) -> tuple[Customer, dict[Kind, int]]:
    """Lock what the customer has, and return both."""
    customer = Customer.objects.select_related("client").get(pk=customer_id)
    _id, holds = grants.lock(client_id=customer.client_id, user_id=customer.user_id)
    return customer, holds


def _known(*, customer: Customer, command: GrantCommand) -> ValueRequest | None:
    """Return what the number stands for already."""
    known = ValueRequest.objects.filter(number=command.grant_no).first()
    if known is None:
        return None
    asked = (customer.pk, command.kind, command.direction, command.amount_fen)
    if (known.customer_id, known.kind, known.direction, known.amount_fen) != asked:
        raise requests.NumberReused
    return known


def _check_there(*, command: GrantCommand, holds: dict[Kind, int]) -> None:
    if command.direction == Direction.OUT and command.amount_fen > holds[command.kind]:
        raise TooLittleThere(field="amount", has=f"¥{yuan_text(holds[command.kind])}")


def _needs_approval(*, customer: Customer, made: ValueRequest, at: datetime.datetime) -> bool:
    limit_fen = customer.client.grant_approval_above_fen
    if limit_fen is None:
        return False
    alone = ValueRequest.objects.filter(
        customer=customer, kind=made.kind, direction=made.direction, status=Status.DONE, decided_by="",
        requested_at__gt=at - COUNTS_FOR,
    )  # fmt: skip
    alone_fen: int = alone.aggregate(fen=Sum("amount_fen", default=0))["fen"]
    return alone_fen + made.amount_fen > limit_fen


@transaction_required
def _give(*, customer: Customer, command: GrantCommand, actor: str) -> None:
    grants.give(client_id=customer.client_id, user_id=customer.user_id, command=command, actor=actor)
