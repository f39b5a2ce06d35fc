import uuid

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.db.models.lookups import Exact
from django.utils.translation import gettext_lazy as _

from partner_orders.states import Delivery
from payments.money import FenField

UID_LENGTH = 32
LINE_LENGTH_MAX = 128
# What the app and the ids of document 002 look like: a UUID without its hyphens.
UID = RegexValidator(r"^[0-9a-f]{32}\Z", _("Write 32 of the characters 0-9 and a-f."))


def new_uid() -> str:
    return uuid.uuid4().hex


class UidField(models.CharField):  # type: ignore[type-arg]  # only the stubs take arguments
    """An id as document 002 knows it: 32 hexadecimal digits."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        fixed = {"max_length": UID_LENGTH, "unique": True, "default": new_uid, "db_collation": "C", "validators": [UID]}
        super().__init__(*args, **{**fixed, **kwargs})  # type: ignore[arg-type]


class UserLevel(models.Model):
    """A step of the programme's ladder, such as V5. The higher rank is the higher level."""

    client = models.ForeignKey("payments.ApiClient", models.PROTECT, related_name="+", verbose_name=_("client"))
    code = models.CharField(_("level"), max_length=32)
    title = models.CharField(_("title"), max_length=64, blank=True)
    rank = models.PositiveSmallIntegerField(_("rank"), help_text=_("The higher, the better."))

    class Meta:
        verbose_name = _("partner level")
        verbose_name_plural = _("partner levels")
        ordering = ["client", "rank"]
        constraints = [
            models.UniqueConstraint(name="partner_level_code_once", fields=["client", "code"]),
            models.UniqueConstraint(name="partner_level_rank_once", fields=["client", "rank"]),
        ]

    def __str__(self) -> str:
        return self.code


class CustomerLevel(models.Model):
    """What level a customer has: the highest of what staff gave and what their paid packs support."""

    customer = models.OneToOneField(
        "payments.Customer", models.PROTECT, related_name="partner_level", verbose_name=_("customer")
    )
    given = models.ForeignKey(
        UserLevel, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("given by staff")
    )
    level = models.ForeignKey(
        UserLevel, models.PROTECT, null=True, editable=False, related_name="+", verbose_name=_("level")
    )

    class Meta:
        verbose_name = _("customer's level")
        verbose_name_plural = _("customers' levels")

    def __str__(self) -> str:
        return str(self.level or "-")


class GiftPack(models.Model):
    """
    What partners buy. `stock` is what can be sold now; `stocked` is all that was ever put in.

    Their difference is what orders hold: `fulfilment.audit` compares.
    """

    client = models.ForeignKey("payments.ApiClient", models.PROTECT, related_name="+", verbose_name=_("client"))
    uid = UidField(_("pack id"))
    title = models.CharField(_("title"), max_length=LINE_LENGTH_MAX)
    order_name = models.CharField(_("name of its orders"), max_length=64, default="购买机器")
    description = models.CharField(_("description"), max_length=255, blank=True)
    price_fen = FenField(_("price"), validators=[MinValueValidator(100)])
    stock = models.IntegerField(_("stock"), default=0)
    stocked = models.IntegerField(_("put in so far"), default=0, editable=False)
    level = models.ForeignKey(
        UserLevel, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("lifts to level")
    )
    score = models.PositiveIntegerField(_("score"), default=0, help_text=_("Points that the customer is given for it."))
    is_shown = models.BooleanField(_("shown"), default=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("gift pack")
        verbose_name_plural = _("gift packs")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="gift_pack_stock_there", condition=Q(stock__gte=0, stock__lte=F("stocked"))),
            models.CheckConstraint(
                name="gift_pack_price_whole_yuan",
                condition=Q(price_fen__gt=0) & Q(Exact(F("price_fen") % 100, 0)),
            ),
        ]
        indexes = [models.Index(name="gift_pack_on_sale", fields=["client", "-id"], condition=Q(is_shown=True))]

    def __str__(self) -> str:
        return self.title

    @property
    def held(self) -> int:
        """How many orders hold: waiting for their money, or sold."""
        return self.stocked - self.stock


