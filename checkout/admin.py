from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from checkout.models import CheckoutOrder
from payments.admin.base import ReadOnlyAdmin
from payments.admin.sight import client_filter
from payments.models import ApiClient
from payments.staff.queries import clients_of


@admin.register(CheckoutOrder)
class CheckoutOrderAdmin(ReadOnlyAdmin):
    client_path = "order__client"
    list_display = ("order", "redirect_url")
    list_filter = (client_filter("order__client", family="checkout"),)
    list_select_related = ("order",)
    search_fields = ("order__number",)
    search_help_text = _("Order number")
    fields = ("order", "redirect_url")

    def get_queryset(self, request: HttpRequest) -> QuerySet[CheckoutOrder]:
        """For the staff of clients that have none, nobody looks through all there are."""
        found: QuerySet[CheckoutOrder] = super().get_queryset(request)
        clients = clients_of(request.user)
        if clients is None or ApiClient.objects.filter(pk__in=clients, families__contains=["checkout"]).exists():
            return found
        return found.none()
