"""Customers' addresses, to be looked at: they are the app's to change."""

from collections.abc import Iterable

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from partner_orders.models import Address
from payments.admin import masking
from payments.admin.base import ReadOnlyAdmin
from payments.admin.look_ups import of_customers


@admin.register(Address)
class AddressAdmin(ReadOnlyAdmin):
    client_path = "customer__client"
    masked = {"name": masking.name, "phone": masking.phone, "address": masking.address}
    list_display = ("id", "customer", "name", "phone", "address", "is_default", "created_at")
    list_select_related = ("customer",)
    search_fields = ("customer",)
    search_help_text = _("User number or phone of the customer")
    fields = ("customer", ("name", "phone"), "address", ("is_default", "created_at"))

    def find(self, term: str) -> Iterable[QuerySet[Address]]:
        for customers in of_customers(term):
            yield Address.objects.filter(customer__in=customers)
