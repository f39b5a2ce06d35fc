"""
The link in `cash_pay_url`: a one-time code becomes a cashier session.

Opening it changes nothing, because link scanners open everything: the page posts itself, with a button for browsers
without JavaScript.
"""

import abc
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import Resolver404, resolve
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext_lazy as _
from django.views import View

from payments.cashier import sessions
from payments.cashier.views import CashierView, HttpResponseSeeOther
from payments.cashier.ways import Device, device_of
from payments.errors import Malformed, OnetillError
from payments.models import Order
from payments.transactions import DATABASE_TROUBLE, DatabaseBusy


class NextNotHere(Malformed):
    """`next` is not the page of one order on this site."""

    code = "next_not_here"
    message = _("The link is incomplete. Open it once more from where you got it.")


class LoginView(View, abc.ABC):
    """A family subclasses this beside its `CashierView`."""

    cashier: ClassVar[type[CashierView]]

    @abc.abstractmethod
    def log_in(self, *, code: str, number: str) -> Order:
        """
        Use up the code and return the order that it opens.

        :raises OnetillError: if the code is not valid (any more) for the order of that number
        """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = super().dispatch(request, *args, **kwargs)
        except OnetillError as error:
            response = self._refused(request, error)
        except DATABASE_TROUBLE as error:
            response = self._refused(request, DatabaseBusy(error))
        patch_cache_control(response, private=True, no_store=True)
        # The code stands in the address, which goes to nobody. Not `no-referrer`: browsers then send `Origin: null`
        # with the form, which Django's CSRF check rightly refuses.
        response.headers["Referrer-Policy"] = "strict-origin"
        return response

    def get(self, request: HttpRequest) -> HttpResponse:
        self._number(request.GET.get("next", ""))
        context = {"code": request.GET.get("code", ""), "next": request.GET["next"]}
        return render(request, "cashier/login.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        number = self._number(request.POST.get("next", ""))
        order = self.log_in(code=request.POST.get("code", ""), number=number)
        path = self.cashier.path(order.number)
        response = _onward(request, path)
        sessions.begin(response=response, order=order, path=path, at=timezone.now())
        return response

    def _number(self, url: str) -> str:
        """
        Return the number of the order whose page `url` is.

        :raises NextNotHere: if it is anything but the path of a page of this cashier
        """
        try:
            match = resolve(url)
        except Resolver404:
            raise NextNotHere from None
        if getattr(match.func, "view_class", None) is not self.cashier or "live" in match.kwargs:
            raise NextNotHere
        return str(match.kwargs["number"])

    def _refused(self, request: HttpRequest, error: OnetillError) -> HttpResponse:
        context: dict[str, Any] = {"title": _("This link does not open the payment page"), "sentence": error.sentence()}
        if not isinstance(error, NextNotHere):
            # Whoever came by it before still has the session, and paying needs none.
            context["link"] = request.POST.get("next", "")
            context["link_text"] = _("Go to the payment page")
        return render(request, "onetill/message.html", context, status=error.status)


def _onward(request: HttpRequest, path: str) -> HttpResponse:
    """
    Lead the browser that posted the form to the page.

    Inside WeChat the page may lead on to WeChat's own site, to learn who is paying; and Chromium lets no form lead to
    another site (form-action), not even over a page of ours. So there the form ends here, and a refresh leads on.
    """
    if device_of(request) is not Device.WECHAT:
        return HttpResponseSeeOther(path)
    title = _("Opening the payment page")
    context = {"title": title, "sentence": "", "link": path, "link_text": _("Go to the payment page")}
    response = render(request, "onetill/message.html", context)
    response.headers["Refresh"] = f"0;url={path}"
    return response
