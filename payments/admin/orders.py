"""The order page, and the one box that finds an order by any number on it."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe
from unfold.contrib.filters.admin import ChoicesRadioFilter, RadioFilter

from payments.admin import labels, look_ups, masking, order_page, raw, refund_form, refund_many
from payments.admin.base import DayFilter, DecidingAdmin, yuan
from payments.admin.filters import PAYING, AmountFilter, TenderFilter
from payments.admin.form_pages import FormPagesAdmin
from payments.admin.order_columns import OrderColumns
from payments.admin.order_deeds import ORDER_PAGES
from payments.admin.sight import client_filter
from payments.models import Order
from payments.orders import operations as orders
from payments.refunds import queries as refunds


class FamilyFilter(RadioFilter):  # type: ignore[misc]
    title = _("family")
    parameter_name = "family"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(family, labels.family_words(family)) for family in settings.ORDER_FAMILIES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return queryset.filter(family=self.value()) if self.value() else queryset


@admin.register(Order)
class OrderAdmin(OrderColumns, FormPagesAdmin, DecidingAdmin):
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
        "number": _("number"), "client__name": _("client"), "family_words": _("family"), "kind": _("kind"),
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
    form_pages = ORDER_PAGES
    actions = ("clear_flag", "refund_in_full")
    refund_in_full = refund_many.refund_in_full

    def find(self, term: str) -> Iterable[QuerySet[Order]]:
        if not (cleaned := look_ups.cleaned(term)):  # else every customer without a phone would be found
            return [Order.objects.none()]
        return (rows for _label, rows in look_ups.of_orders(cleaned, orders=Order.objects.all()))

    def get_urls(self) -> list[URLPattern]:
        refund = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.refund))
        raw = self.admin_site.admin_view(require_safe(self.raw))
        return [
            path("<int:order_id>/refund/", refund, name="payments_order_refund"),
            path("<int:order_id>/raw/<slug:kind>/<int:pk>/", raw, name="payments_order_raw"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The order's page is our own: there is nothing in it that a form could send."""
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request):
            raise PermissionDenied
        try:
            order = self.get_queryset(request).select_related("client", "customer").get(pk=unquote(object_id))
        except (Order.DoesNotExist, ValueError) as error:
            raise Http404(object_id) from error
        shown = {
            **self.admin_site.each_context(request), **order_page.context(request, order), **(extra_context or {}),
            "title": capfirst(self.opts.verbose_name), "subtitle": order.number, "opts": self.opts,
            "may_refund": self.may_refund(request, order), "buttons": self.buttons(request, order),
        }  # fmt: skip
        return TemplateResponse(request, "back_office/order.html", shown)

    def buttons(self, request: HttpRequest, row: Order) -> list[tuple[str, Any]]:
        refund = (reverse("admin:payments_order_refund", args=[row.pk]), _("Refund"))
        return [*([refund] if self.may_refund(request, row) else []), *super().buttons(request, row)]

    def raw(self, request: HttpRequest, order_id: int, kind: str, pk: int) -> HttpResponse:
        """What came over the wire, of this order: without secrets, and without persons for who may not see them."""
        order = get_object_or_404(self.get_queryset(request), pk=order_id)
        if kind not in raw.SOURCES:
            raise Http404(kind)
        model, way, seen_as, shown = raw.SOURCES[kind]
        if not self.has_view_permission(request, order) or not order_page.may_see(request, seen_as):
            raise PermissionDenied
        row = get_object_or_404(model, **{way: order, "pk": pk})
        context = {
            **self.admin_site.each_context(request), "title": capfirst(model._meta.verbose_name),  # noqa: SLF001
            "subtitle": order.number, "opts": self.opts, "order": order,
            "parts": shown(row, persons=masking.sees_persons(request.user)),
        }  # fmt: skip
        return TemplateResponse(request, "back_office/raw.html", context)

    def has_refund_permission(self, request: HttpRequest, order: Order) -> bool:
        return self.has_view_permission(request, order) and request.user.has_perm("payments.request_refund")

    def may_refund(self, request: HttpRequest, order: Order) -> bool:
        return order.status in refunds.REFUNDABLE and self.has_refund_permission(request, order)

    def refund(self, request: HttpRequest, order_id: int) -> HttpResponse:
        """The form for a refund. No transaction is open while the gateway is told."""
        order = get_object_or_404(self.get_queryset(request).select_related("client"), pk=order_id)
        if not self.has_refund_permission(request, order):
            raise PermissionDenied
        return refund_form.answer(request, order=order, context={
            **self.admin_site.each_context(request), "title": _("Refund"), "subtitle": str(order), "opts": self.opts,
        })  # fmt: skip

    def has_refund_many_permission(self, request: HttpRequest) -> bool:
        return refund_many.may_refund_many(request)

    def has_clear_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.clear_flag")

    @admin.action(description=_("Clear the money flag (give a reason)"), permissions=["clear"])
    def clear_flag(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        def dismiss(order: Order, *, actor: str, reason: str, **_at: Any) -> None:
            orders.dismiss_flag(order_id=order.pk, actor=actor, reason=reason)

        self.decide(
            request, queryset, dismiss, lambda count: ngettext("%d flag cleared.", "%d flags cleared.", count) % count
        )
