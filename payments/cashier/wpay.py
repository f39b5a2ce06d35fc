"""
Document 003's page: the cashier of any order of any family, by its number alone.

The document can be read both ways (CONTRACTS): `/app/payment/wpay/<order_number>`, and `order_number` in the query,
whatever stands last in the path.
"""

import re
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, re_path

from payments.cashier.views import NUMBER, CashierView


class WpayView(CashierView):
    route = "wpay"

    @classmethod
    def urls(cls, prefix: str) -> list[URLPattern]:
        return [*super().urls(prefix), re_path(rf"^{prefix}[^/]*/?$", cls.as_view())]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        asked_for = request.GET.get("order_number")
        if asked_for is not None:
            kwargs["number"] = asked_for if re.fullmatch(NUMBER, asked_for) else ""
        return super().dispatch(request, *args, **{"number": "", **kwargs})
