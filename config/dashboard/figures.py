"""What today brought, against days before it, and the last thirty days: read from what was added up, never counted."""

import dataclasses
import datetime
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db.models import Max, Sum
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from config.dashboard.shown import change, count, count_text, listing, plain, rows_seen_by, share, whole_yuan, yuan
from payments.admin.labels import family_words
from payments.charges.models import Tender
from payments.days import SHANGHAI, day_of
from payments.models import DayFigure, Order
from payments.money import yuan_text
from payments.orders.operations import CLOSABLE

DAYS = 30
LATE_AFTER = datetime.timedelta(minutes=10)
SUMS = ("orders_made", "orders_paid", "received_fen", "payments", "released_fen", "refunded_fen", "refunds")
BRAND, PALE, AMBER, GREY = "#3182f6", "#8ec6ff", "#f2a33a", "#7d8694"
# What Chart.js is told; unfold colours the grid by its theme.
CHART_OPTIONS = {
    "animation": False,
    "responsive": True,
    "maintainAspectRatio": False,
    "interaction": {"mode": "index", "intersect": False},
    "plugins": {"legend": {"display": False}},
    "datasets": {
        "bar": {"maxBarThickness": 10, "borderRadius": 2},
        "line": {"tension": 0.3, "borderWidth": 2, "pointStyle": False},
    },
    "scales": {
        "x": {
            "grid": {"display": False}, "border": {"display": False},
            "ticks": {"color": GREY, "maxTicksLimit": 6, "maxRotation": 0},
        },
        "y": {
            "grid": {}, "border": {"display": False}, "beginAtZero": True, "suggestedMax": 10,
            "ticks": {"color": GREY, "maxTicksLimit": 5, "precision": 0},
        },
    },
}  # fmt: skip

Sums = Counter[str]  # by the names in SUMS


