"""Calling systems. Made by `manage.py createclient`, which alone shows token and secret, once."""

from django import forms
from django.contrib import admin
from django.contrib.postgres.forms import SimpleArrayField
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from payments.admin.base import AuditedAdmin
from payments.clients.models import validate_network
from payments.models import ApiClient
from payments.wire import ENVELOPES

FAMILIES = [(family, family) for family in ENVELOPES]


def _list(field: str, **checks: object) -> SimpleArrayField:
    """A comma-separated list in one line. The form checks the items: a model's complaint about one loses its reason."""
    described = ApiClient._meta.get_field(field)  # noqa: SLF001  Django documents _meta
    return SimpleArrayField(
        forms.CharField(**checks),  # type: ignore[arg-type]
        label=capfirst(described.verbose_name),  # type: ignore[union-attr]
        help_text=described.help_text or _("Separated by commas."),  # type: ignore[union-attr]
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )


class ApiClientForm(forms.ModelForm):  # type: ignore[type-arg]
    families = forms.MultipleChoiceField(
        label=_("Families it serves"),
        choices=FAMILIES,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    default_of = forms.ChoiceField(
        label=_("Default client of the family"),
        help_text=ApiClient._meta.get_field("default_of").help_text,  # noqa: SLF001  Django documents _meta
        choices=[("", "—"), *FAMILIES],
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    allowed_networks = _list("allowed_networks", validators=[validate_network])
    unsigned_from = _list("unsigned_from", validators=[validate_network])
    redirect_hosts = _list("redirect_hosts", max_length=253)


@admin.register(ApiClient)
class ApiClientAdmin(AuditedAdmin):
    client_path = "pk"
    subject = "client"
    form = ApiClientForm
    list_display = ("name", "families", "sign_type", "points_policy", "is_active", "created_at")
    search_fields = ("name",)
    readonly_fields = ("name", "user", "created_at")
    fieldsets = (
        (None, {"fields": (("name", "user"), ("is_active", "created_at"), "families", ("default_of", "app_id"))}),
        (_("Calls"), {"fields": ("sign_type", "allowed_networks", "unsigned_from", "always_http_200")}),
        (_("Orders"), {"fields": ("points_policy", "order_ttl_seconds", "redirect_hosts")}),
        (_("Refunds"), {"fields": ("refund_policy", "approval_above_fen", "late_money_policy")}),
        (_("Points and balance by staff"), {"fields": ("grant_approval_above_fen",)}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
