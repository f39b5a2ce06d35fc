"""What stands before every page of the back-office: the session is in use, and money is behind a second factor."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext_lazy as _

from payments.staff import devices, rights, sessions

# What somebody without their second factor may still reach.
OPEN = ("admin:login", "admin:logout", "admin:second_factor")


class StaffGate:
    """Asks at each request anew, so that rights given after log-in count too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: Any) -> HttpResponse | None:
        """Django calls it once it knows where the request goes. What is in the admin's namespace is the back-office."""
        match = request.resolver_match
        if match is None or "admin" not in match.namespaces:
            return None
        sessions.touch(session=request.session, at=timezone.now())
        return None if match.view_name in OPEN else _turned_away(request)


def _turned_away(request: HttpRequest) -> HttpResponse | None:
    """Return where somebody is led who may not go on without a second factor."""
    user: Any = request.user
    if not rights.is_confined(user):
        return None
    answer: HttpResponse
    if request.method not in {"GET", "HEAD"}:
        context = {
            "title": _("One-time codes are needed"),
            "sentence": _("Nothing was done. Whoever has rights over money sets up one-time codes first."),
            "link": reverse("admin:second_factor"), "link_text": _("Set up one-time codes"),
        }  # fmt: skip
        answer = render(request, "onetill/message.html", context, status=403)
    elif devices.has_device(user_id=user.pk):
        logout(request)  # a session from before the device: it is opened anew, with a code
        answer = redirect("admin:login")
    else:
        answer = redirect("admin:second_factor")
    add_never_cache_headers(answer)
    return answer
