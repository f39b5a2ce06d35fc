"""Addresses of the back-office that take the place of Django's, or are beside them, in the same namespace."""

from collections.abc import Callable

from django.contrib import admin
from django.core.paginator import InvalidPage
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path

from payments.admin import log_in, security
from payments.admin.look_up_page import look_up


def _search(request: HttpRequest) -> HttpResponseBase:
    """Unfold's own looks for pages of the menu, and falls over a page of results that is none."""
    try:
        found: HttpResponseBase = admin.site.search(request)  # type: ignore[attr-defined]
    except (InvalidPage, ValueError) as error:
        raise Http404 from error
    return found


def _staff(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
    return path(route, admin.site.admin_view(view), name=name)


urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", log_in.LogInView.as_view(), name="login"),
    _staff("logout/", log_in.log_out, "logout"),
    _staff("password_change/", security.change_password, "password_change"),
    _staff("look-up/", look_up, "look_up"),
    _staff("search/", _search, "search"),
    _staff("security/", security.overview, "security"),
    _staff("security/second-factor/", security.second_factor, "second_factor"),
    _staff("security/second-factor/remove/", security.remove_device, "second_factor_remove"),
    _staff("security/recovery-codes/", security.renew_codes, "recovery_codes"),
    _staff("security/sessions/end/", security.end_sessions, "sessions_end"),
]
