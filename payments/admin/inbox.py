from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import display

from payments.admin import masking
from payments.admin.base import DayFilter, DecidingAdmin
from payments.admin.form_pages import FormPage, FormPagesAdmin, ReasonForm
from payments.admin.sight import client_filter
from payments.inbox import replaying
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


class ReplayForm(ReasonForm):
    explanation = _(
        "One that was refused is verified anew, by the keys that the gateway account has today. One that is accepted "
        "is processed again: what is booked already is not booked twice."
    )

    def state(self) -> str:
        return str(self.row.verdict)

    def facts(self) -> list[tuple[Any, Any]]:
        row: InboundNotification = self.row
        return [
            (_("Verdict"), row.get_verdict_display()),
            (_("Detail"), row.detail or "-"),
            (_("Charge"), f"{row.charge} · {row.charge.get_status_display()}" if row.charge else "-"),
        ]

    def carry_out(self, *, actor: str) -> str:
        return told(
            replaying.replay(
                notification_id=self.row.pk, actor=actor, reason=self.cleaned_data["reason"], at=timezone.now(),
            )
        )  # fmt: skip


def told(found: replaying.Replayed) -> str:
    """Say what came of a replay."""
    verdict = found.after.label if found.before == found.after else f"{found.before.label} → {found.after.label}"
    said = _("%(verdict)s.") % {"verdict": verdict}
    if found.charge_before is None or found.charge_after is None:
        return f"{said} {_('Nothing was moved by it.')}"
    asked = f" {_('The gateway was asked instead.')}" if found.is_asked else ""
    if found.charge_before == found.charge_after:
        as_before = _("Charge %(number)s stays as it is: %(status)s.")
        return f"{said}{asked} {as_before % {'number': found.charge, 'status': found.charge_after.label}}"
    return f"{said}{asked} {found.charge}: {found.charge_before.label} → {found.charge_after.label}."


@admin.register(InboundNotification)
class InboundNotificationAdmin(FormPagesAdmin, DecidingAdmin):
    client_path = "charge__order__client"
    masked = {
        "headers": masking.all_of, "text": masking.all_of, "remote_address": masking.all_of,
        "body": masking.all_of,  # shown by `text`
    }  # fmt: skip
    list_display = ("received_at", "gateway", "shown_verdict", "notification_id", "charge", "processed_at")
    list_filter = (("received_at", DayFilter), ("verdict", ChoicesRadioFilter), client_filter("charge__order__client"))
    days = "received_at"
    days_by_id = True
    list_select_related = ("charge",)
    search_fields = ("charge__number", "charge__order__number")
    search_help_text = _("Number of the charge or its order, or the notification's own")
    actions = ("replay",)
    form_pages = (
        FormPage(
            name="replay", title=_("Process again"), button=_("Process again"), form=ReplayForm,
            permission="payments.replay_inboundnotification",
        ),
    )  # fmt: skip
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

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.replay_inboundnotification")

    @admin.action(description=_("Process again (give a reason)"), permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[InboundNotification]) -> None:
        def again(row: InboundNotification, **why: Any) -> None:
            replaying.replay(notification_id=row.pk, **why)

        self.decide(
            request, queryset, again,
            lambda count: ngettext("%d processed again.", "%d processed again.", count) % count,
        )  # fmt: skip

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
