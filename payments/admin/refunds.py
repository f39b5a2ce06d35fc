"""What goes back, and what of it waits for a second person."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import display

from payments import four_eyes
from payments.admin import refund_deeds, refund_queues
from payments.admin.base import ASKED_BY, DECIDED_BY, DayFilter, DecidingAdmin, ReadOnlyInline, actor_of, yuan
from payments.admin.filters import AmountFilter
from payments.admin.form_pages import FormPagesAdmin
from payments.admin.sight import client_filter
from payments.models import ApiClient, Refund, RefundLeg
from payments.refunds import operations as refunds
from payments.refunds.states import Status

COLOURS = {
    Status.TO_APPROVE.value: "warning",
    Status.PENDING.value: "info",
    Status.SUCCEEDED.value: "success",
    Status.FAILED.value: "danger",
    Status.REFUSED.value: "",
}


class LegInline(ReadOnlyInline):
    model = RefundLeg
    fields = readonly_fields = (
        "number", "charge", yuan("goods_fen", _("goods")), yuan("shipping_fen", _("shipping")), "status",
        "foreign_number", "last_answer", "queries", "next_query_at", "settled_at",
    )  # fmt: skip

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see a refund sees where it goes: no role names the legs."""
        return True


@admin.register(Refund)
class RefundAdmin(FormPagesAdmin, DecidingAdmin):
    client_path = "client"
    form_pages = refund_deeds.PAGES
    list_before_template = "back_office/refund_queues.html"
    list_display = (
        "number", "order", "kind", "shown_status", yuan("goods_fen", _("goods")),
        yuan("shipping_fen", _("shipping")), "refund_no", ASKED_BY, "requested_at",
    )  # fmt: skip
    list_filter = (
        ("requested_at", DayFilter), ("status", ChoicesRadioFilter), ("kind", ChoicesRadioFilter),
        ("goods_fen", AmountFilter), client_filter("client"),
    )  # fmt: skip
    list_select_related = ("order",)
    days = "requested_at"
    export_fields = {
        "number": _("number"), "order__number": _("order number"), "client__name": _("client"), "kind": _("kind"),
        "refund_no": _("client's refund number"), "status": _("status"), "goods_fen": _("goods (yuan)"),
        "shipping_fen": _("shipping (yuan)"), "reason": _("reason"), "requested_by": _("requested by"),
        "requested_at": _("requested at"), "decided_by": _("decided by"), "decided_at": _("decided at"),
        "decision": _("decision"), "settled_at": _("settled at"),
    }  # fmt: skip
    search_fields = ("number", "order__number")
    search_help_text = _("Number of the refund, ours or the client's, or of its order")
    inlines = (LegInline,)
    actions = ("approve", "refuse")
    readonly_fields = (yuan("goods_fen", _("goods")), yuan("shipping_fen", _("shipping")), ASKED_BY, DECIDED_BY)
    fieldsets = (
        (None, {"fields": (("number", "order"), ("status", "kind"), ("refund_no", "client"))}),
        (_("Money"), {"fields": (readonly_fields[:2], "policy", "reason")}),
        (_("Who"), {"fields": ((ASKED_BY, "requested_at"), (DECIDED_BY, "decided_at"), "decision")}),
        (_("Times"), {"fields": ("settled_at",)}),
    )

    def get_urls(self) -> list[URLPattern]:
        queues = {"to-approve": refund_queues.to_approve, "held-up": refund_queues.held_up}
        own = [
            path(f"{name}/", self.admin_site.admin_view(require_safe(self._queue(answer))),
                 name=self._url(name.replace("-", "_")))
            for name, answer in queues.items()
        ]  # fmt: skip
        return [*own, *super().get_urls()]

    def _queue(self, answer: Any) -> Any:
        def view(request: HttpRequest) -> HttpResponse:
            if not self.has_view_permission(request):
                raise PermissionDenied
            context = {**self.admin_site.each_context(request), "opts": self.opts}
            response: HttpResponse = answer(request, rows=self.get_queryset(request), context=context)
            return response

        return view

    def buttons(self, request: HttpRequest, row: Any) -> list[tuple[str, Any]]:
        """Whoever asked for a refund finds no button to decide on it."""
        offered = super().buttons(request, row)
        deciding = {reverse(f"admin:{self._url(name)}", args=[row.pk]) for name in ("approve", "refuse")}
        return [button for button in offered if button[0] not in deciding or not _is_mine(request, row)]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Whoever asked for a refund that waits is told that a colleague decides."""
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        if _is_mine(request, kwargs["obj"]) and refund_deeds.is_to_decide(kwargs["obj"]):
            messages.info(request, four_eyes.SamePerson.message)
        return response

    def find(self, term: str) -> Iterable[QuerySet[Refund]]:
        yield from super().find(term)
        clients = list(ApiClient.objects.values_list("pk", flat=True))
        yield Refund.objects.filter(client__in=clients, refund_no=term).exclude(refund_no="")

    @display(description=_("status"), label=COLOURS)  # type: ignore[untyped-decorator]
    def shown_status(self, refund: Refund) -> tuple[str, str]:
        return refund.status, refund.get_status_display()

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.approve_refund")

    @admin.action(description=_("Approve (give a reason)"), permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Refund]) -> None:
        def let_go(refund: Refund, **why: Any) -> None:
            refunds.approve(refund_id=refund.pk, **why)

        self.decide(
            request, queryset, let_go,
            lambda count: ngettext("%d refund approved.", "%d refunds approved.", count) % count,
        )  # fmt: skip

    @admin.action(description=_("Do not approve (give a reason)"), permissions=["approve"])
    def refuse(self, request: HttpRequest, queryset: QuerySet[Refund]) -> None:
        def keep(refund: Refund, **why: Any) -> None:
            refunds.refuse(refund_id=refund.pk, **why)

        self.decide(
            request, queryset, keep,
            lambda count: ngettext("%d refund not approved.", "%d refunds not approved.", count) % count,
        )  # fmt: skip


def _is_mine(request: HttpRequest, refund: Refund) -> bool:
    return refund.requested_by == actor_of(request)
