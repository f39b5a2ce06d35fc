from collections.abc import Iterable

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import display

from payments.admin import masking
from payments.admin.base import ReadOnlyAdmin
from payments.admin.days import WrittenDayFilter
from payments.inbox.models import Verdict
from payments.models import GatewayAccount, InboundNotification

BODY_SHOWN_MAX = 4_096
COLOURS = {
    Verdict.ACCEPTED.value: "success",
    Verdict.REPEAT.value: "info",
    Verdict.WRONG_AMOUNT.value: "danger",
    Verdict.UNKNOWN_NUMBER.value: "danger",
    Verdict.MALFORMED.value: "warning",
    Verdict.BAD_SIGNATURE.value: "warning",
    Verdict.WRONG_MERCHANT.value: "warning",
}


@admin.register(InboundNotification)
class InboundNotificationAdmin(ReadOnlyAdmin):
    client_path = "charge__order__client"
    masked = {"headers": masking.all_of, "text": masking.all_of, "remote_address": masking.all_of}
    list_display = ("received_at", "gateway", "shown_verdict", "notification_id", "charge", "processed_at")
    list_filter = (("verdict", ChoicesRadioFilter), ("received_at", WrittenDayFilter))
    list_select_related = ("charge",)
    search_fields = ("charge__number", "charge__order__number")
    search_help_text = _("Number of the charge or its order, or the notification's own")
    readonly_fields = ("text",)
    fieldsets = (
        (
            None,
            {"fields": (("gateway", "gateway_account"), ("verdict", "detail"), ("notification_id", "charge"))},
        ),
        (_("Times"), {"fields": (("received_at", "processed_at"),)}),
        (_("As it came"), {"fields": ("remote_address", "headers", "text")}),
    )

    def find(self, term: str) -> Iterable[QuerySet[InboundNotification]]:
        yield from super().find(term)
        accounts = list(GatewayAccount.objects.values_list("pk", flat=True))
        yield InboundNotification.objects.filter(
            verdict=Verdict.ACCEPTED, gateway_account__in=accounts, notification_id=term
        )

    @display(description=_("verdict"), label=COLOURS)  # type: ignore[untyped-decorator]
    def shown_verdict(self, notification: InboundNotification) -> tuple[str, str]:
        return notification.verdict, notification.get_verdict_display()

    @admin.display(description=_("body"))
    def text(self, notification: InboundNotification) -> SafeString:
        """What a stranger sent: escaped, and no more of it than fits a page."""
        body = bytes(notification.body)
        more = _("… %(bytes)d bytes in all") % {"bytes": len(body)} if len(body) > BODY_SHOWN_MAX else ""
        shown = body[:BODY_SHOWN_MAX].decode(errors="replace")
        return format_html('<pre style="white-space: pre-wrap; overflow-wrap: anywhere">{}{}</pre>', shown, more)
