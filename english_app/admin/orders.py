"""English orders: what was bought, where it is, and what staff do about that."""

import datetime
from collections.abc import Iterable

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
from django.utils.translation import pgettext_lazy
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import display

from english_app import deliveries
from english_app.admin.base import lasts
from english_app.admin.order_forms import ApproveForm, DeliverAgainForm, RefuseForm, is_to_decide
from english_app.models import EnglishOrder, Good, OrderLine, OrderType
from english_app.operations import FAMILY
from english_app.states import WireStatus, wire_status
from payments.admin import masking
from payments.admin.base import DayFilter, ReadOnlyAdmin, ReadOnlyInline, yuan
from payments.admin.filters import AmountFilter
from payments.admin.form_pages import FormPage, FormPagesAdmin
from payments.admin.look_ups import of_customers
from payments.admin.sight import SeenRelatedFilter, client_filter
from payments.models import ApiClient
from payments.money import yuan_text
from payments.staff.queries import clients_of

COLOURS = {
    WireStatus.WAITING: "warning",
    WireStatus.NOT_PAID: "",
    WireStatus.PAID: "info",
    WireStatus.NOT_DELIVERED: "danger",
    WireStatus.DONE: "success",
    WireStatus.RETURN_ASKED: "warning",
    WireStatus.RETURN_FAILED: "danger",
    WireStatus.RETURNED: "",
}
PRICE = yuan("price_total_fen", _("price of the goods"))


class LineInline(ReadOnlyInline):
    model = OrderLine
    fields = readonly_fields = (
        "sold", "kind", lasts, yuan("price_fen", _("price of one")), "num", yuan("sum_fen", _("sum")),
        "granted_at", "taken_back_at",
    )  # fmt: skip

    def has_view_permission(self, request: HttpRequest, obj: EnglishOrder | None = None) -> bool:
        """Whoever may see an order sees what was bought."""
        return True

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderLine]:
        return super().get_queryset(request).select_related("grant")  # type: ignore[no-any-return]

    @admin.display(description=_("good"))
    def sold(self, line: OrderLine) -> SafeString:
        """As it was called, leading to the good as it is called now."""
        path = reverse("admin:english_app_good_change", args=[line.good_id])
        return format_html('<a href="{}" class="text-link">{}</a>', path, line.title)

    @admin.display(description=_("granted at"))
    def granted_at(self, line: OrderLine) -> str | None:
        return _told(line.grant.granted_at) if hasattr(line, "grant") else None

    @admin.display(description=_("taken back at"))
    def taken_back_at(self, line: OrderLine) -> str | None:
        return _told(line.grant.taken_back_at) if hasattr(line, "grant") else None


