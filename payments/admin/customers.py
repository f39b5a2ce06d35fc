from collections.abc import Iterable

from django.contrib import admin
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import BooleanRadioFilter

from payments.admin import masking
from payments.admin.base import DayFilter, ReadOnlyAdmin, ReadOnlyInline, yuan
from payments.admin.customer_deeds import CUSTOMER_PAGES
from payments.admin.form_pages import FormPagesAdmin
from payments.admin.look_ups import of_customers
from payments.admin.sight import client_filter
from payments.ledger.accounts import Kind, customer_code
from payments.models import Account, Customer
from payments.money import yuan_text

ORDERS_SHOWN = 10


class AccountInline(ReadOnlyInline):
    model = Account
    fields = readonly_fields = ("code", "kind", yuan("balance_fen", _("balance")))


@admin.register(Customer)
class CustomerAdmin(FormPagesAdmin, ReadOnlyAdmin):
    client_path = "client"
    masked = {"real_name": masking.name, "phone": masking.phone}
    list_display = ("user_id", "client", "ee_no", "real_name", "phone", "is_frozen", "created_at")
    list_filter = (("created_at", DayFilter), client_filter("client"), ("is_frozen", BooleanRadioFilter))
    days = "created_at"
    days_by_id = True
    export_fields = {
        "client__name": _("client"), "user_id": _("user id"), "ee_no": _("employee number"),
        "real_name": _("real name"), "phone": _("phone"), "is_frozen": _("frozen"), "created_at": _("created at"),
    }  # fmt: skip
    list_select_related = ("client",)
    search_fields = ("ee_no",)
    search_help_text = _("User number, employee number or phone")
    inlines = (AccountInline,)
    readonly_fields = ("last_orders", "statements")
    fieldsets = (
        (None, {"fields": (("user_id", "client"), ("ee_no", "is_frozen"), ("real_name", "phone"), "created_at")}),
        (_("Orders and money"), {"fields": ("last_orders", "statements")}),
    )
    form_pages = CUSTOMER_PAGES

    def find(self, term: str) -> Iterable[QuerySet[Customer]]:
        yield from super().find(term)
        yield from of_customers(term)

    @admin.display(description=_("last orders"))
    def last_orders(self, customer: Customer) -> SafeString | None:
        """The newest ORDERS_SHOWN, and the way to all of them."""
        lines = [
            (
                reverse("admin:payments_order_change", args=[order.pk]), order.number,
                date_format(localtime(order.created_at), "DATETIME_FORMAT"), yuan_text(order.total_fen),
                order.get_status_display(),
            )
            for order in customer.orders.order_by("-pk")[:ORDERS_SHOWN]
        ]  # fmt: skip
        if not lines:
            return None
        every = reverse("admin:payments_order_changelist", query={"customer__id__exact": customer.pk})
        shown = format_html_join("", '<p><a href="{}" class="text-link">{}</a> · {} · ¥{} · {}</p>', lines)
        return format_html('{}<p><a href="{}" class="text-link">{}</a></p>', shown, every, _("All of them"))

    @admin.display(description=_("statements"))
    def statements(self, customer: Customer) -> SafeString:
        """To the transfers of each account, newest first."""
        path = reverse("admin:payments_transfer_changelist")
        links = [(path, customer_code(kind=kind, customer_id=customer.pk), kind.label) for kind in Kind]
        return format_html_join(" · ", '<a href="{}?q={}" class="text-link">{}</a>', links)
