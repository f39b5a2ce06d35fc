from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from payments.outbox import addresses

URL_LENGTH_MAX = 256
REASON_LENGTH_MAX = 200


class EventKind(models.TextChoices):
    """What a client is told of its orders. The names are the wire's."""

    ORDER_PAID = "order.paid", _("order paid in full")
    ORDER_CLOSED = "order.closed", _("order closed")
    ORDER_REFUNDED = "order.refunded", _("order refunded")
    REFUND_FAILED = "refund.failed", _("refund failed")
    ORDER_PAID_LATE = "order.paid_late", _("money came after closing")
    ORDER_OVERPAID = "order.overpaid", _("money came beyond need")
    SURPLUS_REFUNDED = "surplus.refunded", _("money that came late or beyond need went back")


class OutboxEvent(models.Model):
    """
    One thing that a client is told, written in the transaction of the change itself.

    Append-only but for `dispatched_at`: the body is made once and sent as it stands, however often.
    """

    uid = models.CharField(_("event id"), max_length=36, unique=True, db_collation="C")  # evt_ and 32 hex digits
    order = models.ForeignKey("payments.Order", models.PROTECT, related_name="events", verbose_name=_("order"))
    client = models.ForeignKey("payments.ApiClient", models.PROTECT, related_name="events", verbose_name=_("client"))
    kind = models.CharField(_("kind"), max_length=16, choices=EventKind)
    version = models.PositiveIntegerField(_("version"))  # rises per order: a receiver drops what is older
    body = models.TextField(_("body"))
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    dispatched_at = models.DateTimeField(_("dispatched at"), null=True, blank=True)  # its deliveries are rows

    class Meta:
        verbose_name = _("webhook event")
        verbose_name_plural = _("webhook events")
        constraints = [
            models.UniqueConstraint(name="outboxevent_version_once", fields=["order", "version"]),
            models.CheckConstraint(name="outboxevent_version_positive", condition=Q(version__gt=0)),
            models.CheckConstraint(name="outboxevent_kind_known", condition=Q(kind__in=EventKind.values)),
        ]
        indexes = [
            models.Index(name="outboxevent_undispatched", fields=["id"], condition=Q(dispatched_at__isnull=True)),
            models.Index(name="outboxevent_by_kind", fields=["kind", "-id"]),
            models.Index(name="outboxevent_by_created", fields=["created_at"]),
        ]

    def __str__(self) -> str:
        return self.uid


