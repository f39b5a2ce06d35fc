from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

BODY_BYTES_MAX = 64 * 1024
NOTIFICATION_ID_LENGTH_MAX = 128


class Verdict(models.TextChoices):
    """What we made of a delivery. Only accepted ones move anything, each once."""

    ACCEPTED = "accepted", _("accepted")
    REPEAT = "repeat", _("repeat of an accepted one")
    WRONG_AMOUNT = "wrong_amount", _("genuine, but of another amount")
    UNKNOWN_NUMBER = "unknown_number", _("genuine, but of a number we do not know")
    MALFORMED = "malformed", _("malformed")
    BAD_SIGNATURE = "bad_signature", _("bad signature")
    WRONG_MERCHANT = "wrong_merchant", _("for another merchant")


GENUINE = (Verdict.ACCEPTED, Verdict.REPEAT, Verdict.WRONG_AMOUNT, Verdict.UNKNOWN_NUMBER)


class InboundNotification(models.Model):
    """One delivery of a gateway, raw, with its verdict."""

    gateway = models.CharField(_("gateway"), max_length=16)
    gateway_account = models.ForeignKey(
        "payments.GatewayAccount", models.PROTECT, null=True, blank=True, verbose_name=_("gateway account")
    )
    notification_id = models.CharField(
        _("gateway's own id"), max_length=NOTIFICATION_ID_LENGTH_MAX, blank=True, default=""
    )
    verdict = models.CharField(_("verdict"), max_length=16, choices=Verdict)
    detail = models.CharField(_("detail"), max_length=200, blank=True, default="")
    charge = models.ForeignKey(
        "payments.Charge", models.PROTECT, null=True, blank=True, related_name="notifications", verbose_name=_("charge")
    )
    remote_address = models.GenericIPAddressField(_("from"), null=True, blank=True)
    headers = models.JSONField(_("headers"), default=dict)
    body = models.BinaryField(_("body"))
    received_at = models.DateTimeField(_("received at"), db_default=Now())
    processed_at = models.DateTimeField(_("processed at"), null=True, blank=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0, db_default=0)
    due_at = models.DateTimeField(_("due at"), null=True, blank=True)  # an accepted one, until it is processed

    class Meta:
        verbose_name = _("gateway notification")
        verbose_name_plural = _("gateway notifications")
        permissions = [("replay_inboundnotification", _("Can have notifications processed again"))]
        constraints = [
            # Of the accepted only, so that a forged delivery can never shadow the genuine one.
            models.UniqueConstraint(
                name="notification_accepted_once",
                fields=["gateway_account", "notification_id"],
                condition=Q(verdict=Verdict.ACCEPTED),
            ),
            models.CheckConstraint(name="notification_verdict_known", condition=Q(verdict__in=Verdict.values)),
        ]
        indexes = [
            models.Index(
                name="notification_due",
                fields=["id"],
                condition=Q(verdict=Verdict.ACCEPTED, processed_at__isnull=True),
            ),
            models.Index(name="notification_try_due", fields=["due_at"], condition=Q(due_at__isnull=False)),
            models.Index(
                name="notification_refused",
                fields=["received_at"],
                condition=~Q(verdict__in=GENUINE),
            ),
            models.Index(
                name="notification_by_verdict", fields=["verdict", "-id"], condition=~Q(verdict=Verdict.ACCEPTED)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.notification_id or self.pk} {self.verdict}"
