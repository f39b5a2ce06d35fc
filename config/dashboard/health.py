"""Whether gateways answer and jobs run: for those who may see gateway accounts, jobs if they see every client's."""

import dataclasses
import datetime
import enum
from typing import Any

from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config import jobs
from config.dashboard.shown import ago, count, count_text, rows_seen_by, share
from payments.days import SHANGHAI
from payments.gateways import calls
from payments.gateways.calls import End, Recent
from payments.models import Charge, GatewayAccount
from payments.staff.queries import clients_of

ACCOUNTS_MAX = 20
# Per cent of the last calls that were not answered.
AILING_FROM, SILENT_FROM = 10, 50
GRACE = datetime.timedelta(minutes=1)  # a worker has other work too


class Health(enum.StrEnum):
    GOOD = "good"
    IDLE = "idle"
    AILING = "ailing"
    SILENT = "silent"
    OVERDUE = "overdue"
    NEVER = "never"
    UNKNOWN = "unknown"

    @property
    def label(self) -> Any:
        return LABELS[self]


LABELS = {
    Health.GOOD: gettext_lazy("well"),
    Health.IDLE: gettext_lazy("no calls lately"),
    Health.AILING: gettext_lazy("answers in part"),
    Health.SILENT: gettext_lazy("does not answer"),
    Health.OVERDUE: gettext_lazy("overdue"),
    Health.NEVER: gettext_lazy("has not run yet"),
    Health.UNKNOWN: gettext_lazy("not known"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calls:
    made: str
    unanswered: int  # per cent
    refused: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gateway:
    name: str
    link: str
    health: Health
    answered: str
    hour: Calls | None
    day: Calls | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gateways:
    rows: list[Gateway]
    since: str  # when the last full hour began


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    title: Any
    health: Health
    ran: str
    due: str  # '' where it has no rows
    waits: bool


def gateways_seen_by(request: HttpRequest, *, at: datetime.datetime) -> Gateways | None:
    """Return each active account's health, by one question to the database and one to the cache."""
    accounts = rows_seen_by(request, GatewayAccount)
    if accounts is None:
        return None
    paid = Charge.objects.filter(gateway_account=OuterRef("pk"), paid_at__isnull=False).order_by("-paid_at")
    active = accounts.filter(is_active=True).order_by("pk").annotate(paid_at=Subquery(paid.values("paid_at")[:1]))
    rows = list(active[:ACCOUNTS_MAX])
    recent = calls.recent([row.pk for row in rows], at=at)
    before = at.astimezone(SHANGHAI) - datetime.timedelta(hours=1)
    return Gateways(rows=[_gateway(row, recent, at=at) for row in rows], since=f"{before:%H}:00")


def _gateway(account: Any, recent: dict[int, Recent] | None, *, at: datetime.datetime) -> Gateway:
    of_account = recent[account.pk] if recent is not None else None
    answered = max(filter(None, [account.paid_at, of_account and of_account.answered_at]), default=None)
    return Gateway(
        name=str(account),
        link=reverse("admin:payments_gatewayaccount_change", args=[account.pk]),
        health=_health(of_account.hour) if of_account else Health.UNKNOWN,
        answered=ago(answered, at=at) if answered else _("never"),
        hour=_calls(of_account.hour) if of_account else None,
        day=_calls(of_account.day) if of_account else None,
    )


def _health(ends: Any) -> Health:
    made = ends.total()
    if not made:
        return Health.IDLE
    unanswered = share(ends[End.UNKNOWN], made)
    if unanswered >= SILENT_FROM:
        return Health.SILENT
    return Health.AILING if unanswered >= AILING_FROM else Health.GOOD


def _calls(ends: Any) -> Calls:
    made = ends.total()
    return Calls(made=f"{made:,}", unanswered=share(ends[End.UNKNOWN], made), refused=share(ends[End.REFUSED], made))


def jobs_seen_by(request: HttpRequest, *, at: datetime.datetime) -> list[Job] | None:
    """Return how each job of the schedule is, those in trouble first."""
    if rows_seen_by(request, GatewayAccount) is None or clients_of(request.user) is not None:
        return None
    runs, due = jobs.last_runs(), jobs.due(at=at)
    found = []
    for task, every in jobs.schedules().items():
        ran = runs.get(task) if runs is not None else None
        if runs is None:
            health = Health.UNKNOWN
        elif ran is None:
            health = Health.NEVER
        else:
            health = Health.OVERDUE if at - ran > 2 * every + GRACE else Health.GOOD
        waiting = count(due[task]) if task in due else None
        found.append(
            Job(
                title=jobs.TITLES.get(task, task),
                health=health,
                ran=ago(ran, at=at) if ran else "",
                due="" if waiting is None else count_text(waiting),
                waits=bool(waiting),
            )
        )
    return sorted(found, key=lambda job: job.health is not Health.OVERDUE)