class WebhookEndpoint(models.Model):
    """
    A receiver: an address that staff entered for a client, or the origin of addresses that orders brought along.

    It fails and is parked as a whole, so that a dead receiver costs one attempt at a time.
    """

    client = models.ForeignKey("payments.ApiClient", models.PROTECT, related_name="endpoints", verbose_name=_("client"))
    url = models.CharField(_("address"), max_length=URL_LENGTH_MAX)
    is_from_orders = models.BooleanField(_("from orders"), default=False, editable=False)
    kinds = ArrayField(
        models.CharField(max_length=16, choices=EventKind),
        verbose_name=_("events it wants"),
        default=list,
        blank=True,
        help_text=_("Empty: all."),
    )
    description = models.CharField(_("description"), max_length=128, blank=True, default="")
    is_active = models.BooleanField(_("active"), default=True, help_text=_("Off: nothing is sent, what waits waits."))
    failures_in_a_row = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    paused_until = models.DateTimeField(_("paused until"), null=True, blank=True)  # after a failure, ever longer
    parked_at = models.DateTimeField(_("parked at"), null=True, blank=True)
    parked_reason = models.CharField(_("why it is parked"), max_length=REASON_LENGTH_MAX, blank=True, default="")
    last_success_at = models.DateTimeField(_("last success at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        permissions = [("unpark_webhookendpoint", "Can unpark webhook endpoint")]
        constraints = [
            models.UniqueConstraint(name="webhookendpoint_once", fields=["client", "url", "is_from_orders"]),
            models.CheckConstraint(
                name="webhookendpoint_parked_for_a_reason",
                condition=Q(parked_at__isnull=True, parked_reason="")
                | (Q(parked_at__isnull=False) & ~Q(parked_reason="")),
            ),
        ]
        indexes = [
            models.Index(name="webhookendpoint_parked", fields=["parked_at"], condition=Q(parked_at__isnull=False)),
            models.Index(name="webhookendpoint_listed", fields=["client"], condition=Q(is_from_orders=False)),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def subject(self) -> str:
        """How audit rows name this endpoint."""
        return f"webhook_endpoint:{self.pk}"

    def clean(self) -> None:
        try:
            addresses.check(self.url)
        except addresses.UnfitAddress as unfit:
            raise ValidationError({"url": str(unfit.sentence)}) from unfit


class DeliveryStatus(models.TextChoices):
    DUE = "due", _("due")
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("given up")
    PARKED = "parked", _("parked")


WAITING = (DeliveryStatus.DUE, DeliveryStatus.PARKED)
UNDELIVERED = (*WAITING, DeliveryStatus.FAILED)


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint."""

    event = models.ForeignKey(OutboxEvent, models.PROTECT, related_name="deliveries", verbose_name=_("webhook event"))
    endpoint = models.ForeignKey(
        WebhookEndpoint, models.PROTECT, related_name="deliveries", verbose_name=_("webhook endpoint")
    )
    client = models.ForeignKey("payments.ApiClient", models.PROTECT, related_name="+", verbose_name=_("client"))
    url = models.CharField(_("order's own address"), max_length=URL_LENGTH_MAX, blank=True, default="")
    status = models.CharField(_("status"), max_length=16, choices=DeliveryStatus, default=DeliveryStatus.DUE)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)  # since it was last made due by hand
    due_at = models.DateTimeField(_("due at"), null=True, blank=True)
    leased_until = models.DateTimeField(_("being sent until"), null=True, blank=True)
    last_status = models.PositiveSmallIntegerField(_("last HTTP status"), null=True, blank=True)
    last_error = models.CharField(_("last error"), max_length=REASON_LENGTH_MAX, blank=True, default="")
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        permissions = [("redeliver_webhookdelivery", "Can redeliver webhook delivery")]
        constraints = [
            models.UniqueConstraint(name="webhookdelivery_once", fields=["event", "endpoint"]),
            models.CheckConstraint(name="webhookdelivery_status_known", condition=Q(status__in=DeliveryStatus.values)),
            models.CheckConstraint(
                name="webhookdelivery_due_has_a_time",
                condition=Q(status=DeliveryStatus.DUE, due_at__isnull=False)
                | (~Q(status=DeliveryStatus.DUE) & Q(due_at__isnull=True)),
            ),
        ]
        indexes = [
            models.Index(
                name="webhookdelivery_due", fields=["endpoint", "due_at", "id"], condition=Q(status=DeliveryStatus.DUE)
            ),
            models.Index(name="webhookdelivery_leased", fields=["endpoint"], condition=Q(leased_until__isnull=False)),
            models.Index(
                name="webhookdelivery_undelivered", fields=["status", "id"], condition=Q(status__in=UNDELIVERED)
            ),
            models.Index(name="webhookdelivery_by_client", fields=["client", "-id"]),
            models.Index(name="webhookdelivery_by_status", fields=["client", "status", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} → {self.endpoint_id}"

    @property
    def target(self) -> str:
        """Where it goes: an endpoint that staff corrected meanwhile is sent to at its new address."""
        return self.url or self.endpoint.url


class DeliveryAttempt(models.Model):
    """One try. Append-only."""

    delivery = models.ForeignKey(
        WebhookDelivery, models.PROTECT, related_name="tries", verbose_name=_("webhook delivery")
    )
    url = models.CharField(_("address"), max_length=URL_LENGTH_MAX)
    at = models.DateTimeField(_("at"), db_default=Now())
    elapsed_ms = models.PositiveIntegerField(_("milliseconds"))
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=REASON_LENGTH_MAX, blank=True, default="")
    answer = models.TextField(_("answer"), blank=True, default="")  # its first KiB

    class Meta:
        verbose_name = _("webhook attempt")
        verbose_name_plural = _("webhook attempts")

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.http_status or self.error}"
