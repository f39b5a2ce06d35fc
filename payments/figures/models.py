from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payments.charges.models import Tender
from payments.money import FenField

ONCE = "day_figure_once"


class DayFigure(models.Model):
    """
    What one day brought to one client, in one family of orders: a sum of the book, which may be added up anew any time.

    A row without a tender counts orders, one with a tender sums money. Every client has rows of the first kind for each
    day that was added up, also of zeros: a day without rows was never added up.

    Money is what pays orders, on the day that it was booked. Money beyond an order's need (late, twice, of another
    amount) is neither received here nor, when it goes back, refunded: it was nobody's turnover.
    """

    day = models.DateField(_("day"))
    client = models.ForeignKey("payments.ApiClient", models.PROTECT, verbose_name=_("client"))
    family = models.CharField(_("family"), max_length=32)
    tender = models.CharField(_("tender"), max_length=16, choices=Tender, blank=True)
    orders_made = models.PositiveIntegerField(_("orders made"), default=0)
    orders_paid = models.PositiveIntegerField(_("orders paid in full"), default=0)
    received_fen = FenField(_("money received"))
    payments = models.PositiveIntegerField(_("payments"), default=0)
    # Of what was received, on this day or before: given back because the order closed unpaid.
    released_fen = FenField(_("given back on closing"))
    releases = models.PositiveIntegerField(_("given back on closing, number"), default=0)
    refunded_fen = FenField(_("money refunded"))
    refunds = models.PositiveIntegerField(_("refunds"), default=0)
    computed_at = models.DateTimeField(_("added up at"))

    class Meta:
        verbose_name = _("figure of a day")
        verbose_name_plural = _("figures by day")
        constraints = [
            models.UniqueConstraint(name=ONCE, fields=["day", "client", "family", "tender"]),
            models.CheckConstraint(name="day_figure_tender_known", condition=Q(tender__in=["", *Tender.values])),
            models.CheckConstraint(
                name="day_figure_counts_orders_or_sums_money",
                condition=Q(tender="", payments=0, releases=0, refunds=0)
                | (~Q(tender="") & Q(orders_made=0, orders_paid=0)),
            ),
            *(
                # Each is a sum of amounts above zero: no row, no money; a row, some.
                models.CheckConstraint(
                    name=f"day_figure_{money}_as_counted",
                    condition=Q(**{f"{money}_fen": 0, number: 0}) | Q(**{f"{money}_fen__gt": 0, f"{number}__gt": 0}),
                )
                for money, number in (("received", "payments"), ("released", "releases"), ("refunded", "refunds"))
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.day} {self.family} {self.tender}".rstrip()
