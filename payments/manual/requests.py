"""What requests of staff have in common: a number, a reason, and somebody who decides."""

import datetime

from django.utils.translation import gettext_lazy as _

from payments import four_eyes
from payments.errors import Conflict, Malformed
from payments.manual.models import NUMBER_LENGTH_MAX, REASON_LENGTH_MAX, Request
from payments.manual.states import Event, Status, next_status
from payments.transactions import transaction_required


class NumberReused(Conflict):
    """The same number with other contents."""

    code = "request_no_reused"
    message = _("This form was sent before, filled in otherwise. See what came of that, and begin anew if need be.")


def check(*, number: str, reason: str) -> None:
    """:raises Malformed: if no column holds them, or there is no reason"""
    if not 0 < len(number) <= NUMBER_LENGTH_MAX or not number.isascii() or not number.isprintable():
        raise Malformed(_("Send 1 to %(limit)s letters and digits."), field="number", limit=NUMBER_LENGTH_MAX)
    check_reason(reason=reason)


def check_reason(*, reason: str) -> None:
    """:raises Malformed: if there is none, or no column holds it"""
    if not reason.strip():
        raise Malformed(_("Give a reason: it goes into the audit rows."), field="reason")
    if len(reason) > REASON_LENGTH_MAX or not reason.isprintable():
        raise Malformed(_("Send at most %(limit)s characters, in one line."), field="reason", limit=REASON_LENGTH_MAX)


def check_decidable(*, request: Request, actor: str) -> None:
    """See `four_eyes.check_decidable` for the errors."""
    four_eyes.check_decidable(
        waits=request.status == Status.TO_APPROVE, requested_by=request.requested_by, actor=actor
    )  # fmt: skip


@transaction_required
def decide(*, request: Request, event: Event, actor: str, reason: str, at: datetime.datetime) -> None:
    """Record what somebody else decided on a locked request. See `check_decidable` for the errors."""
    check_reason(reason=reason)
    check_decidable(request=request, actor=actor)
    request.status = next_status(status=request.status, event=event)
    request.decided_by, request.decided_at, request.decision = actor, at, reason
    request.save(update_fields=["status", "decided_by", "decided_at", "decision"])
