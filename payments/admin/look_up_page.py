"""One box on every page of the back-office: any number in, the order out."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from payments.admin import look_ups, masking
from payments.admin.labels import flag_label, status_label
from payments.admin.sight import within_sight
from payments.models import Customer, Order
from payments.money import yuan_text


@require_safe
def look_up(request: HttpRequest) -> HttpResponse:
    """Lead to the order that carries what was asked for; of several, let choose; of none, say what was searched."""
    if not admin.site.get_model_admin(Order).has_view_permission(request):
        raise PermissionDenied
    term = look_ups.cleaned(request.GET.get("q", ""))
    orders = within_sight(request, Order)
    found = look_ups.find(term, orders=orders)
    if len(found) == 1:
        return redirect("admin:payments_order_change", found[0].order_id)
    context = {
        **admin.site.each_context(request),
        "title": _("Look-up"), "term": term, "is_too_long": len(term) > look_ups.TERM_LENGTH_MAX,
        "has_more": len(found) > look_ups.FOUND_MAX, "max": look_ups.FOUND_MAX,
        "rows": _rows(request, found[: look_ups.FOUND_MAX], orders=orders), "elsewhere": _elsewhere(request, term),
    }  # fmt: skip
    return TemplateResponse(request, "back_office/look_up.html", context)


def _rows(request: HttpRequest, found: list[look_ups.Found], *, orders: Any) -> list[dict[str, Any]]:
    wanted = [each.order_id for each in found]
    by_id = {order.pk: order for order in orders.filter(pk__in=wanted).select_related("client", "customer")}
    sees = masking.sees_persons(request.user)
    return [
        {
            "order": by_id[each.order_id],
            "link": reverse("admin:payments_order_change", args=[each.order_id]),
            "kinds": each.kinds,
            "status": status_label(by_id[each.order_id]),
            "flag": flag_label(by_id[each.order_id]),
            "total": yuan_text(by_id[each.order_id].total_fen),
            "customer": named(by_id[each.order_id].customer, sees_persons=sees),
        }
        for each in found
        if each.order_id in by_id
    ]


def named(customer: Customer, *, sees_persons: bool) -> str:
    """A customer in a line: the number that their client gives them, and their name as far as it may be seen."""
    name = customer.real_name if sees_persons else masking.name(customer.real_name) if customer.real_name else ""
    return f"{customer.user_id} · {name}" if name else str(customer.user_id)


def _elsewhere(request: HttpRequest, term: str) -> list[tuple[str, Any]]:
    """Where else to look for it: the customer may have no order yet."""
    if not term or not admin.site.get_model_admin(Customer).has_view_permission(request):
        return []
    path = reverse("admin:payments_customer_changelist", query={"q": term})
    return [(path, _("Look among the customers"))]
