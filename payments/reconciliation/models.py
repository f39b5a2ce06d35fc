from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payments.money import FenField
from payments.reconciliation.states import UNSETTLED, BillStatus, DifferenceKind, DifferenceStatus, Entry, Remedy

NUMBER_LENGTH_MAX = 64  # the gateways' limits: what stands in a bill need not be ours
TEXT_LENGTH_MAX = 200


class GatewayBill(models.Model):
    """One merchant's bill of one day: whether we have it, and what is in it."""

    account = models.ForeignKey("payments.GatewayAccount", models.PROTECT, verbose_name=_("gateway account"))
    day = models.DateField(_("day"))
    status = models.CharField(_("status"), max_length=16, choices=BillStatus, default=BillStatus.DUE)
    reason = models.CharField(_("why it could not be had"), max_length=TEXT_LENGTH_MAX, blank=True, default="")
    sha256 = models.CharField("SHA-256", max_length=64, blank=True, default="")
    payments = models.PositiveIntegerField(_("number of payments"), default=0)
    payments_fen = FenField(_("paid"))
    refunds = models.PositiveIntegerField(_("number of refunds"), default=0)
    refunds_fen = FenField(_("refunded"))
    fees_fen = models.BigIntegerField(_("fees"), default=0)  # below zero where more was given back than kept
    fetched_at = models.DateTimeField(_("fetched at"), null=True, blank=True)
    matched_at = models.DateTimeField(_("compared at"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_try_at = models.DateTimeField(_("next try at"), null=True, blank=True)

    class Meta:
        verbose_name = _("gateway's bill")
        verbose_name_plural = _("gateways' bills")
        constraints = [
            models.UniqueConstraint(name="bill_once_a_day", fields=["account", "day"]),
            models.CheckConstraint(name="bill_status_known", condition=Q(status__in=BillStatus.values)),
            models.CheckConstraint(
                name="bill_unusable_says_why", condition=~Q(status=BillStatus.UNUSABLE) | ~Q(reason="")
            ),
            models.CheckConstraint(
                name="bill_had_has_a_hash",
                condition=~Q(status__in=(BillStatus.FETCHED, BillStatus.MATCHED))
                | (~Q(sha256="") & Q(fetched_at__isnull=False)),
            ),
            models.CheckConstraint(name="bill_sums_not_negative", condition=Q(payments_fen__gte=0, refunds_fen__gte=0)),
        ]
        indexes = [
            models.Index(name="bill_due", fields=["next_try_at"], condition=Q(next_try_at__isnull=False)),
            models.Index(name="bill_missing", fields=["id"], condition=~Q(status=BillStatus.MATCHED)),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.account} {self.day}"


class BillLine(models.Model):
    """One line of a bill, as the gateway has booked it."""

    bill = models.ForeignKey(GatewayBill, models.PROTECT, related_name="lines", verbose_name=_("gateway's bill"))
    kind = models.CharField(_("kind"), max_length=8, choices=Entry)
    number = models.CharField(_("number of the charge"), max_length=NUMBER_LENGTH_MAX, db_collation="C")
    refund_number = models.CharField(
        _("number of the refund"), max_length=NUMBER_LENGTH_MAX, blank=True, default="", db_collation="C"
    )
    trade_no = models.CharField(
        _("gateway's number"), max_length=NUMBER_LENGTH_MAX, blank=True, default="", db_collation="C"
    )
    occurrence = models.PositiveIntegerField(_("occurrence"), default=1)  # the same line twice is two bookings
    amount_fen = models.BigIntegerField(_("amount"))
    fee_fen = models.BigIntegerField(_("fee"), default=0)
    status = models.CharField(_("gateway's word"), max_length=TEXT_LENGTH_MAX, blank=True, default="")
    at = models.DateTimeField(_("booked by the gateway at"))
    charge = models.ForeignKey("payments.Charge", models.PROTECT, null=True, blank=True, verbose_name=_("charge"))
    is_matched = models.BooleanField(_("found in our book"), default=False)

    class Meta:
        verbose_name = _("line of a bill")
        verbose_name_plural = _("lines of bills")
        constraints = [
            models.UniqueConstraint(
                name="billline_once", fields=["bill", "kind", "number", "refund_number", "trade_no", "occurrence"]
            ),
            models.CheckConstraint(name="billline_kind_known", condition=Q(kind__in=Entry.values)),
            models.CheckConstraint(name="billline_amount_positive", condition=Q(amount_fen__gt=0)),
            models.CheckConstraint(
                name="billline_payment_has_no_refund_number", condition=Q(kind=Entry.REFUND) | Q(refund_number="")
            ),
        ]
        indexes = [
            models.Index(name="billline_by_number", fields=["number"]),
            models.Index(name="billline_by_trade", fields=["trade_no"]),
        ]

    def __str__(self) -> str:
        return self.refund_number or self.number


class Difference(models.Model):
    """Where a bill and our book do not tell the same of one entry."""

    account = models.ForeignKey("payments.GatewayAccount", models.PROTECT, verbose_name=_("gateway account"))
    day = models.DateField(_("day"))
    kind = models.CharField(_("difference"), max_length=16, choices=DifferenceKind)
    entry = models.CharField(_("kind"), max_length=8, choices=Entry)
    number = models.CharField(_("number of the charge"), max_length=NUMBER_LENGTH_MAX, db_collation="C")
    refund_number = models.CharField(
        _("number of the refund"), max_length=NUMBER_LENGTH_MAX, blank=True, default="", db_collation="C"
    )
    trade_no = models.CharField(
        _("gateway's number"), max_length=NUMBER_LENGTH_MAX, blank=True, default="", db_collation="C"
    )
    occurrence = models.PositiveIntegerField(_("occurrence"), default=1)
    charge = models.ForeignKey("payments.Charge", models.PROTECT, null=True, blank=True, verbose_name=_("charge"))
    line = models.ForeignKey(BillLine, models.SET_NULL, null=True, blank=True, verbose_name=_("line of a bill"))
    # Of a fee: what was agreed, and what was kept.
    ours_fen = models.BigIntegerField(_("our book says"), null=True, blank=True)
    theirs_fen = models.BigIntegerField(_("the bill says"), null=True, blank=True)
    detail = models.CharField(_("detail"), max_length=TEXT_LENGTH_MAX, blank=True, default="")
    remedy = models.CharField(_("remedy"), max_length=24, choices=Remedy)
    status = models.CharField(_("status"), max_length=8, choices=DifferenceStatus)
    found_at = models.DateTimeField(_("found at"))
    pooled_until = models.DateTimeField(_("waits until"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    settled_by = models.CharField(_("settled by"), max_length=64, blank=True, default="")
    settled_reason = models.CharField(_("reason"), max_length=TEXT_LENGTH_MAX, blank=True, default="")

    class Meta:
        verbose_name = _("difference")
        verbose_name_plural = _("differences")
        permissions = [("settle_difference", _("Can settle differences between bills and our book"))]
        constraints = [
            models.UniqueConstraint(
                name="difference_once",
                fields=["account", "day", "kind", "entry", "number", "refund_number", "trade_no", "occurrence"],
            ),
            models.CheckConstraint(name="difference_kind_known", condition=Q(kind__in=DifferenceKind.values)),
            models.CheckConstraint(name="difference_entry_known", condition=Q(entry__in=Entry.values)),
            models.CheckConstraint(name="difference_remedy_known", condition=Q(remedy__in=Remedy.values)),
            models.CheckConstraint(name="difference_status_known", condition=Q(status__in=DifferenceStatus.values)),
            models.CheckConstraint(
                name="difference_pooled_until_a_time",
                condition=Q(status=DifferenceStatus.POOLED, pooled_until__isnull=False)
                | (~Q(status=DifferenceStatus.POOLED) & Q(pooled_until__isnull=True)),
            ),
            models.CheckConstraint(
                name="difference_settled_by_somebody",
                condition=(
                    Q(status=DifferenceStatus.SETTLED, settled_at__isnull=False)
                    & ~Q(settled_by="")
                    & ~Q(settled_reason="")
                )
                | (Q(status__in=UNSETTLED, settled_at__isnull=True, settled_by="", settled_reason="")),
            ),
            models.CheckConstraint(
                name="difference_says_what_each_side_has",
                condition=Q(kind=DifferenceKind.OURS_MISSING, ours_fen__isnull=True, theirs_fen__isnull=False)
                | Q(kind=DifferenceKind.THEIRS_MISSING, ours_fen__isnull=False, theirs_fen__isnull=True)
                | (
                    ~Q(kind__in=(DifferenceKind.OURS_MISSING, DifferenceKind.THEIRS_MISSING))
                    & Q(ours_fen__isnull=False, theirs_fen__isnull=False)
                ),
            ),
        ]
        indexes = [
            models.Index(name="difference_open", fields=["kind"], condition=Q(status=DifferenceStatus.OPEN)),
            models.Index(
                name="difference_pooled", fields=["pooled_until"], condition=Q(status=DifferenceStatus.POOLED)
            ),
            models.Index(name="difference_by_number", fields=["number"]),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.refund_number or self.number} {self.kind}"
