from django.db import models
from django.utils.translation import gettext_lazy as _


class CheckoutOrder(models.Model):
    """What documents 000 and 001 add to an order."""

    order = models.OneToOneField("payments.Order", models.PROTECT, related_name="checkout", verbose_name=_("order"))
    redirect_url = models.TextField(_("where the customer is led back to"), blank=True)
    # Part of every login code: using one raises it, so that a code works once and issuing one writes nothing.
    login_generation = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        verbose_name = _("checkout order")
        verbose_name_plural = _("checkout orders")
        permissions = [("point_pay", _("Can pay with points"))]

    def __str__(self) -> str:
        return str(self.order_id)