@admin.register(EnglishOrder)
class EnglishOrderAdmin(FormPagesAdmin, ReadOnlyAdmin):
    client_path = "order__client"
    masked = {"user_name": masking.name, "whose": masking.name, "imeil": masking.number, "ip": masking.all_of}
    list_display = ("number", "shown_status", "type", "client", "whose", "money", "agent", "created_at")
    list_filter = (
        ("order__created_at", DayFilter), ("type", ChoicesRadioFilter), ("returning", ChoicesRadioFilter),
        ("delivery", ChoicesRadioFilter), ("order__total_fen", AmountFilter),
        client_filter("order__client", family=FAMILY), ("agent", SeenRelatedFilter),
    )  # fmt: skip
    days = "order__created_at"
    export_fields = {
        "order__number": _("order number"), "order__client__name": _("client"), "type": _("type"),
        "status": _("status"), "order__title": _("title"), "order__total_fen": _("money (yuan)"),
        "price_total_fen": _("price of the goods (yuan)"), "pay_way": _("paid with"),
        "customer__user_id": _("user id"), "user_name": _("user name"), "customer__phone": _("phone"),
        "imeil": _("phone's serial number"), "agent__title": _("agent"), "message": _("remark"),
        "order__created_at": _("created at"), "delivered_at": pgettext_lazy("English app", "delivered at"),
        "return_asked_at": _("return asked for at"), "returned_at": _("returned at"),
    }  # fmt: skip
    search_fields = ("order__number",)
    search_help_text = _("Order number, the phone's serial number, or user number or phone of the customer")
    inlines = (LineInline,)
    readonly_fields = (PRICE, "status", "client", "title", "money", "created_at", "pair")
    fieldsets = (
        (None, {"fields": (("order", "status"), ("type", "pair"), ("client", "customer"), "created_at")}),
        (_("As it was made"), {"fields": ("title", ("money", PRICE), ("pay_way", "agent"), ("user_name", "app_id"),
                                          ("imeil", "ip"))}),
        (
            pgettext_lazy("English app", "Delivery"),
            {"fields": (("delivery", "delivered_at"), ("delivery_attempts", "deliver_due_at"))},
        ),
        (
            _("Return"),
            {
                "fields": (
                    ("returning", "returned_at"), ("return_asks", "return_asked_at"), ("decided_by", "decided_at"),
                    "refund",
                )
            },
        ),
        (_("Remark"), {"fields": ("message",)}),
    )  # fmt: skip
    form_pages = (
        FormPage(
            name="approve", title=_("Approve the return"), button=_("Approve the return"), form=ApproveForm,
            permission="english_app.decide_return", offered=is_to_decide,
        ),
        FormPage(
            name="refuse", title=_("Refuse the return"), button=_("Refuse the return"), form=RefuseForm,
            permission="english_app.decide_return", offered=is_to_decide,
        ),
        FormPage(
            name="deliver", title=_("Deliver again"), button=_("Deliver again"), form=DeliverAgainForm,
            permission="english_app.deliver_again", offered=deliveries.may_deliver_again,
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[EnglishOrder]:
        found: QuerySet[EnglishOrder] = super().get_queryset(request)
        clients = clients_of(request.user)
        if clients is not None and not Good.objects.filter(client__in=clients).exists():
            return found.none()
        return found.select_related("order__client", "customer", "agent")

    def get_inlines(self, request: HttpRequest, obj: EnglishOrder | None) -> tuple[type[ReadOnlyInline], ...]:
        return self.inlines if obj is not None and obj.type == OrderType.PURCHASE else ()

    def find(self, term: str) -> Iterable[QuerySet[EnglishOrder]]:
        yield from super().find(term)
        yield EnglishOrder.objects.filter(imeil=term).exclude(imeil="")
        for customers in of_customers(term):
            yield EnglishOrder.objects.filter(customer__in=customers)

    @admin.display(description=_("order number"))
    def number(self, document: EnglishOrder) -> str:
        return document.order.number

    @admin.display(description=_("client"))
    def client(self, document: EnglishOrder) -> ApiClient:
        return document.order.client

    @admin.display(description=_("customer"))
    def whose(self, document: EnglishOrder) -> str:
        """In the list, where there is no room for a long id, it stands only for who has neither name nor phone."""
        customer = document.customer
        return document.user_name or f"{customer.real_name} {customer.phone}".strip() or customer.user_id

    @admin.display(description=_("title"))
    def title(self, document: EnglishOrder) -> str:
        return document.order.title

    @admin.display(description=_("money"))
    def money(self, document: EnglishOrder) -> str:
        return f"¥{yuan_text(document.order.total_fen)}"

    @admin.display(description=_("created at"))
    def created_at(self, document: EnglishOrder) -> str:
        return str(_told(document.order.created_at))

    @display(description=_("status"), label={str(status.value): colour for status, colour in COLOURS.items()})  # type: ignore[untyped-decorator]
    def shown_status(self, document: EnglishOrder) -> tuple[str, str | Promise]:
        status = wire_status(
            status=document.order.status, delivery=document.delivery, returning=document.returning
        )  # fmt: skip
        return str(status.value), status.label

    @admin.display(description=_("status"))
    def status(self, document: EnglishOrder) -> str | Promise:
        """On the page, which knows no labels."""
        _value, words = self.shown_status(document)
        return words  # type: ignore[no-any-return]

    @admin.display(description=_("goes with"))
    def pair(self, document: EnglishOrder) -> SafeString | None:
        """The purchase that a recharge is for, or the recharge for which a purchase waited."""
        other = document.purchase or EnglishOrder.objects.filter(purchase=document).first()
        if other is None:
            return None
        path = reverse("admin:english_app_englishorder_change", args=[other.pk])
        return format_html(
            '{} <a href="{}" class="text-link">{}</a>', other.get_type_display(), path, other.order.number
        )


def _told(at: datetime.datetime | None) -> str | None:
    return date_format(timezone.localtime(at), "DATETIME_FORMAT") if at else None
