"""Merchant accounts. Their secrets go in and never come out: a fingerprint says which one is there."""

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminSelectWidget

from payments import audit, secrets
from payments.admin.base import AuditedAdmin, actor_of
from payments.admin.gateway_forms import GatewayAccountForm, GatewayDefaultForm
from payments.admin.sight import OffersWithinSight
from payments.gateways import examination
from payments.gateways.models import GatewayKind
from payments.gateways.registry import GatewayBusy
from payments.models import GatewayAccount, GatewayDefault
from payments.transactions import transaction

# heading, fields, the kinds that need them (none named: all)
FIELDSETS: list[tuple[Any, tuple[Any, ...], tuple[str, ...]]] = [
    (None, (("name", "kind"), ("client", "is_active"), ("app_id", "merchant_id"), "modes"), ()),
    (_("Addresses"), (("base_url", "notify_base"),), ()),
    (_("Our key: Alipay, WeChat Pay APIv3"), ("private_key",), (GatewayKind.ALIPAY, GatewayKind.WECHAT_V3)),
    (
        _("Alipay"),
        ("alipay_public_key", "app_cert", "alipay_cert", "root_cert", "aes_key", "seller_email"),
        (GatewayKind.ALIPAY,),
    ),
    (_("WeChat Pay v2"), (("api_key", "sign_type"), ("client_cert", "client_key")), (GatewayKind.WECHAT_V2,)),
    (
        _("WeChat Pay APIv3"),
        (("serial_no", "api_v3_key"), "public_key_id", "public_key", "platform_certificates"),
        (GatewayKind.WECHAT_V3,),
    ),
    (
        _("Payments inside WeChat"),
        ("app_secret", ("oauth_page_url", "oauth_api_url")),
        (GatewayKind.WECHAT_V2, GatewayKind.WECHAT_V3),
    ),
    (_("Reconciliation"), ("fee_per_mille",), ()),
    (_("Stored"), ("fingerprints", "updated_at"), ()),
]


class DefaultInline(OffersWithinSight, TabularInline):  # type: ignore[misc]
    """For which client and method this account is the one that is taken."""

    model = GatewayDefault
    form = GatewayDefaultForm
    fields = ("client", "mode")
    extra = 0
    verbose_name_plural = _("Default for")


@admin.register(GatewayAccount)
class GatewayAccountAdmin(AuditedAdmin):
    as_seen_too = ("updated_at",)  # options and secrets
    client_path = "client"
    subject = "gateway_account"
    form = GatewayAccountForm
    list_display = ("name", "kind", "client", "app_id", "merchant_id", "is_active", "updated_at")
    list_select_related = ("client",)
    search_fields = ("app_id", "merchant_id", "name")
    readonly_fields = ("fingerprints", "updated_at")
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    inlines = (DefaultInline,)
    change_form_outer_before_template = "back_office/examine_button.html"

    class Media:
        js = ("back_office/gateway_account.js",)

    def get_readonly_fields(self, request: HttpRequest, obj: GatewayAccount | None = None) -> tuple[str, ...]:
        """An account keeps its kind: open charges are asked about in its words."""
        return (*self.readonly_fields, "kind") if obj else self.readonly_fields

    def get_fieldsets(self, request: HttpRequest, obj: GatewayAccount | None = None) -> list[Any]:
        return [
            (heading, {"fields": fields, "classes": [f"kind-{kind}" for kind in kinds]})
            for heading, fields, kinds in FIELDSETS
            if not (obj and kinds) or obj.kind in kinds
        ]

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Tell the script which methods each kind has."""
        if db_field.name == "kind":
            methods = json.dumps({kind.value: list(kind.modes) for kind in GatewayKind})
            kwargs["widget"] = UnfoldAdminSelectWidget(attrs={"data-methods": methods})
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:  # noqa: FBT001
        super().save_formset(request, form, formset, change)
        changed = [(str(default), "default") for default in formset.new_objects]
        changed += [(str(default), "default") for default, _fields in formset.changed_objects]
        changed += [(str(default), "no_default") for default in formset.deleted_objects]
        for default, action in changed:
            audit.record(
                actor=actor_of(request), action=f"{self.subject}.{action}",
                subject=f"{self.subject}:{form.instance.pk}", default=default,
            )  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        examine = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.examine))
        own = path("<int:account_id>/examine/", examine, name="payments_gatewayaccount_examine")
        return [own, *super().get_urls()]

    def examine(self, request: HttpRequest, account_id: int) -> HttpResponse:
        """Ask the gateway, on POST, and say in words what is wrong. No transaction is open while it is asked."""
        account = get_object_or_404(self.get_queryset(request), pk=account_id)
        if not self.has_change_permission(request, account):
            raise PermissionDenied
        found: list[examination.Finding] = []
        trouble = ""
        if request.method == "POST":
            try:
                found = examination.examine(account)
            except GatewayBusy as busy:
                trouble = busy.sentence()
            else:
                _record(request, account, found)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Test the connection"), "subtitle": str(account), "opts": self.opts, "account": account,
            "found": found, "worst": examination.worst(found) if found else "", "trouble": trouble,
        }  # fmt: skip
        return TemplateResponse(request, "back_office/examination.html", context)

    @admin.display(description=_("fingerprints of the secrets"))
    def fingerprints(self, account: GatewayAccount) -> str | None:
        try:
            stored = account.credentials()
        except secrets.CannotUnseal:
            return str(_("sealed under a key that ENCRYPTION_KEYS does not hold"))
        return ", ".join(f"{name} …{secrets.fingerprint(str(value))}" for name, value in stored.items()) or None


def _record(request: HttpRequest, account: GatewayAccount, found: list[examination.Finding]) -> None:
    with transaction():
        audit.record(
            actor=actor_of(request),
            action=f"{GatewayAccountAdmin.subject}.examine",
            subject=f"{GatewayAccountAdmin.subject}:{account.pk}",
            found=[f"{finding.level}: {finding.sentence}" for finding in found],
        )


@admin.register(GatewayDefault)
class GatewayDefaultAdmin(AuditedAdmin):
    client_path = "client"
    subject = "gateway_default"
    form = GatewayDefaultForm
    list_display = ("client", "channel", "mode", "account")
    list_select_related = ("client", "account")
    fields = ("client", "mode", "account")
