from collections.abc import Iterable

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from payments.admin.base import DayFilter, ReadOnlyAdmin, ReadOnlyInline, yuan
from payments.models import Account, ApiClient, Customer


class AccountInline(ReadOnlyInline):
    model = Account
    fields = readonly_fields = ("code", "kind", yuan("balance_fen", _("balance")))


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    list_display = ("user_id", "client", "ee_no", "real_name", "phone", "is_frozen", "created_at")
    list_filter = (("created_at", DayFilter),)
    list_select_related = ("client",)
    search_fields = ("phone", "ee_no")
    search_help_text = _("User number, employee number or phone")
    inlines = (AccountInline,)

    def find(self, term: str) -> Iterable[QuerySet[Customer]]:
        yield from super().find(term)
        clients = list(ApiClient.objects.values_list("pk", flat=True))
        yield Customer.objects.filter(client__in=clients, user_id=term)
