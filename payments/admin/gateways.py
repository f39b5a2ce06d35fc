"""Merchant accounts. Their secrets go in and never come out: a fingerprint says which one is there."""

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminPasswordWidget

from payments import secrets
from payments.admin.base import AuditedAdmin
from payments.gateways import registry
from payments.models import GatewayAccount

SECRETS = ("private_key", "aes_key")


class GatewayAccountForm(forms.ModelForm):  # type: ignore[type-arg]
    private_key = forms.CharField(
        label=_("New private key"), required=False, widget=UnfoldAdminPasswordWidget,
        help_text=_("PEM or bare base64. Empty: the stored one stays."),
    )  # fmt: skip
    aes_key = forms.CharField(
        label=_("New AES key"), required=False, widget=UnfoldAdminPasswordWidget,
        help_text=_("Empty: the stored one stays."),
    )  # fmt: skip

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        given = {name: self.cleaned_data[name] for name in SECRETS if self.cleaned_data[name]}
        if given:
            self.instance.set_credentials(self.instance.credentials() | given)
        try:
            registry.GATEWAYS[self.instance.kind](self.instance)
        except (ValueError, TypeError) as error:
            self.add_error(
                None, ValidationError(_("The account cannot work like this: %(why)s"), params={"why": error})
            )


@admin.register(GatewayAccount)
class GatewayAccountAdmin(AuditedAdmin):
    subject = "gateway_account"
    form = GatewayAccountForm
    list_display = ("name", "kind", "client", "app_id", "merchant_id", "is_active", "updated_at")
    list_select_related = ("client",)
    search_fields = ("app_id", "merchant_id", "name")
    readonly_fields = ("fingerprints", "updated_at")
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    fieldsets = (
        (None, {"fields": (("name", "kind"), ("client", "is_active"), ("app_id", "merchant_id"))}),
        (_("Addresses"), {"fields": (("base_url", "notify_base"),)}),
        (_("Keys"), {"fields": ("options", "fingerprints", SECRETS, "updated_at")}),
    )

    @admin.display(description=_("fingerprints of the secrets"))
    def fingerprints(self, account: GatewayAccount) -> str | None:
        try:
            stored = account.credentials()
        except secrets.CannotUnseal:
            return str(_("sealed under a key that ENCRYPTION_KEYS does not hold"))
        return ", ".join(f"{name} …{secrets.fingerprint(str(value))}" for name, value in stored.items()) or None