class Coupon(models.Model):
    """What a coupon takes off a pack's price, and when. Valid on both of its days, as Shanghai counts them."""

    client = models.ForeignKey("payments.ApiClient", models.PROTECT, related_name="+", verbose_name=_("client"))
    title = models.CharField(_("title"), max_length=LINE_LENGTH_MAX)
    off_fen = FenField(_("takes off"), validators=[MinValueValidator(100)])
    min_price_fen = FenField(_("from a price of"), default=0, validators=[MinValueValidator(0)])
    valid_from = models.DateField(_("valid from"))
    valid_until = models.DateField(_("valid until"))
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="coupon_off_whole_yuan", condition=Q(off_fen__gt=0) & Q(Exact(F("off_fen") % 100, 0))
            ),
            models.CheckConstraint(name="coupon_min_price_not_negative", condition=Q(min_price_fen__gte=0)),
            models.CheckConstraint(name="coupon_ends_after_it_begins", condition=Q(valid_until__gte=F("valid_from"))),
        ]

    def __str__(self) -> str:
        return self.title


class CustomerCoupon(models.Model):
    """
    A coupon in a customer's hand: `coupon_id` of document 002.

    It is used as long as an order holds it (`PartnerOrder.holds`), and free again when that order is over.
    """

    uid = UidField(_("coupon id"))
    coupon = models.ForeignKey(Coupon, models.PROTECT, related_name="given", verbose_name=_("coupon"))
    customer = models.ForeignKey(
        "payments.Customer", models.PROTECT, related_name="partner_coupons", verbose_name=_("customer")
    )
    given_at = models.DateTimeField(_("given at"), db_default=Now())

    class Meta:
        verbose_name = _("customer's coupon")
        verbose_name_plural = _("customers' coupons")
        ordering = ["-id"]
        indexes = [models.Index(name="coupon_of_customer", fields=["customer", "-id"])]

    def __str__(self) -> str:
        return str(self.uid)


class Address(models.Model):
    """Where a customer's packs go: `address_id` of document 002. An order keeps its own copy."""

    customer = models.ForeignKey(
        "payments.Customer", models.PROTECT, related_name="partner_addresses", verbose_name=_("customer")
    )
    name = models.CharField(_("recipient"), max_length=64)
    phone = models.CharField(_("phone"), max_length=32)
    address = models.CharField(_("address"), max_length=255)
    is_default = models.BooleanField(_("default"), default=False)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                name="address_one_default", fields=["customer"], condition=Q(is_default=True)
            )
        ]  # fmt: skip
        indexes = [models.Index(name="address_of_customer", fields=["customer", "-id"])]

    def __str__(self) -> str:
        return f"#{self.pk}"  # titles show it, also to who may not know whose it is


class PayType(models.IntegerChoices):
    BALANCE = 1, _("balance")
    ALIPAY = 2, _("Alipay")


