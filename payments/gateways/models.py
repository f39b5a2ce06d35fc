import json
import uuid
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payments import secrets


class GatewayKind(models.TextChoices):
    ALIPAY = "alipay", _("Alipay")
    MEMORY = "memory", _("in memory")


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
                name="gateway_account_once", fields=["kind", "client", "app_id"], nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name}"

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
