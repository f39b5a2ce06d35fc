"""What clients were told, how it went, and where it goes. Staff may have it sent again, and unpark a receiver."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesRadioFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from payments.admin import masking
from payments.admin.base import (
    AuditedAdmin,
    DayFilter,
    ReadOnlyAdmin,
    ReadOnlyInline,
    ReasonedActionForm,
    actor_of,
    linked,
)
from payments.admin.sight import client_filter
from payments.models import DeliveryAttempt, OutboxEvent, WebhookDelivery, WebhookEndpoint
from payments.outbox import operations
from payments.outbox.models import DeliveryStatus, EventKind

SENT_AGAIN_MAX = 200  # by one click
COLOURS = {
    DeliveryStatus.DUE.value: "warning",
    DeliveryStatus.DELIVERED.value: "success",
    DeliveryStatus.FAILED.value: "danger",
    DeliveryStatus.PARKED.value: "danger",
}


class SendingAgainAdmin(ReadOnlyAdmin):
    """A list from which rows can be sent again, by whoever may."""

    client_path = "client"

    action_form = ReasonedActionForm
    list_disable_select_all = True
    actions = ("send_again",)

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.redeliver_webhookdelivery")

    def what(self, row: Any) -> dict[str, Any]:
        """Return what `operations.redeliver` is to send of a row."""
        raise NotImplementedError

    @admin.action(description=_("Send again (give a reason)"), permissions=["redeliver"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        reason = request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(request, _("Give a reason: it goes into the audit rows."), messages.ERROR)
            return
        rows = list(queryset[:SENT_AGAIN_MAX])
        for row in rows:
            operations.redeliver(**self.what(row), actor=actor_of(request), at=timezone.now(), reason=reason)
        text = ngettext("%d is on its way again.", "%d are on their way again.", len(rows)) % len(rows)
        parked = _("To a parked endpoint nothing is sent: unpark it first.")
        self.message_user(request, f"{text} {parked}")


class DeliveryInline(ReadOnlyInline):
    model = WebhookDelivery
    fields = readonly_fields = (
        linked("pk", "#"), "endpoint", "status", "attempts", "due_at", "last_status", "last_error", "delivered_at",
    )  # fmt: skip


@admin.register(OutboxEvent)
class OutboxEventAdmin(SendingAgainAdmin):
    masked = {"body": masking.all_of}
    list_display = ("uid", "kind", "order", "version", "client", "created_at", "dispatched_at")
    list_filter = (("created_at", DayFilter), ("kind", ChoicesRadioFilter), client_filter("client"))
    days = "created_at"
    list_select_related = ("order", "client")
    search_fields = ("uid", "order__number")
    search_help_text = _("Event id, or the order's number")
    inlines = (DeliveryInline,)
    fieldsets = (
        (None, {"fields": (("uid", "kind"), ("order", "version"), "client")}),
        (_("Times"), {"fields": (("created_at", "dispatched_at"),)}),
        (_("As it is sent"), {"fields": ("body",)}),
    )

    def what(self, row: OutboxEvent) -> dict[str, Any]:
        return {"uid": row.uid}


class AttemptInline(ReadOnlyInline):
    model = DeliveryAttempt
    fields = readonly_fields = ("at", "url", "elapsed_ms", "http_status", "error", "answer")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(SendingAgainAdmin):
    list_display = (
        "event", "kind", "shown_status", "attempts", "due_at", "last_status", "last_error", "endpoint", "client",
    )  # fmt: skip
    list_filter = (("status", ChoicesRadioFilter), client_filter("client"))
    list_select_related = ("event", "endpoint", "client")
    search_fields = ("event__uid", "event__order__number")
    search_help_text = _("Event id, or the order's number")
    inlines = (AttemptInline,)
    readonly_fields = ("target", "why")
    fieldsets = (
        (None, {"fields": (("event", "client"), ("status", "attempts"), "endpoint", "target", "why")}),
        (_("Last attempt"), {"fields": (("last_status", "last_error"),)}),
        (_("Times"), {"fields": (("created_at", "due_at"), ("delivered_at", "leased_until"))}),
    )

    def what(self, row: WebhookDelivery) -> dict[str, Any]:
        return {"uid": row.event.uid, "endpoint_id": row.endpoint_id}

    @admin.display(description=_("kind"))
    def kind(self, delivery: WebhookDelivery) -> str:
        return delivery.event.get_kind_display()

    @admin.display(description=_("address"))
    def target(self, delivery: WebhookDelivery) -> str:
        return delivery.target

    @admin.display(description=_("why it is parked"))
    def why(self, delivery: WebhookDelivery) -> str | None:
        return delivery.endpoint.parked_reason or None

    @display(description=_("status"), label=COLOURS)  # type: ignore[untyped-decorator]
    def shown_status(self, delivery: WebhookDelivery) -> tuple[str, str]:
        return delivery.status, delivery.get_status_display()


class WebhookEndpointForm(forms.ModelForm):  # type: ignore[type-arg]
    kinds = forms.MultipleChoiceField(
        label=_("Events it wants"),
        help_text=_("Empty: all."),
        choices=EventKind.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(AuditedAdmin):
    client_path = "client"
    subject = "webhook_endpoint"
    form = WebhookEndpointForm
    list_display = (
        "url", "client", "is_from_orders", "is_active", "failures_in_a_row", "parked_at", "parked_reason",
        "last_success_at",
    )  # fmt: skip
    list_filter = (("is_active", BooleanRadioFilter), ("parked_at", admin.EmptyFieldListFilter))
    list_select_related = ("client",)
    search_fields = ("url",)
    search_help_text = _("The address, whole")
    actions = ("unpark",)
    action_form = ReasonedActionForm
    list_disable_select_all = True
    readonly_fields = (
        "is_from_orders", "failures_in_a_row", "paused_until", "parked_at", "parked_reason", "last_success_at",
        "created_at",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": (("client", "is_active"), "url", "kinds", "description")}),
        (_("How it goes"), {"fields": (("failures_in_a_row", "paused_until"), ("parked_at", "parked_reason"))}),
        (_("Stored"), {"fields": (("is_from_orders", "last_success_at", "created_at"),)}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> tuple[str, ...]:
        """An endpoint keeps its client; one from orders is their origin."""
        kept = ("client", "url") if obj and obj.is_from_orders else ("client",) if obj else ()
        return (*self.readonly_fields, *kept)

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:  # noqa: FBT001
        """What sending writes meanwhile is kept: it is read anew under the row's lock."""
        if change:
            now = WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True).get(pk=obj.pk)
            for name in self.readonly_fields:
                setattr(obj, name, getattr(now, name))
        super().save_model(request, obj, form, change)

    def has_unpark_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.unpark_webhookendpoint")

    @admin.action(description=_("Unpark (give a reason)"), permissions=["unpark"])
    def unpark(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        reason = request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(request, _("Give a reason: it goes into the audit rows."), messages.ERROR)
            return
        due = sum(
            operations.unpark(
                endpoint_id=endpoint.pk, actor=actor_of(request), reason=reason, at=timezone.now(),
            )
            for endpoint in queryset[:SENT_AGAIN_MAX]
        )  # fmt: skip
        self.message_user(request, ngettext("%d delivery is due again.", "%d deliveries are due again.", due) % due)
