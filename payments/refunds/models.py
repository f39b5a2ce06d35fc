from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from payments.charges.models import NUMBER_LENGTH_MAX
from payments.clients.models import RefundPolicy
from payments.money import FenField
from payments.refunds.states import LegStatus, Status

REFUND_NO_LENGTH_MAX = 64
FOREIGN_NUMBER_LENGTH_MAX = 64
REASON_LENGTH_MAX = 200

# The constraint that decides which of two refunds has a client's number.
REFUND_NO_ONCE = "refund_no_once"


class Kind(models.TextChoices):
    """Why money goes back."""

    ORDER = "order", _("of the order")  # asked for by the client or staff
    SURPLUS = "surplus", _("of money that came late or twice")
    CONSOLE = "console", _("made at the gateway's own console")


class Refund(models.Model):
    """One intention to give money back, in legs, one for each charge. It succeeds as a whole or not at all."""

    order = models.ForeignKey("payments.Order", models.PROTECT, related_name="refunds", verbose_name=_("order"))
    client = models.ForeignKey("payments.ApiClient", models.PROTECT, verbose_name=_("client"))
    sequence = models.PositiveSmallIntegerField(_("sequence"))
    number = models.CharField(_("number"), max_length=NUMBER_LENGTH_MAX, db_collation="C")
    refund_no = models.CharField(
        _("client's refund number"), max_length=REFUND_NO_LENGTH_MAX, blank=True, default="", db_collation="C"
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.ORDER)
    goods_fen = FenField(_("goods"))
    shipping_fen = FenField(_("shipping"))
    policy = models.CharField(_("policy"), max_length=16, choices=RefundPolicy)
    reason = models.CharField(_("reason"), max_length=REASON_LENGTH_MAX, blank=True, default="")
    status = models.CharField(_("status"), max_length=16, choices=Status)
    requested_by = models.CharField(_("requested by"), max_length=64)
    requested_at = models.DateTimeField(_("requested at"), db_default=Now())
    decided_by = models.CharField(_("decided by"), max_length=64, blank=True, default="")
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decision = models.CharField(_("why"), max_length=REASON_LENGTH_MAX, blank=True, default="")
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ["order", "sequence"]
        permissions = [
            ("request_refund", _("Can ask for refunds")),
            ("approve_refund", _("Can approve refunds that others asked for")),
            ("refund_many", _("Can ask for refunds of many orders at once")),
        ]
        constraints = [
            models.UniqueConstraint(name="refund_number_once", fields=["number"]),
            models.UniqueConstraint(name="refund_sequence_once", fields=["order", "sequence"]),
            models.UniqueConstraint(name=REFUND_NO_ONCE, fields=["client", "refund_no"], condition=~Q(refund_no="")),
            models.CheckConstraint(name="refund_kind_known", condition=Q(kind__in=Kind.values)),
            models.CheckConstraint(name="refund_status_known", condition=Q(status__in=Status.values)),
            models.CheckConstraint(name="refund_policy_known", condition=Q(policy__in=RefundPolicy.values)),
            models.CheckConstraint(
                name="refund_amount_positive",
                condition=Q(goods_fen__gte=0, shipping_fen__gte=0) & (Q(goods_fen__gt=0) | Q(shipping_fen__gt=0)),
            ),
            models.CheckConstraint(
                name="refund_decided_by_another", condition=Q(decided_by="") | ~Q(decided_by=F("requested_by"))
            ),
        ]
        indexes = [
            models.Index(name="refund_to_approve", fields=["id"], condition=Q(status=Status.TO_APPROVE)),
            models.Index(name="refund_on_its_way", fields=["id"], condition=Q(status=Status.PENDING)),
            models.Index(
                name="refund_not_made", fields=["id"], condition=Q(status__in=(Status.FAILED, Status.REFUSED))
            ),
            models.Index(name="refund_by_requested", fields=["requested_at"]),
            models.Index(name="refund_by_kind", fields=["kind", "-id"], condition=~Q(kind=Kind.ORDER)),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def amount_fen(self) -> int:
        return int(self.goods_fen + self.shipping_fen)


class RefundLeg(models.Model):
    """What goes back by one charge. Its number is the gateway's idempotency key: one number is one refund there."""

    refund = models.ForeignKey(Refund, models.PROTECT, related_name="legs", verbose_name=_("refund"))
    charge = models.ForeignKey(
        "payments.Charge", models.PROTECT, related_name="refund_legs", verbose_name=_("charge")
    )  # fmt: skip
    number = models.CharField(_("number"), max_length=NUMBER_LENGTH_MAX, db_collation="C")
    # What the gateway calls a refund that its own console made; empty where the number is ours.
    foreign_number = models.CharField(
        _("number at the gateway's console"),
        max_length=FOREIGN_NUMBER_LENGTH_MAX,
        blank=True,
        default="",
        db_collation="C",
    )
    goods_fen = FenField(_("goods"))
    shipping_fen = FenField(_("shipping"))
    status = models.CharField(_("status"), max_length=16, choices=LegStatus, default=LegStatus.STARTED)
    last_answer = models.CharField(_("gateway's last word"), max_length=200, blank=True, default="")
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    queries = models.PositiveSmallIntegerField(_("queries"), default=0)
    next_query_at = models.DateTimeField(_("next query at"), null=True, blank=True)

    class Meta:
        verbose_name = _("leg of a refund")
        verbose_name_plural = _("legs of refunds")
        ordering = ["refund", "id"]
        constraints = [
            models.UniqueConstraint(name="refund_leg_number_once", fields=["number"]),
            models.UniqueConstraint(name="refund_leg_once_per_charge", fields=["refund", "charge"]),
            models.UniqueConstraint(
                name="refund_leg_foreign_number_once",
                fields=["charge", "foreign_number"],
                condition=~Q(foreign_number=""),
            ),
            models.CheckConstraint(name="refund_leg_status_known", condition=Q(status__in=LegStatus.values)),
            models.CheckConstraint(
                name="refund_leg_amount_positive",
                condition=Q(goods_fen__gte=0, shipping_fen__gte=0) & (Q(goods_fen__gt=0) | Q(shipping_fen__gt=0)),
            ),
        ]
        indexes = [
            models.Index(
                name="refund_leg_query_due", fields=["next_query_at", "id"], condition=Q(next_query_at__isnull=False)
            ),
            models.Index(name="refund_leg_settled", fields=["settled_at"], condition=Q(status=LegStatus.SUCCEEDED)),
            models.Index(name="refund_leg_stuck", fields=["id"], condition=Q(status=LegStatus.STUCK)),
            models.Index(
                name="refund_leg_by_foreign_number", fields=["foreign_number"], condition=~Q(foreign_number="")
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def amount_fen(self) -> int:
        return int(self.goods_fen + self.shipping_fen)
