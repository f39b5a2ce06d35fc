"""The cashier of checkout orders and the link that opens it."""

from django.utils import timezone

from checkout import operations, returns
from payments.cashier.login import LoginView
from payments.cashier.views import CashierView
from payments.models import Order


class CheckoutCashier(CashierView):
    family = "checkout"
    route = "checkout-cashier"

    def return_url(self, order: Order) -> str:
        return returns.signed_url(order=order, at=self.at)

    def plain_return_url(self, order: Order) -> str:
        return returns.plain_url(order=order)


class CheckoutLogin(LoginView):
    cashier = CheckoutCashier

    def log_in(self, *, code: str, number: str) -> Order:
        return operations.log_in(number=number, code=code, at=timezone.now())
