from collections.abc import Iterable

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from payments.admin import masking
from payments.admin.base import ReadOnlyAdmin, ReadOnlyInline, yuan
from payments.admin.days import WrittenDayFilter
from payments.admin.look_ups import of_customers
from payments.models import Account, Customer


class AccountInline(ReadOnlyInline):
    model = Account
    fields = readonly_fields = ("code", "kind", yuan("balance_fen", _("balance")))


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    client_path = "client"
    masked = {"real_name": masking.name, "phone": masking.phone}
    list_display = ("user_id", "client", "ee_no", "real_name", "phone", "is_frozen", "created_at")
    list_filter = (("created_at", WrittenDayFilter),)
    list_select_related = ("client",)
    search_fields = ("ee_no",)
    search_help_text = _("User number, employee number or phone")
    inlines = (AccountInline,)

    def find(self, term: str) -> Iterable[QuerySet[Customer]]:
        yield from super().find(term)
        yield from of_customers(term)
