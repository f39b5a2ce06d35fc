"""How the first page writes numbers, and whose rows it takes them from."""

import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from payments.admin.sight import within_sight
from payments.money import yuan_text

COUNT_MAX = 1_000
CHANGE_MAX = 999  # per cent: beyond it the number says nothing more


def rows_seen_by(request: HttpRequest, model: type[Model]) -> QuerySet[Any] | None:
    """Return the rows that this person's own pages show, or None where they may not look at such rows at all."""
    return within_sight(request, model) if admin.site.get_model_admin(model).has_view_permission(request) else None


def count(rows: QuerySet[Any]) -> int:
    """Return how many there are, COUNT_MAX at most: then there are at least so many."""
    return len(rows.order_by().values_list("pk")[:COUNT_MAX])


def plain(number: int) -> str:
    return f"{number:,}"


def count_text(number: int) -> str:
    return f"{COUNT_MAX:,}+" if number >= COUNT_MAX else plain(number)


def listing(model: type[Model], query: str = "") -> str:
    """Return where the list of such rows is, filtered."""
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")  # noqa: SLF001  documented
    return f"{path}?{query}" if query else path


def yuan(fen: int) -> str:
    whole, point, part = yuan_text(abs(fen)).partition(".")
    return f"{'−' if fen < 0 else ''}¥{int(whole):,}{point}{part}"


def whole_yuan(fen: int) -> str:
    """Return fen rounded to yuan: to compare with, where there is little room."""
    return yuan((fen + 50) // 100 * 100).removesuffix(".00")


def change(now: int, before: int) -> str:
    """Return by how many per cent `now` is more or less than `before`; '' where nothing can be compared."""
    if before <= 0:
        return ""
    more = now - before
    percent = min((200 * abs(more) + before) // (2 * before), CHANGE_MAX)
    sign = "±" if not percent else "+" if more > 0 else "−"
    return f"{'>' if percent == CHANGE_MAX else ''}{sign}{percent}%"


def share(part: int, whole: int) -> int:
    """Return the per cent that a part is of a whole, for a bar: 0 to 100."""
    return max(0, min(100, (200 * part + whole) // (2 * whole))) if whole > 0 else 0


def ago(since: datetime.datetime, *, at: datetime.datetime) -> str:
    if at - since < datetime.timedelta(minutes=1):
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(since, at, depth=1)}
