from collections.abc import Iterable

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from payments.admin.base import DayFilter, ReadOnlyAdmin
from payments.admin.filters import text_filter
from payments.models import AuditRow


@admin.register(AuditRow)
class AuditRowAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "action", "subject", "request_id")
    list_filter = (
        ("at", DayFilter), ("actor", text_filter("user:lin")), ("action", text_filter("refund.approve")),
    )  # fmt: skip
    days = "at"
    days_by_id = True
    export_fields = {
        "at": _("at"), "actor": _("actor"), "action": _("action"), "subject": _("subject"),
        "request_id": _("request id"), "detail": _("detail"),
    }  # fmt: skip
    search_fields = ("subject",)
    search_help_text = _("An order number, or a subject such as customer:17")

    def find(self, term: str) -> Iterable[QuerySet[AuditRow]]:
        return [AuditRow.objects.filter(subject__in=[term, f"order:{term}"])]
