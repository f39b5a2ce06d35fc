"""What waits for a second person beside refunds: payments confirmed by hand, points and balance by staff."""

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import display

from payments.admin import masking
from payments.admin.base import ASKED_BY, DECIDED_BY, DayFilter, DecidingAdmin, yuan
from payments.admin.charge_deeds import what_came_of_it
from payments.admin.form_pages import FormPage, FormPagesAdmin, ReasonForm
from payments.admin.masking import Mask
from payments.admin.timeline_words import actor_words
from payments.manual import confirmations, values
from payments.manual.states import Status
from payments.models import HandConfirmation, ValueRequest
from payments.money import yuan_text

COLOURS = {Status.TO_APPROVE.value: "warning", Status.DONE.value: "success", Status.REFUSED.value: ""}


class DecisionForm(ReasonForm):
    """A second person's word on a request."""

    deeds: ClassVar[Any] = confirmations  # the module whose `approve` and `refuse` it calls
    approves: ClassVar[bool] = True

    def state(self) -> str:
        return str(self.row.status)

    def facts(self) -> list[tuple[Any, Any]]:
        at = date_format(timezone.localtime(self.row.requested_at), "DATETIME_FORMAT")
        return [
            (_("Amount"), f"¥{yuan_text(self.row.amount_fen)}"),
            (_("Status"), self.row.get_status_display()),
            (_("Requested by"), f"{actor_words(self.row.requested_by)} · {at}"),
            (_("Reason"), self.row.reason),
        ]

    def carry_out(self, *, actor: str) -> str:
        decide = self.deeds.approve if self.approves else self.deeds.refuse
        decide(waiting_id=self.row.pk, actor=actor, reason=self.cleaned_data["reason"], at=timezone.now())
        return self.done() if self.approves else str(_("It is not approved: nothing has moved."))

    def done(self) -> str:
        raise NotImplementedError


class ConfirmationDecisionForm(DecisionForm):
    def facts(self) -> list[tuple[Any, Any]]:
        row: HandConfirmation = self.row
        paid = date_format(timezone.localtime(row.paid_at), "DATETIME_FORMAT")
        return [
            (_("Order"), row.charge.order.number),
            (_("Charge"), row.charge.number),
            *super().facts(),
            (_("Gateway's number"), row.trade_no),
            (_("Paid at"), paid),
            (_("What the gateway said"), _said(row)),
            (_("Evidence"), _link_to_evidence(row)),
        ]

    def done(self) -> str:
        return what_came_of_it(self.row.charge_id)


class ApproveConfirmationForm(ConfirmationDecisionForm):
    explanation = _(
        "Look at the evidence first. An attempt that is still open is closed at the gateway, so that nobody pays it "
        "twice; then the payment is booked as any other. If the money never came, reconciliation shows it as missing "
        "in the gateway's bill."
    )


class RefuseConfirmationForm(ConfirmationDecisionForm):
    approves = False


class ValueDecisionForm(DecisionForm):
    deeds: ClassVar[Any] = values

    def facts(self) -> list[tuple[Any, Any]]:
        row: ValueRequest = self.row
        return [
            (_("Customer"), f"{row.customer.user_id} · {row.customer.client}"),
            (_("What"), f"{row.get_kind_display()} · {row.get_direction_display()}"),
            *super().facts(),
        ]

    def done(self) -> str:
        return str(_("It is approved and booked."))


class RefuseValueForm(ValueDecisionForm):
    approves = False


def _waits(row: Any) -> bool:
    return bool(row.status == Status.TO_APPROVE)


def _pages(*, approve: type[DecisionForm], refuse: type[DecisionForm], permission: str) -> tuple[FormPage, ...]:
    return (
        FormPage(
            name="approve", title=_("Approve"), button=_("Approve"), form=approve, permission=permission, offered=_waits
        ),
        FormPage(
            name="refuse", title=_("Do not approve"), button=_("Do not approve"), form=refuse, permission=permission,
            offered=_waits,
        ),
    )  # fmt: skip


