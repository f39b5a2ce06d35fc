from collections.abc import Iterable

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesRadioFilter

from payments.admin.base import DayFilter, ReadOnlyAdmin, yuan
from payments.admin.filters import AmountFilter
from payments.models import Account, ApiClient, Transfer


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin):
    client_path = "order__client"
    list_display = ("id", "debit", "credit", yuan("amount_fen", _("amount")), "kind", "reference", "at")
    list_filter = (("at", DayFilter), ("kind", ChoicesRadioFilter), ("amount_fen", AmountFilter))
    days = "at"
    days_by_id = True
    export_fields = {
        "id": "#", "debit": _("debit"), "credit": _("credit"), "amount_fen": _("amount (yuan)"), "kind": _("kind"),
        "reference": _("reference"), "order__number": _("order number"), "at": _("at"),
    }  # fmt: skip
    search_fields = ("reference", "debit", "credit", "order__number")
    search_help_text = _("Reference, order number, or an account such as points:17")
    fields = readonly_fields = ("debit", "credit", yuan("amount_fen", _("amount")), "kind", "reference", "order", "at")


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    client_path = "customer__client"
    list_display = ("code", "customer", "kind", yuan("balance_fen", _("balance")))
    list_filter = (("kind", ChoicesRadioFilter),)
    list_select_related = ("customer",)
    search_fields = ("customer__phone", "customer__ee_no")
    search_help_text = _("User number, employee number or phone of the customer")
    fields = readonly_fields = ("code", "customer", "kind", yuan("balance_fen", _("balance")))

    def find(self, term: str) -> Iterable[QuerySet[Account]]:
        yield from super().find(term)
        clients = list(ApiClient.objects.values_list("pk", flat=True))
        yield Account.objects.filter(customer__client__in=clients, customer__user_id=term)
