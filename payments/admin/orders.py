"""The order page, and the one box that finds an order by any number on it."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator, capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods
from unfold.contrib.filters.admin import ChoicesRadioFilter, RadioFilter
from unfold.decorators import display

from payments.admin import masking, refund_form
from payments.admin.base import DayFilter, DecidingAdmin, ReadOnlyInline, linked, yuan
from payments.admin.filters import PAYING, AmountFilter, TenderFilter
from payments.admin.sight import client_filter
from payments.charges.models import CASH, Tender
from payments.models import (
    ApiClient,
    Charge,
    Customer,
    GatewayAccount,
    InboundNotification,
    Order,
    OrderTransition,
    OutboxEvent,
    Refund,
    RefundLeg,
    Transfer,
)
from payments.money import yuan_text
from payments.orders import operations as orders
from payments.orders.families import family
from payments.orders.models import MoneyFlag
from payments.orders.states import Status
from payments.refunds import queries as refunds

NOTIFICATIONS_MAX = 50
TITLE_SHOWN_MAX = 14
BREAK = SafeString("<br>")
COLOURS = {
    Status.UNPAID.value: "warning",
    Status.POINT_PAID.value: "warning",
    Status.CASH_PAID.value: "warning",
    Status.PAY_FINISHED.value: "success",
    Status.PARTLY_REFUND.value: "info",
    Status.TOTAL_REFUND.value: "info",
    Status.CLOSED.value: "",
}
FLAG_COLOURS = {flag.value: "danger" for flag in MoneyFlag if flag}


class FamilyFilter(RadioFilter):  # type: ignore[misc]
    title = _("family")
    parameter_name = "family"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(family, family) for family in settings.ORDER_FAMILIES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return queryset.filter(family=self.value()) if self.value() else queryset


class ChargeInline(ReadOnlyInline):
    model = Charge
    fields = readonly_fields = (
        linked("number", _("number")), "tender", "mode", yuan("amount_fen", _("amount")), yuan("paid_fen", _("paid")),
        "status", "gateway_trade_no", "created_at", "paid_at",
    )  # fmt: skip


class RefundInline(ReadOnlyInline):
    model = Refund
    fields = readonly_fields = (
        linked("number", _("number")), "kind", "refund_no", yuan("goods_fen", _("goods")),
        yuan("shipping_fen", _("shipping")), "status", "requested_by", "requested_at", "settled_at",
    )  # fmt: skip


class TransitionInline(ReadOnlyInline):
    model = OrderTransition
    fields = readonly_fields = ("sequence", "source", "event", "target", "reason", "actor", "at")


class TransferInline(ReadOnlyInline):
    model = Transfer
    fields = readonly_fields = (
        "debit", "credit", yuan("amount_fen", _("amount")), "kind", linked("reference", _("reference")), "at",
    )  # fmt: skip


class EventInline(ReadOnlyInline):
    model = OutboxEvent
    fields = readonly_fields = (linked("uid", _("event id")), "kind", "version", "created_at", "dispatched_at")


@admin.register(Order)
class OrderAdmin(DecidingAdmin):
    client_path = "client"
    masked = {"whose": masking.phone}
    list_display = (
        "number", "client_order_no", "short_title", "whose", "shown_status", "shown_flag",
        yuan("total_fen", _("total")), "tenders", "client", "created_at",
    )  # fmt: skip
    list_filter = (
        ("created_at", DayFilter), ("status", ChoicesRadioFilter), ("money_flag", ChoicesRadioFilter),
        ("total_fen", AmountFilter), TenderFilter, client_filter("client"), FamilyFilter, ("kind", ChoicesRadioFilter),
    )  # fmt: skip
    list_select_related = ("client", "customer")
    list_prefetch = (Prefetch("charges", PAYING.only("order", "tender"), to_attr="paying"),)
    days = "created_at"
    export_fields = {
        "number": _("number"), "client__name": _("client"), "family": _("family"), "kind": _("kind"),
        "client_order_no": _("client's order number"), "client_pay_no": _("client's payment number"),
        "title": _("title"), "customer__user_id": _("user id"), "customer__ee_no": _("employee number"),
        "customer__real_name": _("real name"), "customer__phone": _("phone"), "status": _("status"),
        "money_flag": _("money flag"), "total_fen": _("total (yuan)"), "shipping_fen": _("of it shipping (yuan)"),
        "points_fen": _("points (yuan)"), "balance_fen": _("balance (yuan)"), "cash_fen": _("cash (yuan)"),
        "paid_with": _("tender"), "refunded_goods_fen": _("goods refunded (yuan)"),
        "refunded_shipping_fen": _("shipping refunded (yuan)"), "created_at": _("created at"),
        "finished_at": _("paid at"), "closed_at": _("closed at"),
    }  # fmt: skip
    search_fields = ("number",)
    search_help_text = _("Any number of the order: ours, the client's, the gateway's, phone, employee or user number")
    inlines = (ChargeInline, RefundInline, TransitionInline, TransferInline, EventInline)
    readonly_fields = (
        yuan("total_fen", _("total")), yuan("shipping_fen", _("shipping")), yuan("points_fen", _("points")),
        yuan("balance_fen", _("balance")), yuan("cash_fen", _("cash")),
        yuan("refunded_goods_fen", _("goods refunded")), yuan("refunded_shipping_fen", _("shipping refunded")),
        "document", "notifications",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": ("number", "title", ("status", "money_flag"), ("family", "kind"), ("client", "customer"))}),
        (_("Document"), {"fields": ("document",)}),
        (_("Numbers"), {"fields": (("client_order_no", "client_pay_no"), "notify_url")}),
        (_("Money"), {"fields": (readonly_fields[:2], readonly_fields[2:5], readonly_fields[5:7])}),
        (_("Times"), {"fields": (("created_at", "expires_at"), ("finished_at", "closed_at"))}),
        (_("Gateway notifications"), {"fields": ("notifications",)}),
    )

    def find(self, term: str) -> Iterable[QuerySet[Order]]:
        # Numbers that are unique per client or account are indexed under it: name them all, they are few.
        clients = list(ApiClient.objects.values_list("pk", flat=True))
        accounts = list(GatewayAccount.objects.values_list("pk", flat=True))
        orders = Order.objects.all()
        yield orders.filter(number=term)
        yield orders.filter(client__in=clients, client_order_no=term).exclude(client_order_no="")
        yield orders.filter(client__in=clients, client_pay_no=term).exclude(client_pay_no="")
        charges = Charge.objects.filter(number=term)
        yield orders.filter(pk__in=charges.values("order"))
        yield orders.filter(pk__in=Refund.objects.filter(number=term).values("order"))
        yield orders.filter(pk__in=RefundLeg.objects.filter(number=term).values("charge__order"))
        own = Refund.objects.filter(client__in=clients, refund_no=term).exclude(refund_no="")
        yield orders.filter(pk__in=own.values("order"))
        trades = Charge.objects.filter(gateway_account__in=accounts, gateway_trade_no=term).exclude(gateway_trade_no="")
        yield orders.filter(pk__in=trades.values("order"))
        yield orders.filter(customer__in=Customer.objects.filter(phone=term))
        yield orders.filter(customer__in=Customer.objects.filter(ee_no=term))
        yield orders.filter(customer__in=Customer.objects.filter(client__in=clients, user_id=term))

    change_form_outer_before_template = "back_office/refund_button.html"
    actions = ("clear_flag",)

    def get_urls(self) -> list[URLPattern]:
        refund = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.refund))
        return [path("<int:order_id>/refund/", refund, name="payments_order_refund"), *super().get_urls()]

    def has_refund_permission(self, request: HttpRequest, order: Order) -> bool:
        return self.has_view_permission(request, order) and request.user.has_perm("payments.request_refund")

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        order: Order = kwargs["obj"]
        context["may_refund"] = order.status in refunds.REFUNDABLE and self.has_refund_permission(request, order)
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response

    def refund(self, request: HttpRequest, order_id: int) -> HttpResponse:
        """The form for a refund. No transaction is open while the gateway is told."""
        order = get_object_or_404(self.get_queryset(request).select_related("client"), pk=order_id)
        if not self.has_refund_permission(request, order):
            raise PermissionDenied
        return refund_form.answer(request, order=order, context={
            **self.admin_site.each_context(request), "title": _("Refund"), "subtitle": str(order), "opts": self.opts,
        })  # fmt: skip

    def has_clear_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.clear_flag")

    @admin.action(description=_("Clear the money flag (give a reason)"), permissions=["clear"])
    def clear_flag(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        def dismiss(order: Order, *, actor: str, reason: str, **_at: Any) -> None:
            orders.dismiss_flag(order_id=order.pk, actor=actor, reason=reason)

        self.decide(
            request, queryset, dismiss, lambda count: ngettext("%d flag cleared.", "%d flags cleared.", count) % count
        )

    @display(description=_("status"), label=COLOURS)  # type: ignore[untyped-decorator]
    def shown_status(self, order: Order) -> tuple[str, str]:
        return order.status, order.get_status_display()

    @display(description=_("money flag"), label=FLAG_COLOURS)  # type: ignore[untyped-decorator]
    def shown_flag(self, order: Order) -> tuple[str, str] | None:
        return (order.money_flag, order.get_money_flag_display()) if order.money_flag else None

    @admin.display(description=_("title"))
    def short_title(self, order: Order) -> str:
        return Truncator(order.title).chars(TITLE_SHOWN_MAX)

    @admin.display(description=_("customer"))
    def whose(self, order: Order) -> str:
        return order.customer.phone or order.customer.user_id

    @admin.display(description=_("tender"))
    def tenders(self, order: Order) -> str:
        """What each tender bears; where one bears it all, the total has said how much."""
        own = [(order.points_fen, Tender.POINTS.label), (order.balance_fen, Tender.BALANCE.label)]
        parts = [*own, (order.cash_fen, _cash_of(order) or _("cash"))]
        borne = [(fen, name) for fen, name in parts if fen]
        if len(borne) == 1:
            return str(borne[0][1])
        return " · ".join(f"{name} {yuan_text(fen)}" for fen, name in borne)

    def paid_with(self, order: Order) -> str:
        """In a file, which has a column for how much."""
        borne = [(order.points_fen, Tender.POINTS.label), (order.balance_fen, Tender.BALANCE.label)]
        return ", ".join([*(str(name) for fen, name in borne if fen), *filter(None, [_cash_of(order)])])

    @admin.display(description=_("what its family says of it"))
    def document(self, order: Order) -> SafeString | None:
        """Lines of what the order's family describes and, where its document has a page, a link there."""
        of_family = family(order.family)
        try:
            told = of_family.describe(order=order)
        except ObjectDoesNotExist:  # a breach, which the audit finds: the page is there to be looked at all the same
            return None
        lines = [format_html("{}: {}", capfirst(of_family.LABELS.get(key, key)), told[key] or "-") for key in told]
        if (path := _page_of_document(order)) is not None:
            lines.append(format_html('<a href="{}" class="text-link">{}</a>', path, _("To the document")))
        return format_html_join(BREAK, "{}", ((line,) for line in lines)) or None

    @admin.display(description=_("gateway notifications"))
    def notifications(self, order: Order) -> SafeString | None:
        """Links to what gateways said of the order's charges; the first NOTIFICATIONS_MAX of it."""
        told = InboundNotification.objects.filter(charge__order=order).order_by("pk")[:NOTIFICATIONS_MAX]
        lines = [
            (
                reverse("admin:payments_inboundnotification_change", args=[row.pk]),
                date_format(localtime(row.received_at), "DATETIME_FORMAT"),
                row.gateway,
                row.get_verdict_display(),
            )
            for row in told
        ]
        return format_html_join(BREAK, '<a href="{}" class="text-link">{} · {} · {}</a>', lines) or None


def _cash_of(order: Order) -> str:
    """Return what its cash is paid with, or to be."""
    charges: list[Charge] = order.paying  # type: ignore[attr-defined]  # list_prefetch
    return ", ".join(sorted({str(charge.get_tender_display()) for charge in charges if charge.tender in CASH}))


def _page_of_document(order: Order) -> str | None:
    """Return where the row stands that the order's family keeps beside it, if it keeps one."""
    for relation in Order._meta.related_objects:  # noqa: SLF001  Django documents _meta
        beside: Any = relation.related_model
        if relation.one_to_one and beside._meta.app_label == order.family:  # noqa: SLF001
            row = getattr(order, relation.get_accessor_name() or "", None)
            if row is not None and admin.site.is_registered(beside):
                return reverse(f"admin:{order.family}_{beside._meta.model_name}_change", args=[row.pk])  # noqa: SLF001
    return None
