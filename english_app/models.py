from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from english_app.states import Delivery, Return
from payments.money import FenField

TITLE_LENGTH_MAX = 128
PERIODS_MAX = 1_200  # a hundred years of months
NUM_MAX = 999
MESSAGE_LENGTH_MAX = 200
RETURN_ASKS_MAX = 2


class GoodKind(models.TextChoices):
    MEMBERSHIP = "membership", _("membership")
    ITEM = "item", _("item")


class PeriodUnit(models.TextChoices):
    NONE = "", _("none")
    DAY = "day", _("days")
    MONTH = "month", _("months")


def _is_a_period_of_a_membership() -> Q:
    """The condition that a membership, and nothing else, lasts for some days or months."""
    lasts = Q(period_unit__in=[PeriodUnit.DAY, PeriodUnit.MONTH], periods__gt=0)
    return Q(kind=GoodKind.MEMBERSHIP) & lasts | Q(kind=GoodKind.ITEM, period_unit="", periods=0)


class Good(models.Model):
    """What the app sells: so many days or months of membership, or an item. Its id is document 004's `good_id`."""

    client = models.ForeignKey("payments.ApiClient", models.PROTECT, related_name="+", verbose_name=_("client"))
    title = models.CharField(_("title"), max_length=TITLE_LENGTH_MAX)
    kind = models.CharField(_("kind"), max_length=16, choices=GoodKind)
    periods = models.PositiveSmallIntegerField(
        _("lasts"),
        default=0,
        validators=[MaxValueValidator(PERIODS_MAX)],
        help_text=_("Of a membership: so many days or months for each piece."),
    )
    period_unit = models.CharField(_("days or months"), max_length=8, choices=PeriodUnit, blank=True, default="")
    price_fen = FenField(_("price"), validators=[MinValueValidator(1)])
    is_on_sale = models.BooleanField(_("on sale"), default=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("good")
        verbose_name_plural = _("goods")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="good_kind_known", condition=Q(kind__in=GoodKind.values)),
            models.CheckConstraint(
                name="good_lasts_if_a_membership",
                condition=_is_a_period_of_a_membership(),
                violation_error_message=_("A membership lasts for some days or months; an item does not."),
            ),
            models.CheckConstraint(name="good_price_positive", condition=Q(price_fen__gt=0)),
        ]

    def __str__(self) -> str:
        return self.title


class Agent(models.Model):
    """A second-level channel that brings customers. Its id is document 004's `agent_id`."""

    client = models.ForeignKey("payments.ApiClient", models.PROTECT, related_name="+", verbose_name=_("client"))
    title = models.CharField(_("title"), max_length=TITLE_LENGTH_MAX)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("agent")
        verbose_name_plural = _("agents")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(name="agent_title_once", fields=["client", "title"])]

    def __str__(self) -> str:
        return self.title


class OrderType(models.IntegerChoices):
    """`type` of document 004."""

    RECHARGE = 0, _("recharge")
    PURCHASE = 1, _("purchase")


class PayWay(models.TextChoices):
    """`payway_name` of document 004: what an order is paid with."""

    WECHAT = "wechat", _("WeChat Pay")
    ALIPAY = "alipay", _("Alipay")
    BALANCE = "balance", _("balance")


