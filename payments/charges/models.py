from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django.db.models.lookups import GreaterThanOrEqual
from django.utils.translation import gettext_lazy as _

from payments.charges.states import OPEN, Status
from payments.gateways.models import MODE_CHOICES, Channel
from payments.money import FenField

# A charge is the gateway's out_trade_no: at most 32 of [0-9A-Za-z_], `<order number>_<attempt>`.
NUMBER_LENGTH_MAX = 32
TRADE_NO_LENGTH_MAX = 64


class Tender(models.TextChoices):
    """What is paid with: an account of the customer, or cash at a gateway."""

    POINTS = "points", _("points")
    BALANCE = "balance", _("balance")
    WECHAT = Channel.WECHAT.value, Channel.WECHAT.label
    ALIPAY = Channel.ALIPAY.value, Channel.ALIPAY.label
    MEMORY = Channel.MEMORY.value, Channel.MEMORY.label


CASH = (Tender.WECHAT, Tender.ALIPAY, Tender.MEMORY)
OWN = (Tender.POINTS, Tender.BALANCE)  # each the ledger's account of that kind


class Charge(models.Model):
    """One attempt to pay one tender's part of an order. Its number is the gateway's idempotency key."""

    order = models.ForeignKey("payments.Order", models.PROTECT, related_name="charges", verbose_name=_("order"))
    attempt = models.PositiveSmallIntegerField(_("attempt"))
    number = models.CharField(_("number"), max_length=NUMBER_LENGTH_MAX, db_collation="C")
    tender = models.CharField(_("tender"), max_length=16, choices=Tender)
    mode = models.CharField(_("mode"), max_length=8, choices=MODE_CHOICES, blank=True, default="")
    gateway_account = models.ForeignKey(
        "payments.GatewayAccount", models.PROTECT, null=True, blank=True, verbose_name=_("gateway account")
    )
    # What the gateway was told of the payer: a repeated request must be the same to the letter.
    payer_id = models.CharField(_("payer's openid"), max_length=128, blank=True, default="", db_default="")
    payer_address = models.CharField(_("payer's address"), max_length=45, blank=True, default="", db_default="")
    return_url = models.CharField(_("leads back to"), max_length=256, blank=True, default="", db_default="")
    amount_fen = models.BigIntegerField(_("amount"))
    paid_fen = models.BigIntegerField(_("paid, as the gateway says"), null=True, blank=True)
    # What refunds on their way keep reserved of what was paid, and what has gone back.
    refunding_fen = FenField(_("being refunded"), db_default=0)
    refunded_fen = FenField(_("refunded"), db_default=0)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.STARTED)
    gateway_trade_no = models.CharField(
        _("gateway's number"), max_length=TRADE_NO_LENGTH_MAX, blank=True, default="", db_collation="C"
    )
    payload = models.JSONField(_("what the payer's side needs"), default=dict, blank=True)
    last_answer = models.CharField(_("gateway's last word"), max_length=200, blank=True, default="")
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    expires_at = models.DateTimeField(_("expires at the gateway"), null=True, blank=True)
    paid_at = models.DateTimeField(_("paid at"), null=True, blank=True)
    is_replaced = models.BooleanField(_("replaced by another attempt"), default=False, db_default=False)
    queries = models.PositiveSmallIntegerField(_("queries"), default=0)
    next_query_at = models.DateTimeField(_("next query at"), null=True, blank=True)

    class Meta:
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        ordering = ["order", "attempt"]
        constraints = [
            models.UniqueConstraint(name="charge_number_once", fields=["number"]),
            models.UniqueConstraint(name="charge_attempt_once", fields=["order", "attempt"]),
            models.UniqueConstraint(
                name="charge_one_pays_the_cash",
                fields=["order"],
                condition=Q(status=Status.SUCCEEDED, tender__in=CASH),
            ),
            models.UniqueConstraint(
                name="charge_balance_pays_once",  # points pay with the placing of the order, and never again
                fields=["order"],
                condition=Q(status=Status.SUCCEEDED, tender=Tender.BALANCE),
            ),
            models.UniqueConstraint(
                name="charge_gateway_trade_once",
                fields=["gateway_account", "gateway_trade_no"],
                condition=~Q(gateway_trade_no=""),
            ),
            models.CheckConstraint(name="charge_amount_positive", condition=Q(amount_fen__gt=0)),
            models.CheckConstraint(
                name="charge_refunded_within_paid",
                condition=Q(refunding_fen__gte=0, refunded_fen__gte=0)
                & Q(GreaterThanOrEqual(Coalesce(F("paid_fen"), 0), F("refunding_fen") + F("refunded_fen"))),
            ),
            models.CheckConstraint(name="charge_status_known", condition=Q(status__in=Status.values)),
            models.CheckConstraint(name="charge_tender_known", condition=Q(tender__in=Tender.values)),
            models.CheckConstraint(
                name="charge_cash_has_an_account",
                condition=Q(tender__in=CASH, gateway_account__isnull=False)
                | (~Q(tender__in=CASH) & Q(gateway_account__isnull=True)),
            ),
        ]
        indexes = [
            models.Index(
                name="charge_query_due", fields=["next_query_at", "id"], condition=Q(next_query_at__isnull=False)
            ),
            models.Index(name="charge_open", fields=["order"], condition=Q(status__in=OPEN)),
            models.Index(
                name="charge_paid_at_gateway",
                fields=["gateway_account", "paid_at"],
                condition=Q(gateway_account__isnull=False, paid_at__isnull=False),
            ),
            models.Index(name="charge_surplus", fields=["id"], condition=Q(status=Status.SURPLUS)),
            # For staff's lists, of what points do not pay: those are nearly all, and cost no more for it.
            models.Index(name="charge_by_status", fields=["status", "-id"], condition=~Q(status=Status.SUCCEEDED)),
            models.Index(name="charge_by_tender", fields=["tender", "-id"], condition=~Q(tender=Tender.POINTS)),
            BrinIndex(name="charge_by_time", fields=["created_at"], autosummarize=True),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def left_fen(self) -> int:
        """What can still be asked back of it."""
        return int((self.paid_fen or 0) - self.refunding_fen - self.refunded_fen)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN
