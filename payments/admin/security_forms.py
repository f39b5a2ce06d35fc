"""Forms on one's own account. Each asks for the password and, with a device, for a code: a session is not enough."""

from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import password_validators_help_text_html, validate_password
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.widgets import INPUT_CLASSES, UnfoldAdminPasswordWidget

from payments.admin.log_in import CODE_MAX, CodeInput
from payments.staff import devices
from payments.staff.devices import CodeWrong


def _code(label: Any, *, help_text: Any = "") -> forms.CharField:
    return forms.CharField(label=label, help_text=help_text, max_length=CODE_MAX, widget=CodeInput(INPUT_CLASSES))


def _password(label: Any, *, autocomplete: str, help_text: Any = "") -> forms.CharField:
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, help_text=help_text, strip=False, widget=widget)


class ProofForm(forms.Form):
    """Who stands before the page proves once more who they are. Failures count towards the lock-out."""

    password = _password(_("Your password"), autocomplete="current-password")
    code = _code(_("One-time code"), help_text=_("Six digits from your app, or a recovery code."))
    asked_last = ("password", "code")

    def __init__(self, data: Any = None, *, request: HttpRequest) -> None:
        super().__init__(data)
        self.request = request
        if not devices.has_device(user_id=self._user.pk):
            del self.fields["code"]
        self.order_fields([name for name in self.fields if name not in self.asked_last])

    @property
    def _user(self) -> Any:
        return self.request.user

    def clean(self) -> None:
        """Ask for the proof where all else is right: it uses the code up."""
        if self.errors:
            return
        given = self.cleaned_data
        known = authenticate(
            self.request,
            username=self._user.get_username(),
            password=given["password"],
            token=given.get("code", ""),
        )
        if known is None:
            self.add_error(None, _("The password or the one-time code is not right."))


class EnrolForm(ProofForm):
    first_code = _code(_("Code that the app shows"))

    def __init__(self, data: Any = None, *, request: HttpRequest, key: str) -> None:
        super().__init__(data, request=request)
        self.key = key
        if "code" in self.fields:
            self.fields["code"].label = _("One-time code of the app so far")

    def clean_first_code(self) -> str:
        token: str = self.cleaned_data["first_code"]
        if not devices.is_code_of(key=self.key, token=token):
            raise forms.ValidationError(CodeWrong.message)
        return token


class PasswordForm(ProofForm):
    new_password = _password(
        _("New password"), autocomplete="new-password", help_text=password_validators_help_text_html
    )
    once_more = _password(_("New password once more"), autocomplete="new-password")

    def clean_once_more(self) -> str:
        password: str = self.cleaned_data["once_more"]
        if password != self.cleaned_data.get("new_password", password):
            raise forms.ValidationError(_("The two passwords differ."))
        return password

    def clean_new_password(self) -> str:
        password: str = self.cleaned_data["new_password"]
        validate_password(password, self._user)
        return password
