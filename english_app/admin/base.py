"""What the pages of the English app share."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from english_app.models import Good, OrderLine, PeriodUnit
from english_app.operations import FAMILY
from payments.admin.base import FieldwiseAdmin
from payments.admin.sight import within_sight
from payments.models import ApiClient


@admin.display(description=_("lasts"))
def lasts(sold: Good | OrderLine) -> str | None:
    """How long one piece makes its customer a member: a column, of what is sold or was sold."""
    if sold.period_unit == PeriodUnit.DAY:
        return ngettext("%d day", "%d days", sold.periods) % sold.periods
    if sold.period_unit == PeriodUnit.MONTH:
        return ngettext("%d month", "%d months", sold.periods) % sold.periods
    return None


class OfClientAdmin(FieldwiseAdmin):
    """For what belongs to a client of the English app, and stays that client's: its app knows it by its id."""

    client_path = "client"

    list_select_related = ("client",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "client") if obj else self.readonly_fields

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "client":
            kwargs["queryset"] = within_sight(request, ApiClient).filter(families__contains=[FAMILY])
        return super().formfield_for_foreignkey(db_field, request, **kwargs)
