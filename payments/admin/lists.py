"""
What every list of the back-office has: rows fetched at once, one sentence where they take too long, and a way out.

Its way out is `export_fields`: what of a row may be taken out, under which heading. What the page hides is hidden there
too.
"""

import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

import structlog
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, ORDER_VAR, PAGE_VAR
from django.db import DataError, OperationalError, ProgrammingError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.views import ChangeList

from payments.admin import cells, days, filters
from payments.exports.tables import PERMISSION, Table
from payments.transactions import is_out_of_time

log = structlog.get_logger(__name__)

WITHOUT_ROWS = "_onetill_without_rows"  # on a request whose list asks the database for none
NOT_FILTERS = (ALL_VAR, ERROR_FLAG, ORDER_VAR, PAGE_VAR)


class Changes(ChangeList):  # type: ignore[misc]
    """Django's, that can be without rows, tells how costly filters were kept within bounds, and where to export."""

    def get_results(self, request: HttpRequest) -> None:
        self.sentence = next((one.sentence(request) for one in self._costly()), "")
        self.troubles = list(filters.troubles(self.filter_specs))
        self.export_address = _export_address(self, request)
        if not hasattr(request, WITHOUT_ROWS):
            super().get_results(request)
            return
        self.result_list = self.queryset.none()
        self.result_count, self.full_result_count, self.show_full_result_count = 0, None, False
        self.show_admin_actions, self.can_show_all, self.multi_page = False, True, False
        self.paginator = self.model_admin.get_paginator(request, self.result_list, self.list_per_page)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Days that an index answers are walked along it: in the order of ids, those of last year lie far off."""
        pages = self.model_admin
        if any(self._days(request)) and not pages.days_by_id:
            return [f"-{pages.days}", "-pk"]
        return list(super().get_ordering(request, queryset))

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        if not self.model_admin.days_by_id:
            return rows
        first, last = self._days(request)
        return days.bounded(
            rows, self.model_admin.days, start=filters.midnight(first) if first else None,
            end=filters.midnight(last + datetime.timedelta(days=1)) if last else None,
        )  # fmt: skip

    def _days(self, request: HttpRequest) -> tuple[datetime.date | None, datetime.date | None]:
        """Return the first and the last day that the list is narrowed to, as far as there are any."""
        path = self.model_admin.days
        if not path:
            return None, None
        return filters.days_looked_at(request, path) if self._costly() else filters.days_chosen(request, path)

    def apply_select_related(self, qs: QuerySet[Any]) -> QuerySet[Any]:
        found: QuerySet[Any] = super().apply_select_related(qs)
        return found.prefetch_related(*self.model_admin.list_prefetch)

    def in_words(self) -> str:
        """What the list is narrowed to, for people."""
        words = [_("search: %s") % self.query] if self.query else []
        words += filters.in_words(self.filter_specs, self)
        words += [f"{name} = {', '.join(map(str, values))}" for name, values in self._others()]
        return "; ".join([*map(str, words), *([self.sentence] if self.sentence else [])])

    def _costly(self) -> list[Any]:
        return [one for one in self.filter_specs if isinstance(one, filters.CostlyFilter) and one.is_chosen()]

    def _others(self) -> list[tuple[str, Any]]:
        """Conditions that stand in the address alone."""
        known = {name for one in self.filter_specs for name in one.expected_parameters()}
        return [(name, values) for name, values in self.get_filters_params().items() if name not in known]


class ListAdmin:
    days: ClassVar[str] = ""  # path to the time by which days are chosen, and that costly filters are kept within
    days_by_id: ClassVar[bool] = False  # found among the ids, where no index leads through the times
    list_prefetch: ClassVar[tuple[Any, ...]] = ()
    list_before_template = "back_office/list_head.html"
    export_fields: ClassVar[dict[str, Any]] = {}

    def get_changelist(self, request: HttpRequest, **_kwargs: Any) -> type[Changes]:
        return Changes

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """
        Fetch the rows at once, so that an address nobody can answer (a NUL, half a pattern) shows here.

        :raises IncorrectLookupParameters: Django then leads to the list without filters.
        """
        try:
            changes = super().get_changelist_instance(request)  # type: ignore[misc]
            len(changes.result_list)
        except OperationalError as error:
            if not is_out_of_time(error) or hasattr(request, WITHOUT_ROWS):
                raise
            messages.error(request, _("This takes too long to find. Choose fewer days or another filter."))
            setattr(request, WITHOUT_ROWS, True)
            return self.get_changelist_instance(request)
        except (DataError, ProgrammingError, ValueError, TypeError, LookupError, OverflowError) as error:
            if not request.GET:  # nobody asked for anything odd
                raise
            log.warning("list_question_not_answered", list=self.opts.label, error=type(error).__name__)  # type: ignore[attr-defined]
            raise IncorrectLookupParameters from error
        return changes

    def table(self, request: HttpRequest) -> Table:
        """Return what the list would show, all pages of it: `payments.exports` writes it into a file."""
        setattr(request, WITHOUT_ROWS, True)
        changes = self.get_changelist_instance(request)
        rows = changes.queryset.select_related(*cells.relations(self.export_fields)).order_by("-pk")
        return Table(
            rows=rows,
            labels=[str(label) for label in self.export_fields.values()],
            cells=cells.reader(self, request.user, self.export_fields),
            filters=changes.in_words(),
        )


def _export_address(changes: Changes, request: HttpRequest) -> str:
    """Return where this list can be exported as it is narrowed; nowhere for who may not."""
    if not changes.model_admin.export_fields or not request.user.has_perm(PERMISSION):
        return ""
    kept = [(name, value) for name, values in request.GET.lists() for value in values if name not in NOT_FILTERS]
    address = reverse("admin:payments_export_ask", args=[changes.opts.label_lower])
    return f"{address}?{urlencode([pair for pair in kept if pair[1]])}"
