"""The way in and out: a log-in with user name, password and one-time code, and what who is locked out sees."""

import datetime
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django import forms
from django.contrib import admin
from django.contrib.auth import authenticate
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.forms import AuthenticationForm
from unfold.widgets import BASE_INPUT_CLASSES

from payments.staff import lock_out, operations

CODE_MAX = 32  # a code with whatever spaces people put into it


class CodeInput(forms.TextInput):
    """For a code, which phones offer from their app. It is good once, so it is not shown again."""

    def __init__(self, classes: list[str]) -> None:
        super().__init__(
            attrs={
                "autocomplete": "one-time-code", "inputmode": "numeric", "autocapitalize": "none",
                "spellcheck": "false", "class": " ".join(classes),
            }
        )  # fmt: skip

    def format_value(self, value: Any) -> None:
        return None


class LogInForm(AuthenticationForm):  # type: ignore[misc]
    """Refuses in one sentence, whichever of the three was wrong."""

    error_messages = {"invalid_login": _("The user name, the password or the one-time code is not right.")}
    code = forms.CharField(
        label=_("One-time code, if you have set it up"),
        help_text=_("Six digits from your app, or a recovery code."),
        required=False,
        max_length=CODE_MAX,
        widget=CodeInput(BASE_INPUT_CLASSES),
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = self.cleaned_data
        if given.get("username") and given.get("password") and "code" in given:
            self.user_cache = authenticate(
                self.request, username=given["username"], password=given["password"], token=given["code"]
            )
            if self.user_cache is None:
                raise forms.ValidationError(self.error_messages["invalid_login"], code="invalid_login")
        return given


class LogInView(LoginView):
    authentication_form = LogInForm
    template_name = "back_office/log_in.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if admin.site.has_permission(request):
            return redirect("admin:index")
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = {**admin.site.each_context(self.request), "title": _("Log in"), "subtitle": None}
        return super().get_context_data(**context | kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        operations.log_in(request=self.request, user=form.get_user())
        return redirect(self.get_success_url())


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    operations.log_out(request=request, user=user)
    return redirect("admin:login")


def locked_out(
    request: HttpRequest, original_response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """AXES_LOCKOUT_CALLABLE: the answer to whatever a locked account or address tries."""
    AxesProxyHandler.update_request(request)
    now = timezone.now()
    until = lock_out.LockOut().locked_until(request, credentials) or now
    sentence: str | Promise = _(
        "Too many tries failed. Until %(time)s nobody gets in with this account, or from this address; then try again. "
        "If it was not you, tell whoever runs this system."
    )
    context = {
        "title": _("Log-in is locked"),
        "sentence": sentence % {"time": timezone.localtime(until + datetime.timedelta(minutes=1)).strftime("%H:%M")},
        "link": reverse("admin:login"), "link_text": _("To the log-in"),
    }  # fmt: skip
    response = render(request, "onetill/message.html", context, status=429)
    response.headers["Retry-After"] = str(max(1, int((until - now).total_seconds()) + 1))
    add_never_cache_headers(response)
    return response
