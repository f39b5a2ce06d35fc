"""Partner orders: what was bought, where it is, and what staff do about that."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import display

from partner_orders import shipping
from partner_orders.admin.order_forms import RemarkForm, ShipForm
from partner_orders.models import PartnerOrder
from partner_orders.operations import FAMILY
from partner_orders.states import WireStatus, wire_status
from payments.admin import masking
from payments.admin.base import DayFilter, DecidingAdmin, yuan
from payments.admin.filters import AmountFilter
from payments.admin.form_pages import FormPage, FormPagesAdmin
from payments.admin.look_ups import of_customers
from payments.admin.sight import client_filter

COLOURS = {
    WireStatus.UNPAID: "warning",
    WireStatus.PAID: "success",
    WireStatus.SHIPPED: "info",
    WireStatus.RECEIVED: "",
    WireStatus.CLOSED: "",
    WireStatus.PARTLY_REFUNDED: "danger",
    WireStatus.REFUNDED: "",
}
PRICES = (yuan("price_fen", _("price")), yuan("deduct_fen", _("deducted")))


@admin.register(PartnerOrder)
class PartnerOrderAdmin(FormPagesAdmin, DecidingAdmin):
    client_path = "pack__client"  # as the order's; where a client sells no packs, nobody looks through all orders
    masked = {
        "whose": masking.name,
        "user_real_name": masking.name,
        "user_phone": masking.phone,
        "receive_name": masking.name,
        "receive_phone": masking.phone,
        "receive_address": masking.address,
    }
    list_display = ("number", "pack_title", "whose", "shown_status", "pay_type", *PRICES, "courier", "created_at")
    list_filter = (
        ("order__created_at", DayFilter), ("delivery", ChoicesRadioFilter), ("pay_type", ChoicesRadioFilter),
        ("order__status", ChoicesRadioFilter), ("price_fen", AmountFilter),
        client_filter("pack__client", family=FAMILY),
    )  # fmt: skip
    days = "order__created_at"
    export_fields = {
        "order__number": _("order number"), "uid": _("id"), "order__client__name": _("client"),
        "pack_title": _("gift pack"), "pay_type": _("pay type"), "status": _("status"),
        "price_fen": _("price (yuan)"), "deduct_fen": _("deducted (yuan)"), "score": _("score"),
        "order__customer__user_id": _("user id"), "user_real_name": _("customer's name"),
        "user_phone": _("customer's phone"), "receive_name": _("recipient"),
        "receive_phone": _("recipient's phone"), "receive_address": _("recipient's address"),
        "express_name": _("courier"), "express_number": _("tracking number"), "remark": _("remark"),
        "order__created_at": _("created at"), "shipped_at": _("shipped at"), "received_at": _("received at"),
    }  # fmt: skip
    search_fields = ("order__number", "uid", "express_number", "receive_phone")
    search_help_text = _("Number or id of the order, tracking number, or user number or phone of the customer")
    actions = ("receive",)
    readonly_fields = (*PRICES, "customer", "created_at", "status")
    fieldsets = (
        (None, {"fields": (("order", "status"), ("customer", "created_at"), ("uid", "pay_type"))}),
        (
            _("As it was sold"),
            {
                "fields": (
                    ("pack", "pack_title"), ("order_name", "description"), PRICES, ("coupon", "holds"),
                    ("score", "level", "level_before"), ("user_real_name", "user_phone"),
                )
            },
        ),
        (_("Recipient"), {"fields": (("receive_name", "receive_phone"), "receive_address")}),
        (
            _("Delivery"),
            {
                "fields": (
                    ("delivery", "express_name", "express_code"), ("express_number", "express_address"),
                    ("shipped_at", "received_at"),
                )
            },
        ),
        (_("Level and score"), {"fields": (("fulfilled_at", "taken_back_at"),)}),
        (_("Remark"), {"fields": ("remark",)}),
    )  # fmt: skip
    form_pages = (
        FormPage(
            name="ship", title=_("Ship"), button=_("Ship"), form=ShipForm,
            permission="partner_orders.ship_partnerorder", offered=shipping.is_shippable,
        ),
        FormPage(
            name="remark", title=_("Remark"), button=_("Keep"), form=RemarkForm,
            permission="partner_orders.change_partnerorder",
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[PartnerOrder]:
        found: QuerySet[PartnerOrder] = super().get_queryset(request)
        return found.select_related("order__customer", "pack", "coupon", "level")

    def find(self, term: str) -> Iterable[QuerySet[PartnerOrder]]:
        yield from super().find(term)
        for customers in of_customers(term):
            yield PartnerOrder.objects.filter(order__customer__in=customers)

    def has_ship_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("partner_orders.ship_partnerorder")

    @admin.action(description=_("Mark as received (give a reason)"), permissions=["ship"])
    def receive(self, request: HttpRequest, queryset: QuerySet[PartnerOrder]) -> None:
        def arrived(document: PartnerOrder, **why: Any) -> None:
            shipping.receive(order_id=document.order_id, **why)

        self.decide(
            request, queryset, arrived,
            lambda count: ngettext("%d order was received.", "%d orders were received.", count) % count,
        )  # fmt: skip

    @admin.display(description=_("order number"))
    def number(self, document: PartnerOrder) -> str:
        return document.order.number

    @admin.display(description=_("customer"))
    def whose(self, document: PartnerOrder) -> str:
        """In the list, where there is no room for a long id, it stands only for who has neither name nor phone."""
        named = f"{document.user_real_name} {document.user_phone}".strip()
        return named or document.order.customer.user_id

    @admin.display(description=_("customer"))
    def customer(self, document: PartnerOrder) -> SafeString:
        customer = document.order.customer
        path = reverse("admin:payments_customer_change", args=[customer.pk])
        return format_html('<a href="{}" class="text-link">{}</a>', path, customer.user_id)

    @display(description=_("status"), label={str(status.value): colour for status, colour in COLOURS.items()})  # type: ignore[untyped-decorator]
    def shown_status(self, document: PartnerOrder) -> tuple[str, str | Promise]:
        status = wire_status(status=document.order.status, delivery=document.delivery)
        return str(status.value), status.label

    @admin.display(description=_("status"))
    def status(self, document: PartnerOrder) -> str | Promise:
        """On the page, which knows no labels."""
        _value, words = self.shown_status(document)
        return words  # type: ignore[no-any-return]

    @admin.display(description=_("courier"))
    def courier(self, document: PartnerOrder) -> str:
        return f"{document.express_name} {document.express_number}".strip()

    @admin.display(description=_("created at"))
    def created_at(self, document: PartnerOrder) -> str:
        return date_format(timezone.localtime(document.order.created_at), "DATETIME_FORMAT")