def received_fen(sums: Sums) -> int:
    """What came in and was not given back because its order closed."""
    return sums["received_fen"] - sums["released_fen"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Before:
    """A day to compare with."""

    label: str
    value: str
    change: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    title: str
    value: str
    before: list[Before] = dataclasses.field(default_factory=list)
    note: str = ""
    link: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """What one family or tender has of the day."""

    name: str
    number: str  # orders made, or payments
    received: str
    refunded: str
    share: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figures:
    """The last days as one person may see them. A day that was never added up is missing, not zero."""

    at: datetime.datetime
    computed: dict[datetime.date, datetime.datetime]
    by_day: dict[datetime.date, Sums]
    by_family: dict[str, Sums]  # of today
    by_tender: dict[str, Sums]
    waiting: Card | None

    @property
    def today(self) -> datetime.date:
        return day_of(self.at)

    @property
    def as_of(self) -> str:
        """The time today was added up, on Shanghai's clock; '' where it was not yet."""
        computed_at = self.computed.get(self.today)
        return computed_at.astimezone(SHANGHAI).strftime("%H:%M") if computed_at else ""

    @property
    def is_late(self) -> bool:
        """Nobody has added up for a while: the worker, beat or Redis is gone."""
        return not self.computed or self.at - max(self.computed.values()) > LATE_AFTER

    @property
    def last(self) -> str:
        """When somebody last did; '' where nobody ever has."""
        if not self.computed:
            return ""
        return date_format(max(self.computed.values()).astimezone(SHANGHAI), "DATETIME_FORMAT")

    def cards(self) -> list[Card]:
        cards = [
            self._card(_("Received"), received_fen, yuan, whole_yuan),
            self._card(_("Refunded"), lambda sums: sums["refunded_fen"], yuan, whole_yuan),
            self._card(_("Orders made"), lambda sums: sums["orders_made"], plain, plain),
            self._card(_("Orders paid"), lambda sums: sums["orders_paid"], plain, plain),
        ]
        return [*cards, self.waiting] if self.waiting else cards

    def _card(
        self, title: str, of: Callable[[Sums], int], shown: Callable[[int], str], before_shown: Callable[[int], str]
    ) -> Card:
        if self.today not in self.computed:
            return Card(title=title, value="–")
        now = of(self.by_day[self.today])
        before = []
        for label, days in ((_("Yesterday"), 1), (_("A week ago"), 7)):
            day = self.today - datetime.timedelta(days=days)
            known, then = day in self.computed, of(self.by_day[day])
            before.append(
                Before(
                    label=label, value=before_shown(then) if known else "–", change=change(now, then) if known else ""
                )
            )
        return Card(title=title, value=shown(now), before=before)

    def families(self) -> list[Part]:
        names = {family: family_words(family) for family in settings.ORDER_FAMILIES}
        return _parts(self.by_family, names, number="orders_made")

    def tenders(self) -> list[Part]:
        return _parts(self.by_tender, dict(Tender.choices), number="payments")

    @cached_property
    def days(self) -> list[datetime.date]:
        return [self.today - datetime.timedelta(days=n) for n in range(DAYS - 1, -1, -1)]

    def table(self) -> list[tuple[Any, ...]]:
        """Return day, received, refunded, orders made and paid: what the charts show, the newest first."""
        return [
            (
                day,
                yuan(received_fen(self.by_day[day])),
                yuan(self.by_day[day]["refunded_fen"]),
                plain(self.by_day[day]["orders_made"]),
                plain(self.by_day[day]["orders_paid"]),
            )
            for day in reversed(self.days)
            if day in self.computed
        ]

    @property
    def chart_options(self) -> str:
        return json.dumps(CHART_OPTIONS)

    def money_chart(self) -> str:
        received = self._series(lambda sums: yuan_text(received_fen(sums)))
        refunded = self._series(lambda sums: yuan_text(sums["refunded_fen"]))
        return self._chart(
            {"label": _("Received"), "data": received, "backgroundColor": BRAND},
            {"label": _("Refunded"), "data": refunded, "backgroundColor": AMBER},
        )

    def orders_chart(self) -> str:
        made = self._series(lambda sums: sums["orders_made"])
        paid = self._series(lambda sums: sums["orders_paid"])
        return self._chart(
            {"label": _("Orders made"), "data": made, "borderColor": PALE, "backgroundColor": PALE},
            {"label": _("Orders paid"), "data": paid, "borderColor": BRAND, "backgroundColor": BRAND},
        )

    def _series(self, of: Callable[[Sums], Any]) -> list[Any]:
        return [of(self.by_day[day]) if day in self.computed else None for day in self.days]

    def _chart(self, *datasets: dict[str, Any]) -> str:
        return json.dumps({"labels": [f"{day:%m-%d}" for day in self.days], "datasets": datasets})


def seen_by(request: HttpRequest, *, at: datetime.datetime) -> Figures | None:
    """Return the figures of the clients that are this person's, by two questions and one for what waits."""
    rows = rows_seen_by(request, DayFigure)
    if rows is None:
        return None
    today = day_of(at)
    lately = {"day__gt": today - datetime.timedelta(days=DAYS), "day__lte": today}
    by_day: dict[datetime.date, Sums] = defaultdict(Counter)
    by_family: dict[str, Sums] = defaultdict(Counter)
    by_tender: dict[str, Sums] = defaultdict(Counter)
    grouped = rows.filter(**lately).order_by().values_list("day", "family", "tender")
    for day, family, tender, *values in grouped.annotate(*[Sum(name) for name in SUMS]):
        sums = Counter(dict(zip(SUMS, values, strict=True)))
        by_day[day].update(sums)
        if day == today:
            by_family[family].update(sums)
            if tender:
                by_tender[tender].update(sums)
    # Whether a day was added up is a fact of the house: a client of this person's may be younger than the day.
    computed = DayFigure.objects.filter(**lately).order_by().values_list("day").annotate(Max("computed_at"))
    return Figures(
        at=at, computed=dict(computed), by_day=by_day, by_family=by_family, by_tender=by_tender,
        waiting=_waiting(request),
    )  # fmt: skip


def _waiting(request: HttpRequest) -> Card | None:
    orders = rows_seen_by(request, Order)
    if orders is None:
        return None
    number = count(orders.filter(status__in=CLOSABLE))
    return Card(
        title=_("Waiting for payment"),
        value=count_text(number),
        note=_("now, of any day"),
        link=listing(Order, f"status__in={','.join(CLOSABLE)}"),
    )


def _parts(parts: dict[str, Sums], names: dict[str, Any], *, number: str) -> list[Part]:
    """Return what there is to say of each, whoever received most first; those that had nothing are left out."""
    busy = {key: sums for key, sums in parts.items() if any(sums.values())}
    whole_fen = sum(received_fen(sums) for sums in busy.values())
    return [
        Part(
            name=str(names.get(key, key)),
            number=plain(sums[number]),
            received=yuan(received_fen(sums)),
            refunded=yuan(sums["refunded_fen"]),
            share=share(received_fen(sums), whole_fen),
        )
        for key, sums in sorted(busy.items(), key=lambda item: (-received_fen(item[1]), item[0]))
    ]
