"""Two lists of refunds that people see to: those that wait for a second person, and those that a gateway holds up."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments import four_eyes
from payments.admin import refund_plans
from payments.admin.base import actor_of
from payments.admin.refund_deeds import WHAT_TO_DO, waits_for
from payments.admin.timeline_words import actor_words
from payments.models import Refund, RefundLeg
from payments.money import yuan_text
from payments.refunds import queries
from payments.refunds.states import Status

SHOWN_MAX = 100  # the oldest; the others come up as these are dealt with


def to_approve(request: HttpRequest, *, rows: Any, context: dict[str, Any]) -> HttpResponse:
    """Who asked for what, since when, and what would go back where. Whoever asked for it cannot decide on it."""
    waiting = refund_plans.with_legs(rows.filter(status=Status.TO_APPROVE)).order_by("pk")
    shown, more = _first(waiting)
    me, now = actor_of(request), timezone.now()
    context |= {
        "title": _("Refunds to approve"),
        "more": more,
        "waiting": [
            {
                "refund": refund, "amount": yuan_text(refund.amount_fen), "where": refund_plans.where_of(refund),
                "since": waits_for(refund, at=now), "who": actor_words(refund.requested_by),
                "is_mine": refund.requested_by == me,
            }
            for refund in shown
        ],
        "may_decide": request.user.has_perm("payments.approve_refund"),
        "why_not": four_eyes.SamePerson.message,
    }  # fmt: skip
    return TemplateResponse(request, "back_office/refunds_to_approve.html", context)


def held_up(request: HttpRequest, *, rows: Any, context: dict[str, Any]) -> HttpResponse:
    """What the gateway says, and what to do about it."""
    stuck, more_stuck = _first(_of(queries.stuck(), rows))
    overdue, more_overdue = _first(_of(queries.overdue(at=timezone.now()), rows))
    context |= {
        "title": _("Refunds held up at a gateway"),
        "more": more_stuck or more_overdue,
        "held_up": [
            {"leg": leg, "amount": yuan_text(leg.amount_fen), "what_to_do": WHAT_TO_DO[leg.status]}
            for leg in (*stuck, *overdue)
        ],
        "may_ask": request.user.has_perm("payments.query_gateway"),
    }
    return TemplateResponse(request, "back_office/refunds_held_up.html", context)


def _of(legs: Any, refunds_seen: Any) -> Any:
    return legs.filter(refund__in=refunds_seen.order_by().values("pk")).select_related(
        "refund__order", "charge__gateway_account"
    )  # fmt: skip


def _first(rows: Any) -> tuple[list[Any], bool]:
    found: list[Refund | RefundLeg] = list(rows[: SHOWN_MAX + 1])
    return found[:SHOWN_MAX], len(found) > SHOWN_MAX
