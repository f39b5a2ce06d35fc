"""What staff do for a colleague's log-in: reset a lost device, give another password."""

from typing import Any

from django import forms
from django.contrib.admin.utils import unquote
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from payments.admin.base import REASON_MAX, actor_of
from payments.admin.fields import ONE_LINE
from payments.admin.form_pages import DeedForm, FormPage, FormPagesAdmin
from payments.staff import devices, operations
from payments.transactions import transaction


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

    def carry_out(self, *, actor: str) -> str:
        devices.reset(user=self.row, actor=actor, reason=self.cleaned_data["reason"])
        return str(_("The one-time codes are reset. This person's sessions have ended."))


class ColleaguesAdmin(FormPagesAdmin):
    """Stands before Django's own `UserAdmin`."""

    form_pages = (
        FormPage(
            name="reset_device", title=_("Reset one-time codes"), button=_("Reset"), form=ResetDeviceForm,
            permission="auth.change_user", offered=lambda user: devices.has_device(user_id=user.pk),
        ),
    )  # fmt: skip

    def _may(self, request: HttpRequest, page: FormPage, row: Any) -> bool:
        """Whoever keeps the staff resets devices, but never their own."""
        return super()._may(request, page, row) and self.has_change_permission(request, row) and row != request.user

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Give a colleague another password, with an audit row; what they are logged in with ends."""
        if self.get_object(request, unquote(id)) == request.user:  # 07 is 7 too
            return redirect("admin:password_change")  # which asks for the one so far
        with transaction():
            response: HttpResponse = super().user_change_password(request, id, form_url)
            if request.method == "POST" and response.status_code == 302:
                operations.record_password_given(user=User.objects.get(pk=id), actor=actor_of(request))
        return response
