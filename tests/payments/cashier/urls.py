"""A family of the tests' own: the cashier's pages know none."""

from django.http import HttpResponse
from django.urls import include, path, re_path
from django.utils import timezone
from django.utils.html import escape
from django.views.generic import View

from checkout.operations import log_in
from payments.cashier.login import LoginView
from payments.cashier.views import CashierView


class TillView(CashierView):
    family = "checkout"
    route = "till"

    def return_url(self, order):
        return f"{order.checkout.redirect_url}?status={order.status}&sign=SIGNED"

    def plain_return_url(self, order):
        return order.checkout.redirect_url


class OtherTillView(TillView):
    family = "another"
    route = "other-till"


class TillLoginView(LoginView):
    cashier = TillView

    def log_in(self, *, code, number):
        return log_in(number=number, code=code, at=timezone.now())


def shop(request):
    return HttpResponse(f"<title>The shop</title><link rel=icon href=data:,>{escape(request.GET.urlencode())}")


urlpatterns = [
    path("shop/", shop),
    path("i18n/", include("django.conf.urls.i18n")),
    re_path(r"^login/?$", TillLoginView.as_view(), name="till-login"),
    path("elsewhere/<str:number>/", View.as_view()),
    *TillView.urls("till/"),
    *OtherTillView.urls("other/"),
]
