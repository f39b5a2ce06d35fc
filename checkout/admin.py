from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from checkout.models import CheckoutOrder
from payments.admin.base import ReadOnlyAdmin
from payments.admin.sight import client_filter


@admin.register(CheckoutOrder)
class CheckoutOrderAdmin(ReadOnlyAdmin):
    client_path = "order__client"
    list_display = ("order", "redirect_url")
    list_filter = (client_filter("order__client"),)
    list_select_related = ("order",)
    search_fields = ("order__number",)
    search_help_text = _("Order number")
    fields = ("order", "redirect_url")