class EnglishOrder(models.Model):
    """
    What document 004 adds to an order: a recharge, or the purchase that it is for.

    What it was made of never changes: a trigger holds that, and both tables of `states`. The customer stands here too,
    so that page 10,000 of their list is read from an index.
    """

    order = models.OneToOneField("payments.Order", models.PROTECT, related_name="english", verbose_name=_("order"))
    customer = models.ForeignKey("payments.Customer", models.PROTECT, related_name="+", verbose_name=_("customer"))
    type = models.PositiveSmallIntegerField(_("type"), choices=OrderType)
    purchase = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="recharge", verbose_name=_("is for")
    )
    app_id = models.PositiveIntegerField(_("app id"))
    agent = models.ForeignKey(
        Agent, models.PROTECT, null=True, blank=True, related_name="orders", verbose_name=_("agent")
    )
    user_name = models.CharField(_("user name"), max_length=64, blank=True)
    imeil = models.CharField(_("phone's serial number"), max_length=64, blank=True)
    ip = models.GenericIPAddressField(pgettext_lazy("English app", "address"), null=True, blank=True)
    pay_way = models.CharField(_("paid with"), max_length=8, choices=PayWay)
    price_total_fen = FenField(_("price of the goods"))
    # As it goes on.
    delivery = models.CharField(
        pgettext_lazy("English app", "delivery"),
        max_length=16,
        choices=Delivery,
        default=Delivery.WAITING,
        db_default=Delivery.WAITING,
    )
    delivery_attempts = models.PositiveSmallIntegerField(_("attempts to deliver"), default=0, db_default=0)
    deliver_due_at = models.DateTimeField(_("to be delivered at"), null=True, blank=True)
    delivered_at = models.DateTimeField(pgettext_lazy("English app", "delivered at"), null=True, blank=True)
    returning = models.CharField(
        _("return"), max_length=16, choices=Return, default=Return.NONE, db_default=Return.NONE
    )
    return_asks = models.PositiveSmallIntegerField(_("return asked for, times"), default=0, db_default=0)
    return_asked_at = models.DateTimeField(_("return asked for at"), null=True, blank=True)
    decided_by = models.CharField(pgettext_lazy("English app", "decided by"), max_length=64, blank=True, db_default="")
    decided_at = models.DateTimeField(pgettext_lazy("English app", "decided at"), null=True, blank=True)
    refund = models.ForeignKey(
        "payments.Refund", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("refund")
    )
    returned_at = models.DateTimeField(_("returned at"), null=True, blank=True)
    message = models.CharField(
        _("remark"), max_length=MESSAGE_LENGTH_MAX, blank=True, db_default="", help_text=_("The app shows it.")
    )

    class Meta:
        verbose_name = _("English order")
        verbose_name_plural = _("English orders")
        permissions = [
            ("decide_return", _("Can approve and refuse returns")),
            ("deliver_again", _("Can have a failed delivery tried again")),
        ]
        constraints = [
            models.CheckConstraint(name="english_order_type_known", condition=Q(type__in=OrderType.values)),
            models.CheckConstraint(name="english_order_pay_way_known", condition=Q(pay_way__in=PayWay.values)),
            models.CheckConstraint(
                name="english_order_purchase_from_balance",
                condition=Q(type=OrderType.PURCHASE, pay_way=PayWay.BALANCE, purchase__isnull=True)
                | Q(type=OrderType.RECHARGE, purchase__isnull=False) & ~Q(pay_way=PayWay.BALANCE),
            ),
            models.CheckConstraint(name="english_order_price_positive", condition=Q(price_total_fen__gt=0)),
            models.CheckConstraint(
                name="english_order_delivery_as_it_went",
                condition=Q(delivery=Delivery.WAITING, delivered_at__isnull=True)
                | Q(delivery=Delivery.FAILED, delivered_at__isnull=True, deliver_due_at__isnull=True)
                | Q(delivery=Delivery.DELIVERED, delivered_at__isnull=False, deliver_due_at__isnull=True),
            ),
            models.CheckConstraint(
                name="english_order_return_as_it_went",
                condition=Q(returning=Return.RETURNED, returned_at__isnull=False)
                | Q(returning__in=[Return.ASKED, Return.APPROVED, Return.FAILED], returned_at__isnull=True)
                & Q(return_asks__gt=0, return_asked_at__isnull=False)
                | Q(returning=Return.NONE, returned_at__isnull=True, return_asks=0, return_asked_at__isnull=True),
            ),
            models.CheckConstraint(
                name="english_order_return_asked_twice_at_most", condition=Q(return_asks__lte=RETURN_ASKS_MAX)
            ),
            models.CheckConstraint(
                name="english_order_nothing_delivered_while_returned",
                condition=Q(returning__in=[Return.NONE, Return.FAILED]) | Q(deliver_due_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(name="english_order_of_customer", fields=["customer", "-id"]),
            models.Index(
                name="english_order_deliver_due",
                fields=["deliver_due_at", "id"],
                condition=Q(deliver_due_at__isnull=False),
            ),
            models.Index(name="english_order_not_delivered", fields=["-id"], condition=Q(delivery=Delivery.FAILED)),
            models.Index(
                name="english_order_returning", fields=["returning", "-id"], condition=~Q(returning=Return.NONE)
            ),
            models.Index(name="english_order_imeil", fields=["imeil"], condition=~Q(imeil="")),
        ]

    def __str__(self) -> str:
        return self.order.number


class OrderLine(models.Model):
    """So many of one good in a purchase, as it was sold. Append-only."""

    document = models.ForeignKey(EnglishOrder, models.PROTECT, related_name="lines", verbose_name=_("English order"))
    good = models.ForeignKey(Good, models.PROTECT, related_name="lines", verbose_name=_("good"))
    title = models.CharField(_("title"), max_length=TITLE_LENGTH_MAX)
    kind = models.CharField(_("kind"), max_length=16, choices=GoodKind)
    periods = models.PositiveSmallIntegerField(_("lasts"), default=0)
    period_unit = models.CharField(_("days or months"), max_length=8, choices=PeriodUnit, blank=True)
    price_fen = FenField(_("price of one"))
    num = models.PositiveSmallIntegerField(pgettext_lazy("English app", "number"))

    class Meta:
        verbose_name = _("line of an English order")
        verbose_name_plural = _("lines of English orders")
        ordering = ["document", "id"]
        constraints = [
            models.UniqueConstraint(name="english_line_good_once", fields=["document", "good"]),
            models.CheckConstraint(name="english_line_num_within", condition=Q(num__gte=1, num__lte=NUM_MAX)),
            models.CheckConstraint(name="english_line_price_positive", condition=Q(price_fen__gt=0)),
            models.CheckConstraint(name="english_line_lasts_if_a_membership", condition=_is_a_period_of_a_membership()),
        ]

    def __str__(self) -> str:
        return f"{self.title} × {self.num}"

    @property
    def sum_fen(self) -> int:
        return int(self.price_fen * self.num)


class Grant(models.Model):
    """What a delivered line gave its customer: time of membership, or items. Taken back with a return."""

    line = models.OneToOneField(OrderLine, models.PROTECT, related_name="grant", verbose_name=_("line"))
    customer = models.ForeignKey(
        "payments.Customer", models.PROTECT, related_name="english_grants", verbose_name=_("customer")
    )
    granted_at = models.DateTimeField(_("granted at"))
    taken_back_at = models.DateTimeField(_("taken back at"), null=True, blank=True)

    class Meta:
        verbose_name = _("granted good")
        verbose_name_plural = _("granted goods")
        ordering = ["-id"]
        indexes = [
            models.Index(name="english_grant_of_customer", fields=["customer", "id"]),
            models.Index(name="english_grant_taken_back", fields=["-id"], condition=Q(taken_back_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return str(self.line)


class Membership(models.Model):
    """Until when a customer is a member, the last day included: what their grants that stand add up to."""

    customer = models.OneToOneField(
        "payments.Customer", models.PROTECT, related_name="english_membership", verbose_name=_("customer")
    )
    ends_on = models.DateField(_("member until"), null=True, blank=True)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        indexes = [models.Index(name="membership_by_end", fields=["ends_on"])]

    def __str__(self) -> str:
        return str(self.ends_on or "-")
