import base64
import datetime
import hashlib
import ipaddress
import os
import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from payments import secrets

WEBHOOK_SECRET_PREFIX = "whsec_"  # noqa: S105  the standard's
WEBHOOK_SECRET_BYTES = 32
APP_ID_MAX = 999_999_999  # what the wire takes for a whole number


class SignType(models.TextChoices):
    MD5 = "MD5", "MD5"
    HMAC_SHA256 = "HMAC-SHA256", "HMAC-SHA256"


class PointsPolicy(models.TextChoices):
    POINTS_FIRST = "points_first", _("points leave the account when the order is made")
    POINTS_LAST = "points_last", _("points are held and taken once the cash is there")


class RefundPolicy(models.TextChoices):
    """Which of an order's tenders goes back first."""

    CASH_FIRST = "cash_first", _("cash first")
    POINTS_FIRST = "points_first", _("points first")
    PRO_RATA = "pro_rata", _("each in proportion")


class LateMoneyPolicy(models.TextChoices):
    """What becomes of money that came too late or twice."""

    REFUND = "refund", _("goes back by itself")
    HOLD = "hold", _("waits for staff")


def validate_network(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValidationError(_("%(text)s is not a network such as 10.0.0.0/8"), params={"text": text}) from error


def token_digest(token: str) -> str:
    """What is stored of a token: tokens are random, so one SHA-256 is as good as a slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_webhook_secret() -> str:
    """Return a secret as Standard Webhooks writes them."""
    return WEBHOOK_SECRET_PREFIX + base64.b64encode(os.urandom(WEBHOOK_SECRET_BYTES)).decode()


class ApiClient(models.Model):
    """A calling system. Its Django user is its service account, so that permissions are Django's own."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.SlugField(_("name"), max_length=40, unique=True)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("service account"))
    token_sha256 = models.CharField(_("token digest"), max_length=64, unique=True, editable=False)
    sealed_secret = models.TextField(_("signing secret, sealed"), editable=False)
    sealed_webhook_secret = models.TextField(_("webhook secret, sealed"), editable=False, default="", db_default="")
    sealed_webhook_secret_before = models.TextField(editable=False, default="", db_default="")
    webhook_secret_before_until = models.DateTimeField(null=True, editable=False)  # signed with as well until then
    sign_type = models.CharField(_("signing method"), max_length=16, choices=SignType, default=SignType.MD5)
    families = ArrayField(models.CharField(max_length=32), verbose_name=_("families it serves"), default=list)
    default_of = models.CharField(
        _("default client of the family"),
        max_length=32,
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "Calls without a token are this client's, where the family's document names none. They are signed."
        ),
    )
    app_id = models.PositiveIntegerField(
        _("app id"),
        null=True,
        blank=True,
        unique=True,
        validators=[MinValueValidator(1), MaxValueValidator(APP_ID_MAX)],
        error_messages={"unique": _("Another client has this app id. Choose another number.")},
        help_text=_(
            "Calls without a token are this client's where they name its app id; 1 is that of calls that name none. "
            "They are signed. Empty: no call can name it."
        ),
    )
    allowed_networks = ArrayField(
        models.CharField(max_length=43, validators=[validate_network]),
        verbose_name=_("networks it may call from"),
        default=list,
        blank=True,
        help_text=_("Empty: from anywhere."),
    )
    unsigned_from = ArrayField(
        models.CharField(max_length=43, validators=[validate_network]),
        verbose_name=_("networks that need neither sign nor token"),
        default=list,
        blank=True,
        help_text=_("Private networks only."),
    )
    redirect_hosts = ArrayField(
        models.CharField(max_length=253),
        verbose_name=_("hosts a customer may be led back to"),
        default=list,
        blank=True,
    )
    points_policy = models.CharField(
        _("points policy"), max_length=16, choices=PointsPolicy, default=PointsPolicy.POINTS_FIRST
    )
    order_ttl_seconds = models.PositiveIntegerField(_("seconds an order may wait"), default=1_800)
    refund_policy = models.CharField(
        _("refund policy"),
        max_length=16,
        choices=RefundPolicy,
        default=RefundPolicy.CASH_FIRST,
        db_default=RefundPolicy.CASH_FIRST,
    )
    approval_above_fen = models.BigIntegerField(
        _("refunds above this need a second person"), null=True, blank=True, help_text=_("In fen. Empty: none does.")
    )
    grant_approval_above_fen = models.BigIntegerField(
        _("points or balance by staff above this need a second person"),
        null=True,
        blank=True,
        default=0,
        db_default=0,
        help_text=_("In fen. 0: each does. Empty: none does."),
    )
    late_money_policy = models.CharField(
        _("money that comes late or twice"),
        max_length=8,
        choices=LateMoneyPolicy,
        default=LateMoneyPolicy.REFUND,
        db_default=LateMoneyPolicy.REFUND,
    )
    always_http_200 = models.BooleanField(_("answer 200 for refusals"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    permission_names: frozenset[str]  # such as checkout.point_pay: read with the client by `queries.by_token`

    class Meta:
        verbose_name = _("API client")
        verbose_name_plural = _("API clients")
        constraints = [
            models.CheckConstraint(name="client_sign_type_known", condition=Q(sign_type__in=SignType.values)),
            models.CheckConstraint(
                name="client_points_policy_known", condition=Q(points_policy__in=PointsPolicy.values)
            ),
            models.CheckConstraint(
                name="client_refund_policy_known", condition=Q(refund_policy__in=RefundPolicy.values)
            ),
            models.CheckConstraint(
                name="client_late_money_policy_known", condition=Q(late_money_policy__in=LateMoneyPolicy.values)
            ),
            models.CheckConstraint(
                name="client_approval_limit_not_negative",
                condition=Q(approval_above_fen__isnull=True) | Q(approval_above_fen__gte=0),
            ),
            models.CheckConstraint(
                name="client_grant_approval_limit_not_negative",
                condition=Q(grant_approval_above_fen__isnull=True) | Q(grant_approval_above_fen__gte=0),
            ),
            models.UniqueConstraint(
                name="client_default_of_family_once",
                fields=["default_of"],
                condition=~Q(default_of=""),
                violation_error_message=_("The family has a default client already."),
            ),
            models.CheckConstraint(
                name="client_default_serves_family",
                condition=Q(default_of="") | Q(families__contains=[F("default_of")]),
            ),
            models.CheckConstraint(
                name="client_app_id_in_range",
                condition=Q(app_id__isnull=True) | Q(app_id__range=(1, APP_ID_MAX)),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.default_of and self.default_of not in self.families:
            raise ValidationError({"default_of": _("The default client of a family must serve it.")})

    @property
    def actor(self) -> str:
        return f"client:{self.name}"

    def _context(self, field: str) -> bytes:
        return secrets.context(model="apiclient", field=field, uid=self.uid)

    def secret(self) -> str:
        return secrets.unseal(sealed=self.sealed_secret, context=self._context("secret"))

    def set_secret(self, secret: str) -> None:
        self.sealed_secret = secrets.seal(text=secret, context=self._context("secret"))

    def webhook_secrets(self, *, at: datetime.datetime) -> list[str]:
        """Return what webhooks are signed under: the secret and, for a day after a rotation, the one before."""
        sealed = [self.sealed_webhook_secret]
        if self.webhook_secret_before_until is not None and at < self.webhook_secret_before_until:
            sealed.append(self.sealed_webhook_secret_before)
        return [secrets.unseal(sealed=text, context=self._context("webhook_secret")) for text in sealed if text]

    def set_webhook_secret(self, secret: str, *, before_until: datetime.datetime) -> None:
        """Sign webhooks under `secret` from now on, and under the present one too until `before_until`."""
        self.sealed_webhook_secret_before = self.sealed_webhook_secret
        self.webhook_secret_before_until = before_until if self.sealed_webhook_secret else None
        self.sealed_webhook_secret = secrets.seal(text=secret, context=self._context("webhook_secret"))

    def set_token(self, token: str) -> None:
        self.token_sha256 = token_digest(token)