class PartnerOrder(models.Model):
    """
    What document 002 adds to an order: the pack as it was sold, and where it is.

    Copies, not references, tell what was: a trigger keeps them as they are. While `holds` is true a piece of the
    pack's stock and the coupon belong to this order; the database lets no two orders hold one coupon.
    """

    order = models.OneToOneField("payments.Order", models.PROTECT, related_name="partner", verbose_name=_("order"))
    uid = UidField(_("id"))
    pay_type = models.PositiveSmallIntegerField(_("pay type"), choices=PayType)
    pack = models.ForeignKey(GiftPack, models.PROTECT, related_name="orders", verbose_name=_("gift pack"))
    coupon = models.ForeignKey(
        CustomerCoupon, models.PROTECT, null=True, blank=True, related_name="orders", verbose_name=_("coupon")
    )
    holds = models.BooleanField(_("holds stock and coupon"), default=True, db_default=True)
    # As it was when the order was made.
    pack_title = models.CharField(_("pack's title"), max_length=LINE_LENGTH_MAX)
    order_name = models.CharField(_("name"), max_length=64)
    description = models.CharField(_("description"), max_length=255, blank=True)
    price_fen = FenField(_("price"))
    deduct_fen = FenField(_("taken off by the coupon"))
    score = models.PositiveIntegerField(_("score"), default=0)
    level = models.ForeignKey(
        UserLevel, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("lifts to level")
    )
    level_before = models.CharField(_("customer's level then"), max_length=32, blank=True)
    user_phone = models.CharField(_("customer's phone"), max_length=64, blank=True)
    user_real_name = models.CharField(_("customer's name"), max_length=64, blank=True)
    receive_name = models.CharField(_("recipient"), max_length=64)
    receive_phone = models.CharField(_("recipient's phone"), max_length=32)
    receive_address = models.CharField(_("recipient's address"), max_length=255)
    # As it goes on.
    fulfilled_at = models.DateTimeField(_("level and score granted at"), null=True, blank=True)
    taken_back_at = models.DateTimeField(_("level and score taken back at"), null=True, blank=True)
    delivery = models.CharField(
        _("delivery"), max_length=16, choices=Delivery, default=Delivery.WAITING, db_default=Delivery.WAITING
    )
    express_code = models.CharField(_("courier's code"), max_length=32, blank=True, db_default="")
    express_name = models.CharField(_("courier"), max_length=64, blank=True, db_default="")
    express_number = models.CharField(_("tracking number"), max_length=64, blank=True, db_default="")
    express_address = models.CharField(_("shipped from"), max_length=255, blank=True, db_default="")
    shipped_at = models.DateTimeField(_("shipped at"), null=True, blank=True)
    received_at = models.DateTimeField(_("received at"), null=True, blank=True)
    remark = models.CharField(_("remark"), max_length=255, blank=True, db_default="")

    class Meta:
        verbose_name = _("partner order")
        verbose_name_plural = _("partner orders")
        permissions = [
            ("ship_partnerorder", _("Can ship partner orders")),
            ("ship_every_partnerorder", _("Can ship the partner orders of every client")),
        ]
        constraints = [
            models.UniqueConstraint(
                name="partner_order_coupon_held_once", fields=["coupon"], condition=Q(holds=True, coupon__isnull=False)
            ),
            models.CheckConstraint(name="partner_order_pay_type_known", condition=Q(pay_type__in=PayType.values)),
            models.CheckConstraint(
                name="partner_order_leaves_something_to_pay",
                condition=Q(deduct_fen__gte=0, price_fen__gt=F("deduct_fen")),
            ),
            models.CheckConstraint(
                name="partner_order_only_a_coupon_deducts",
                condition=Q(coupon__isnull=True, deduct_fen=0) | Q(coupon__isnull=False, deduct_fen__gt=0),
            ),
            models.CheckConstraint(
                name="partner_order_delivery_as_it_went",
                condition=Q(delivery=Delivery.WAITING, shipped_at__isnull=True, received_at__isnull=True)
                | Q(delivery=Delivery.SHIPPED, shipped_at__isnull=False, received_at__isnull=True)
                | Q(delivery=Delivery.RECEIVED, shipped_at__isnull=False, received_at__isnull=False),
            ),
            models.CheckConstraint(
                name="partner_order_taken_back_after_granted",
                condition=Q(taken_back_at__isnull=True) | Q(fulfilled_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                name="partner_order_to_receive",
                fields=["shipped_at", "id"],
                condition=Q(delivery=Delivery.SHIPPED),
            ),
            models.Index(
                name="partner_order_of_pack", fields=["pack", "-id"], condition=Q(holds=True)
            ),
            models.Index(
                name="partner_order_tracked", fields=["express_number"], condition=~Q(express_number="")
            ),
            models.Index(name="partner_order_recipient", fields=["receive_phone"]),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.order.number
