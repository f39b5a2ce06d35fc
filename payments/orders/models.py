from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from payments.money import FenField
from payments.orders.states import Event, Status


class MoneyFlag(models.TextChoices):
    """What staff must know about an order's money, beside its status. Cleared with a reason."""

    NONE = "", _("none")
    PAID_LATE = "paid_late", _("paid late")
    OVERPAID = "overpaid", _("overpaid")
    NEEDS_ATTENTION = "needs_attention", _("needs attention")


# They go by themselves, with the money that came late or twice.
OF_SURPLUS = (MoneyFlag.PAID_LATE, MoneyFlag.OVERPAID)


class OrderKind(models.TextChoices):
    """What is bought: it decides where the money goes when the order is paid."""

    GOODS = "goods", _("goods")
    RECHARGE = "recharge", _("recharge of the balance")
    APPOINTMENT = "appointment", _("appointment")


class Order(models.Model):
    """One order of any family. Its price and its owner never change: a trigger holds that, and the state table."""

    number = models.CharField(_("number"), max_length=28, db_collation="C")
    family = models.CharField(_("family"), max_length=32)
    kind = models.CharField(
        _("kind"), max_length=16, choices=OrderKind, default=OrderKind.GOODS, db_default=OrderKind.GOODS
    )
    client = models.ForeignKey("payments.ApiClient", models.PROTECT, related_name="orders", verbose_name=_("client"))
    customer = models.ForeignKey("payments.Customer", models.PROTECT, related_name="orders", verbose_name=_("customer"))
    client_order_no = models.CharField(_("client's order number"), max_length=64, blank=True, db_collation="C")
    client_pay_no = models.CharField(_("client's payment number"), max_length=64, blank=True, db_collation="C")
    fingerprint = models.CharField(max_length=64, editable=False)  # of what a repeated call must repeat
    title = models.CharField(_("title"), max_length=128)
    total_fen = FenField(_("total"))
    shipping_fen = FenField(_("shipping"))
    points_fen = FenField(_("points"))
    balance_fen = FenField(_("balance"), db_default=0)
    cash_fen = FenField(_("cash"))
    # What refunds on their way keep reserved, and what has gone back: of the goods, of the shipping.
    refunding_goods_fen = FenField(_("goods being refunded"), db_default=0)
    refunding_shipping_fen = FenField(_("shipping being refunded"), db_default=0)
    refunded_goods_fen = FenField(_("goods refunded"), db_default=0)
    refunded_shipping_fen = FenField(_("shipping refunded"), db_default=0)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.UNPAID)
    money_flag = models.CharField(_("money flag"), max_length=16, choices=MoneyFlag, blank=True, default="")
    notify_url = models.CharField(_("tells its client at"), max_length=256, blank=True, default="", db_default="")
    fulfil_due_at = models.DateTimeField(null=True, editable=False)  # a fulfilment that failed is due again then
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    expires_at = models.DateTimeField(_("expires at"))
    finished_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        permissions = [
            ("clear_flag", _("Can clear the money flag of orders")),
            ("close_order", _("Can close orders")),
            ("query_gateway", _("Can ask gateways about orders")),
        ]
        constraints = [
            models.UniqueConstraint(name="order_number_once", fields=["number"]),
            models.UniqueConstraint(
                name="order_client_order_no_once",
                fields=["client", "client_order_no"],
                condition=~Q(client_order_no=""),
            ),
            models.UniqueConstraint(
                name="order_client_pay_no_once", fields=["client", "client_pay_no"], condition=~Q(client_pay_no="")
            ),
            models.CheckConstraint(name="order_status_known", condition=Q(status__in=Status.values)),
            models.CheckConstraint(name="order_kind_known", condition=Q(kind__in=OrderKind.values)),
            models.CheckConstraint(
                name="order_recharge_is_cash",
                condition=~Q(kind=OrderKind.RECHARGE) | Q(points_fen=0, balance_fen=0, shipping_fen=0),
            ),
            models.CheckConstraint(name="order_money_flag_known", condition=Q(money_flag__in=MoneyFlag.values)),
            models.CheckConstraint(name="order_total_positive", condition=Q(total_fen__gt=0)),
            models.CheckConstraint(
                name="order_tenders_positive", condition=Q(points_fen__gte=0, balance_fen__gte=0, cash_fen__gte=0)
            ),
            models.CheckConstraint(
                name="order_tenders_add_up", condition=Q(total_fen=F("points_fen") + F("balance_fen") + F("cash_fen"))
            ),
            models.CheckConstraint(
                name="order_shipping_within_total", condition=Q(shipping_fen__gte=0, shipping_fen__lte=F("total_fen"))
            ),
            models.CheckConstraint(
                name="order_goods_refunded_within",
                condition=Q(
                    refunding_goods_fen__gte=0,
                    refunded_goods_fen__gte=0,
                    total_fen__gte=F("shipping_fen") + F("refunding_goods_fen") + F("refunded_goods_fen"),
                ),
            ),
            models.CheckConstraint(
                name="order_shipping_refunded_within",
                condition=Q(
                    refunding_shipping_fen__gte=0,
                    refunded_shipping_fen__gte=0,
                    shipping_fen__gte=F("refunding_shipping_fen") + F("refunded_shipping_fen"),
                ),
            ),
        ]
        indexes = [
            models.Index(name="order_by_created", fields=["-created_at", "-id"]),
            models.Index(name="order_by_client", fields=["client", "-id"]),
            models.Index(name="order_by_customer", fields=["customer", "-id"]),
            models.Index(
                name="order_stale",
                fields=["expires_at", "id"],
                condition=Q(status__in=[Status.UNPAID, Status.POINT_PAID, Status.CASH_PAID]),
            ),
            models.Index(name="order_fulfil_due", fields=["fulfil_due_at"], condition=Q(fulfil_due_at__isnull=False)),
            models.Index(name="order_flagged", fields=["money_flag", "-id"], condition=~Q(money_flag="")),
            # For staff's lists. What most orders are is found at once without one, and costs no payment.
            models.Index(name="order_by_status", fields=["status", "-id"], condition=~Q(status=Status.PAY_FINISHED)),
            models.Index(name="order_by_kind", fields=["kind", "-id"], condition=~Q(kind=OrderKind.GOODS)),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def goods_fen(self) -> int:
        return int(self.total_fen - self.shipping_fen)

    @property
    def refunded_fen(self) -> int:
        return int(self.refunded_goods_fen + self.refunded_shipping_fen)

    @property
    def subject(self) -> str:
        """How audit rows name this order."""
        return f"order:{self.number}"


class OrderTransition(models.Model):
    """One move of the state machine. Append-only."""

    order = models.ForeignKey(Order, models.PROTECT, related_name="transitions", verbose_name=_("order"))
    sequence = models.PositiveSmallIntegerField(_("sequence"))
    source = models.CharField(_("from"), max_length=16, choices=Status)
    event = models.CharField(_("event"), max_length=24, choices=Event)
    target = models.CharField(_("to"), max_length=16, choices=Status)
    reason = models.CharField(_("reason"), max_length=128, blank=True)
    actor = models.CharField(_("actor"), max_length=64)
    at = models.DateTimeField(_("at"), db_default=Now())

    class Meta:
        verbose_name = _("order transition")
        verbose_name_plural = _("order transitions")
        ordering = ["order", "sequence"]
        constraints = [models.UniqueConstraint(name="order_transition_once", fields=["order", "sequence"])]

    def __str__(self) -> str:
        return f"{self.order_id} #{self.sequence} {self.source} → {self.target}"
