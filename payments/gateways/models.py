import json
import uuid
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payments import secrets
from payments.gateways.base import Mode
from payments.gateways.wechat_v2.codec import MD5


class Channel(models.TextChoices):
    """What a payer knows: the app they pay with."""

    WECHAT = "wechat", _("WeChat Pay")
    ALIPAY = "alipay", _("Alipay")
    MEMORY = "memory", _("in memory")


class GatewayKind(models.TextChoices):
    """A protocol. WeChat Pay has two, for the same payers."""

    WECHAT_V3 = "wechat_v3", _("WeChat Pay APIv3")
    WECHAT_V2 = "wechat_v2", _("WeChat Pay v2")
    ALIPAY = "alipay", _("Alipay")
    MEMORY = "memory", _("in memory")

    @property
    def channel(self) -> Channel:
        return _CHANNELS[self]

    @property
    def modes(self) -> tuple[Mode, ...]:
        """How this protocol can lead a payer to the gateway."""
        return _MODES[self.channel]


_CHANNELS = {
    GatewayKind.WECHAT_V3: Channel.WECHAT,
    GatewayKind.WECHAT_V2: Channel.WECHAT,
    GatewayKind.ALIPAY: Channel.ALIPAY,
    GatewayKind.MEMORY: Channel.MEMORY,
}
_MODES = {
    Channel.WECHAT: (Mode.QR, Mode.JSAPI, Mode.WAP, Mode.APP),
    Channel.ALIPAY: (Mode.QR, Mode.PAGE, Mode.WAP, Mode.APP),
    Channel.MEMORY: tuple(Mode),
}
MODE_CHOICES = [
    (Mode.QR.value, _("code to scan")),
    (Mode.JSAPI.value, _("inside WeChat")),
    (Mode.WAP.value, _("page on a phone")),
    (Mode.PAGE.value, _("page on a desktop")),
    (Mode.APP.value, _("inside an app")),
]


class GatewayAccount(models.Model):
    """
    A merchant account at a gateway: which merchant an order's money goes to.

    `options` holds what may be seen (mode, public keys, certificates), the sealed secrets what may not. The account
    of a client comes before the one that serves every client (no client).
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(_("gateway"), max_length=16, choices=GatewayKind)
    name = models.CharField(_("name"), max_length=64)
    client = models.ForeignKey(
        "payments.ApiClient",
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("client"),
        help_text=_("Empty: serves every client that has no account of its own."),
    )
    app_id = models.CharField(_("app id"), max_length=64)
    merchant_id = models.CharField(_("merchant or seller id"), max_length=64, blank=True)
    modes = ArrayField(
        models.CharField(max_length=8, choices=MODE_CHOICES),
        verbose_name=_("methods"),
        default=list,
        blank=True,
        help_text=_("What the merchant's contract with the gateway allows. Empty: everything."),
    )
    base_url = models.URLField(_("base URL of the gateway"), blank=True)
    notify_base = models.URLField(_("base URL for notifications"), blank=True)
    options = models.JSONField(_("options"), default=dict, blank=True)
    sealed_secrets = models.TextField(_("secrets, sealed"), blank=True, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    updated_at = models.DateTimeField(_("updated at"), auto_now=True)

    class Meta:
        verbose_name = _("gateway account")
        verbose_name_plural = _("gateway accounts")
        constraints = [
            models.CheckConstraint(name="gateway_kind_known", condition=Q(kind__in=GatewayKind.values)),
            models.UniqueConstraint(
                name="gateway_account_once", fields=["kind", "client", "app_id", "merchant_id"], nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name}"

    @property
    def channel(self) -> Channel:
        return GatewayKind(self.kind).channel

    def serves(self, mode: str, *, family: str = "") -> bool:
        """Whether payers (of one family's orders) can be led to the gateway in this mode."""
        return mode in (self.modes or GatewayKind(self.kind).modes) and self.suits(mode, families=[family])

    def suits(self, mode: str, *, families: Iterable[str]) -> bool:
        """Whether the apps of all these families understand it: those of WECHAT_V2_FAMILIES take v2 under MD5 alone."""
        if mode != Mode.APP or self.channel != Channel.WECHAT or set(families).isdisjoint(settings.WECHAT_V2_FAMILIES):
            return True
        return self.kind == GatewayKind.WECHAT_V2 and (self.options.get("sign_type") or MD5) == MD5

    @property
    def _secrets_context(self) -> bytes:
        return secrets.context(model="gatewayaccount", field="secrets", uid=self.uid)

    def credentials(self) -> dict[str, Any]:
        if not self.sealed_secrets:
            return {}
        opened: dict[str, Any] = json.loads(secrets.unseal(sealed=self.sealed_secrets, context=self._secrets_context))
        return opened

    def set_credentials(self, values: dict[str, str]) -> None:
        self.sealed_secrets = secrets.seal(text=json.dumps(values), context=self._secrets_context)


class GatewayDefault(models.Model):
    """Which of several merchant accounts takes the money of a client (of none: of every client) by one method."""

    client = models.ForeignKey(
        "payments.ApiClient",
        models.CASCADE,
        null=True,
        blank=True,
        verbose_name=_("client"),
        help_text=_("Empty: every client without a choice of its own."),
    )
    channel = models.CharField(_("paid with"), max_length=16, choices=Channel)
    mode = models.CharField(_("method"), max_length=8, choices=MODE_CHOICES)
    account = models.ForeignKey(
        GatewayAccount, models.CASCADE, related_name="defaults", verbose_name=_("gateway account")
    )

    class Meta:
        verbose_name = _("default gateway account")
        verbose_name_plural = _("default gateway accounts")
        constraints = [
            models.CheckConstraint(name="gateway_default_channel_known", condition=Q(channel__in=Channel.values)),
            models.UniqueConstraint(
                name="gateway_default_once", fields=["client", "channel", "mode"], nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} {self.get_mode_display()}: {self.account}"
