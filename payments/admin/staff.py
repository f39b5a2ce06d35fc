"""Staff and their groups, in the dress of the rest. A person who leaves is switched off, never deleted."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from payments.admin.base import REASON_MAX, AuditedAdmin, actor_of, request_id_of
from payments.admin.fields import ONE_LINE
from payments.admin.form_pages import DeedForm, FormPage, FormPagesAdmin
from payments.staff import devices, operations
from payments.transactions import transaction

admin.site.unregister(User)
admin.site.unregister(Group)
admin.site.unregister(TOTPDevice)  # django-otp's own pages show keys
admin.site.unregister(StaticDevice)


class ResetDeviceForm(DeedForm):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_MAX,
        validators=[ONE_LINE],
        help_text=_("How you know that it is this person who asks. It goes into the audit rows."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    outdated = devices.NoDevice

    def seen(self) -> dict[str, Any]:
        return {}

    def carry_out(self, *, actor: str, request_id: str) -> str:
        devices.reset(user=self.row, actor=actor, reason=self.cleaned_data["reason"], request_id=request_id)
        return str(_("The one-time codes are reset. This person's sessions have ended."))


@admin.register(User)
class UserAdmin(DjangoUserAdmin, FormPagesAdmin, AuditedAdmin):  # type: ignore[misc, type-arg]
    form_pages = (
        FormPage(
            name="reset_device", title=_("Reset one-time codes"), button=_("Reset"), form=ResetDeviceForm,
            permission="auth.change_user", offered=lambda user: devices.has_device(user_id=user.pk),
        ),
    )  # fmt: skip
    subject = "user"
    compressed_fields = False  # the two boxes of permissions need the width
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    search_fields = ("username", "email")
    ordering = ("username",)  # type: ignore[misc]

    def _may(self, request: HttpRequest, page: FormPage, row: Model) -> bool:
        """Nobody resets their own device, and none but a superuser a superuser's."""
        mine: Any = request.user
        return (
            super()._may(request, page, row) and row.pk != mine.pk and (mine.is_superuser or not row.is_superuser)  # type: ignore[attr-defined]
        )

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Give a colleague another password, with an audit row; what they are logged in with ends."""
        if id == str(request.user.pk):
            return redirect("admin:password_change")  # which asks for the one so far
        with transaction():
            response = super().user_change_password(request, id, form_url)
            if request.method == "POST" and response.status_code == 302:
                operations.record_password_given(
                    user=User.objects.get(pk=id), actor=actor_of(request), request_id=request_id_of()
                )
        return response


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, AuditedAdmin):  # type: ignore[misc]
    subject = "group"
    compressed_fields = False
    search_fields = ("name",)
    ordering = ("name",)  # type: ignore[misc]
