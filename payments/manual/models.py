from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.db.models.lookups import GreaterThan, LessThanOrEqual
from django.utils.translation import gettext_lazy as _

from payments.charges.models import TRADE_NO_LENGTH_MAX
from payments.customers.queries import Direction
from payments.ledger.accounts import Kind
from payments.manual.states import Status

NUMBER_LENGTH_MAX = 36  # what a grant's number may have, which a value request's is
REASON_LENGTH_MAX = 200
EVIDENCE_NAME_LENGTH_MAX = 120
EVIDENCE_BYTES_MAX = 5 * 1024 * 1024


class EvidenceType(models.TextChoices):
    PDF = "application/pdf", "PDF"
    PNG = "image/png", "PNG"
    JPEG = "image/jpeg", "JPEG"


class OctetLength(models.Func):
    """How many bytes PostgreSQL has stored."""

    function = "octet_length"
    output_field = models.IntegerField()


class Request(models.Model):
    """What somebody of the staff asked for, with who decided on it. Its number makes a double click one request."""

    number = models.CharField(_("number"), max_length=NUMBER_LENGTH_MAX, unique=True, db_collation="C")
    amount_fen = models.BigIntegerField(_("amount"))
    reason = models.CharField(_("reason"), max_length=REASON_LENGTH_MAX)
    status = models.CharField(_("status"), max_length=16, choices=Status)
    requested_by = models.CharField(_("requested by"), max_length=64)
    requested_at = models.DateTimeField(_("requested at"), db_default=Now())
    decided_by = models.CharField(_("decided by"), max_length=64, blank=True, default="")
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decision = models.CharField(_("why"), max_length=REASON_LENGTH_MAX, blank=True, default="")

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(name="%(class)s_amount_positive", condition=Q(amount_fen__gt=0)),
            models.CheckConstraint(name="%(class)s_status_known", condition=Q(status__in=Status.values)),
            models.CheckConstraint(
                name="%(class)s_decided_by_another", condition=Q(decided_by="") | ~Q(decided_by=F("requested_by"))
            ),
            # What is done below the limit nobody decided on; what waits, nobody has yet.
            models.CheckConstraint(
                name="%(class)s_decided_whole",
                condition=Q(decided_by="", decided_at__isnull=True, status__in=[Status.TO_APPROVE, Status.DONE])
                | (~Q(decided_by="") & Q(decided_at__isnull=False, status__in=[Status.DONE, Status.REFUSED])),
            ),
        ]
        indexes = [
            models.Index(name="%(class)s_waits", fields=["id"], condition=Q(status=Status.TO_APPROVE)),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class HandConfirmation(Request):
    """
    A payment that its gateway does not confirm, and somebody of the staff does, with evidence.

    Done, it is booked as any payment is. The gateway's bill has the last word: what it does not know is a difference.
    """

    charge = models.ForeignKey(
        "payments.Charge", models.PROTECT, related_name="hand_confirmations", verbose_name=_("charge")
    )
    trade_no = models.CharField(_("gateway's number"), max_length=TRADE_NO_LENGTH_MAX, db_collation="C")
    paid_at = models.DateTimeField(_("paid at"))
    gateway_said = models.CharField(_("what the gateway said"), max_length=200, blank=True, default="")
    is_contradicted = models.BooleanField(_("the gateway says otherwise"), default=False)
    evidence = models.BinaryField(_("evidence"))
    evidence_name = models.CharField(_("name of the file"), max_length=EVIDENCE_NAME_LENGTH_MAX)
    evidence_type = models.CharField(_("kind of the file"), max_length=16, choices=EvidenceType)
    evidence_sha256 = models.CharField(_("SHA-256 of the file"), max_length=64)

    class Meta(Request.Meta):
        abstract = False
        verbose_name = _("payment confirmed by hand")
        verbose_name_plural = _("payments confirmed by hand")
        permissions = [
            ("request_confirmation", _("Can confirm payments by hand")),
            ("approve_confirmation", _("Can approve payments that others confirmed by hand")),
        ]
        constraints = [
            *Request.Meta.constraints,
            models.UniqueConstraint(
                name="handconfirmation_once_per_charge", fields=["charge"], condition=~Q(status=Status.REFUSED)
            ),
            models.CheckConstraint(name="handconfirmation_has_a_trade", condition=~Q(trade_no="")),
            models.CheckConstraint(
                name="handconfirmation_evidence_known", condition=Q(evidence_type__in=EvidenceType.values)
            ),
            models.CheckConstraint(
                name="handconfirmation_evidence_fits",
                condition=Q(GreaterThan(OctetLength("evidence"), 0))
                & Q(LessThanOrEqual(OctetLength("evidence"), EVIDENCE_BYTES_MAX)),
            ),
        ]


class ValueRequest(Request):
    """Points or balance that staff give to a customer or take. Done, it is the grant of its number."""

    customer = models.ForeignKey(
        "payments.Customer", models.PROTECT, related_name="value_requests", verbose_name=_("customer")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    direction = models.CharField(_("direction"), max_length=8, choices=Direction)

    class Meta(Request.Meta):
        abstract = False
        verbose_name = _("points or balance by staff")
        verbose_name_plural = _("points and balance by staff")
        permissions = [("approve_grant", _("Can approve points and balance that others give or take"))]
        constraints = [
            *Request.Meta.constraints,
            models.CheckConstraint(name="valuerequest_kind_known", condition=Q(kind__in=Kind.values)),
            models.CheckConstraint(name="valuerequest_direction_known", condition=Q(direction__in=Direction.values)),
        ]
