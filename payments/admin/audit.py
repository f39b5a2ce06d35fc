from collections.abc import Iterable

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from payments.admin.base import ReadOnlyAdmin
from payments.admin.days import WrittenDayFilter
from payments.models import AuditRow


@admin.register(AuditRow)
class AuditRowAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "action", "subject", "request_id")
    list_filter = (("at", WrittenDayFilter),)
    search_fields = ("subject",)
    search_help_text = _("An order number, or a subject such as customer:17")

    def find(self, term: str) -> Iterable[QuerySet[AuditRow]]:
        return [AuditRow.objects.filter(subject__in=[term, f"order:{term}"])]
