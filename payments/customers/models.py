from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Customer(models.Model):
    """A person who pays, as one client knows them. Points and balance are accounts of the ledger."""

    client = models.ForeignKey("payments.ApiClient", models.PROTECT, verbose_name=_("client"))
    user_id = models.CharField(_("user id"), max_length=64)
    ee_no = models.CharField(_("employee number"), max_length=64, blank=True)
    phone = models.CharField(_("phone"), max_length=32, blank=True)
    real_name = models.CharField(_("real name"), max_length=64, blank=True)
    is_frozen = models.BooleanField(_("frozen"), default=False)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        constraints = [models.UniqueConstraint(name="customer_once_per_client", fields=["client", "user_id"])]
        indexes = [
            models.Index(name="customer_by_ee_no", fields=["ee_no"]),
            models.Index(name="customer_by_phone", fields=["phone"]),
        ]
        permissions = [
            ("grant_value", _("Can grant and take points and balance")),
            ("view_personal_data", _("Can see names, phones, addresses and raw messages")),
            ("freeze_customer", _("Can freeze customers")),
        ]

    def __str__(self) -> str:
        return self.user_id
