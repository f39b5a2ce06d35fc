"""Refunds of many orders that one person asked for at once: each order a line, each line one refund or a refusal."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from payments.money import FenField
from payments.refunds.models import REASON_LENGTH_MAX, Refund
from payments.refunds.states import LineStatus

BATCH_NUMBER_LENGTH_MAX = 38  # batch-<uuid>, so that `<number>-<order's id>` is a refund_no

# The constraint that makes a form sent twice one batch.
BATCH_NUMBER_ONCE = "refund_batch_number_once"


class RefundBatch(models.Model):
    """What was confirmed at once. Append-only: how far it is, its lines say."""

    number = models.CharField(_("number"), max_length=BATCH_NUMBER_LENGTH_MAX, db_collation="C")
    reason = models.CharField(_("reason"), max_length=REASON_LENGTH_MAX)
    requested_by = models.CharField(_("requested by"), max_length=64)
    requested_at = models.DateTimeField(_("requested at"), db_default=Now())
    request_id = models.CharField(_("request id"), max_length=36, blank=True, default="")

    class Meta:
        verbose_name = _("refund of many orders")
        verbose_name_plural = _("refunds of many orders")
        constraints = [
            models.UniqueConstraint(name=BATCH_NUMBER_ONCE, fields=["number"]),
            models.CheckConstraint(name="refund_batch_has_a_reason", condition=~Q(reason="")),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class RefundBatchLine(models.Model):
    """One order of a batch: all that was left of it when that was confirmed goes back, or nothing does."""

    batch = models.ForeignKey(
        RefundBatch, models.PROTECT, related_name="lines", verbose_name=_("refund of many orders")
    )
    order = models.ForeignKey("payments.Order", models.PROTECT, related_name="+", verbose_name=_("order"))
    seen_goods_fen = FenField(_("goods"))
    seen_shipping_fen = FenField(_("shipping"))
    status = models.CharField(_("status"), max_length=16, choices=LineStatus, default=LineStatus.WAITING)
    refund = models.OneToOneField(
        Refund, models.PROTECT, null=True, blank=True, related_name="batch_line", verbose_name=_("refund")
    )  # fmt: skip
    refusal = models.CharField(_("why not"), max_length=64, blank=True, default="")  # the error's code
    due_at = models.DateTimeField(_("due at"), null=True, blank=True)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)

    class Meta:
        verbose_name = _("order of a refund of many")
        verbose_name_plural = _("orders of a refund of many")
        ordering = ["batch", "id"]
        constraints = [
            models.UniqueConstraint(name="refund_batch_line_once_per_order", fields=["batch", "order"]),
            models.CheckConstraint(name="refund_batch_line_status_known", condition=Q(status__in=LineStatus.values)),
            models.CheckConstraint(
                name="refund_batch_line_amount_positive",
                condition=Q(seen_goods_fen__gte=0, seen_shipping_fen__gte=0)
                & (Q(seen_goods_fen__gt=0) | Q(seen_shipping_fen__gt=0)),
            ),
            models.CheckConstraint(
                name="refund_batch_line_is_what_its_status_says",
                condition=(
                    Q(status=LineStatus.WAITING, due_at__isnull=False, refund__isnull=True, refusal="")
                    | Q(status=LineStatus.DONE, due_at__isnull=True, refund__isnull=False, refusal="")
                    | Q(status=LineStatus.REFUSED, due_at__isnull=True, refund__isnull=True) & ~Q(refusal="")
                ),
            ),
        ]
        indexes = [
            models.Index(name="refund_batch_line_due", fields=["due_at", "id"], condition=Q(due_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.batch} {self.order_id}"

    @property
    def amount_fen(self) -> int:
        return int(self.seen_goods_fen + self.seen_shipping_fen)