class RequestAdmin(FormPagesAdmin, DecidingAdmin):
    """A queue of requests. Each can be decided on by its own page, or several in the list."""

    deeds: ClassVar[Any]
    approve_permission: ClassVar[str]
    actions = ("approve", "refuse")

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(self.approve_permission)

    @display(description=_("status"), label=COLOURS)  # type: ignore[untyped-decorator]
    def shown_status(self, row: Any) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @admin.action(description=_("Approve (give a reason)"), permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        def let_go(row: Any, **why: Any) -> None:
            self.deeds.approve(waiting_id=row.pk, **why)

        self.decide(request, queryset, let_go, lambda count: ngettext("%d approved.", "%d approved.", count) % count)

    @admin.action(description=_("Do not approve (give a reason)"), permissions=["approve"])
    def refuse(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        def keep(row: Any, **why: Any) -> None:
            self.deeds.refuse(waiting_id=row.pk, **why)

        self.decide(
            request, queryset, keep, lambda count: ngettext("%d not approved.", "%d not approved.", count) % count
        )  # fmt: skip


@admin.register(HandConfirmation)
class HandConfirmationAdmin(RequestAdmin):
    client_path = "charge__order__client"
    masked: ClassVar[dict[str, Mask]] = {"evidence": masking.all_of}
    deeds: ClassVar[Any] = confirmations
    approve_permission = "payments.approve_confirmation"
    form_pages = _pages(approve=ApproveConfirmationForm, refuse=RefuseConfirmationForm, permission=approve_permission)
    list_display = (
        "charge", "shown_status", yuan("amount_fen", _("amount")), "trade_no", "paid_at", "said",
        ASKED_BY, "requested_at",
    )  # fmt: skip
    list_filter = (("status", ChoicesRadioFilter), ("requested_at", DayFilter))
    list_select_related = ("charge",)
    search_fields = ("charge__number", "charge__order__number", "trade_no")
    search_help_text = _("Number of the charge or its order, or the gateway's")
    readonly_fields = (yuan("amount_fen", _("amount")), "said", "file", ASKED_BY, DECIDED_BY)
    fieldsets = (
        (None, {"fields": (("charge", "status"), (readonly_fields[0], "trade_no"), ("paid_at", "reason"))}),
        (_("The gateway"), {"fields": ("said",)}),
        (_("Evidence"), {"fields": (("file", "evidence_type"), "evidence_sha256")}),
        (_("Who"), {"fields": ((ASKED_BY, "requested_at"), (DECIDED_BY, "decided_at"), "decision")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[HandConfirmation]:
        """Without the files: they are read where they are asked for."""
        found: QuerySet[HandConfirmation] = super().get_queryset(request)
        return found.defer("evidence").select_related("charge__order__client")

    def get_urls(self) -> list[URLPattern]:
        file = self.admin_site.admin_view(require_safe(self.evidence))
        return [path("<int:pk>/evidence/", file, name="payments_handconfirmation_evidence"), *super().get_urls()]

    def evidence(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The file, to be saved and never shown by the browser: it may be anything behind its first bytes."""
        row = get_object_or_404(self.get_queryset(request), pk=pk)
        if not (self.has_view_permission(request, row) and self._may_see_evidence(request)):
            raise PermissionDenied
        return HttpResponse(
            bytes(row.evidence),
            content_type=row.evidence_type,
            headers={
                "Content-Disposition": content_disposition_header(True, row.evidence_name) or "attachment",
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Cache-Control": "private, no-store",
            },
        )

    def _may_see_evidence(self, request: HttpRequest) -> bool:
        """It names the payer: for who sees persons, and for who has to judge it."""
        return masking.sees_persons(request.user) or self.has_approve_permission(request)

    @admin.display(description=_("what the gateway said"))
    def said(self, row: HandConfirmation) -> str:
        return _said(row)

    @admin.display(description=_("file"))
    def file(self, row: HandConfirmation) -> SafeString:
        return _link_to_evidence(row)


def _said(row: HandConfirmation) -> str:
    return row.gateway_said or str(_("it did not answer"))


def _link_to_evidence(row: HandConfirmation) -> SafeString:
    """The file's own name may be its payer's, so it is told with the file alone."""
    address = reverse("admin:payments_handconfirmation_evidence", args=[row.pk])
    return format_html('<a href="{}" class="text-link" download>{}</a>', address, row.get_evidence_type_display())


@admin.register(ValueRequest)
class ValueRequestAdmin(RequestAdmin):
    client_path = "customer__client"
    deeds: ClassVar[Any] = values
    approve_permission = "payments.approve_grant"
    form_pages = _pages(approve=ValueDecisionForm, refuse=RefuseValueForm, permission=approve_permission)
    list_display = (
        "customer", "client", "kind", "direction", yuan("amount_fen", _("amount")), "shown_status", "reason",
        ASKED_BY, "requested_at",
    )  # fmt: skip
    list_filter = (
        ("status", ChoicesRadioFilter), ("kind", ChoicesRadioFilter), ("direction", ChoicesRadioFilter),
        ("requested_at", DayFilter),
    )  # fmt: skip
    search_fields = ("number", "customer__ee_no", "customer__phone")
    search_help_text = _("Number of the request, or employee number or phone of the customer")
    readonly_fields = (yuan("amount_fen", _("amount")), "client", ASKED_BY, DECIDED_BY)
    fieldsets = (
        (None, {"fields": (("customer", "client"), ("kind", "direction"), (readonly_fields[0], "status"), "reason")}),
        (_("Who"), {"fields": ((ASKED_BY, "requested_at"), (DECIDED_BY, "decided_at"), "decision")}),
        (_("Numbers"), {"fields": ("number",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[ValueRequest]:
        found: QuerySet[ValueRequest] = super().get_queryset(request)
        return found.select_related("customer__client")

    @admin.display(description=_("client"))
    def client(self, row: ValueRequest) -> str:
        return str(row.customer.client)
