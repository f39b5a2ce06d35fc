"""One's own account: one-time codes, recovery codes, password, and where one is logged in."""

from typing import Any

import segno
from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_otp import login as verify

from payments.admin.security_forms import EnrolForm, PasswordForm, ProofForm
from payments.errors import OnetillError
from payments.staff import browsers, devices, offers, operations, rights, sessions


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show it all. Who comes here while they are setting up an app has given that up."""
    user: Any = request.user
    offers.withdraw(session=request.session)
    rows = [
        {
            "row": row,
            "browser": browsers.in_words(row.agent),
            "handle": sessions.handle(row.session_key),
            "is_this_one": row.session_key == request.session.session_key,
        }
        for row in operations.sessions_of(user=user)
    ]
    rows.sort(key=lambda row: not row["is_this_one"])
    return _page(
        request, "security", title=_("Log-in and security"), sessions=rows,
        has_device=devices.has_device(user_id=user.pk), codes_left=devices.recovery_codes_left(user_id=user.pk),
        is_needed=rights.hold_money(user),
    )  # fmt: skip


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def second_factor(request: HttpRequest) -> HttpResponse:
    """Set up an app for one-time codes, or another in place of it. Without one, who holds money gets no further."""
    user: Any = request.user
    key = offers.key_for(user=user, session=request.session)
    form = EnrolForm(request.POST if request.method == "POST" else None, request=request, key=key)
    if form.is_valid():
        try:
            device, codes = devices.enrol(
                user=user, key=key, token=form.cleaned_data["first_code"],
                session_key=request.session.session_key,
            )  # fmt: skip
        except devices.CodeWrong as error:
            form.add_error("first_code", error.sentence())
        else:
            offers.withdraw(session=request.session)
            verify(request, device)
            request.session.cycle_key()
            return _codes(request, codes, sentence=_("One-time codes are set up: you are asked for one at log-in."))
    qr = segno.make(devices.address_of_key(user=user, key=key), error="m")
    return _page(
        request, "second_factor", title=_("Set up one-time codes"), form=form, key=devices.key_in_text(key),
        qr=qr.svg_data_uri(border=2, scale=5, light="#fff"), is_confined=_is_confined(request),
    )  # fmt: skip


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def remove_device(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    form = ProofForm(request.POST if request.method == "POST" else None, request=request)
    if form.is_valid() and _carried_out(form, devices.remove, user=user, session_key=request.session.session_key):
        request.session.cycle_key()
        messages.success(request, _("One-time codes are removed: your password alone opens the back-office."))
        return redirect("admin:security")
    return _page(
        request, "security_form", title=_("Remove one-time codes"), button=_("Remove"), form=form,
        sentence=_("Your app's codes and your recovery codes open nothing any more. Your other sessions end."),
    )  # fmt: skip


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def renew_codes(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    form = ProofForm(request.POST if request.method == "POST" else None, request=request)
    if form.is_valid():
        codes: list[str] = []
        if _carried_out(form, lambda: codes.extend(devices.renew_codes(user=user))):
            return _codes(request, codes, sentence=_("The recovery codes before these open nothing any more."))
    return _page(
        request, "security_form", title=_("Make new recovery codes"), button=_("Make new codes"), form=form,
        sentence=_("Ten new codes take the place of those you have. They are shown once."),
    )  # fmt: skip


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def change_password(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    form = PasswordForm(request.POST if request.method == "POST" else None, request=request)
    if form.is_valid():
        operations.change_password(request=request, user=user, password=form.cleaned_data["new_password"])
        messages.success(request, _("Your password is changed. Your other sessions have ended."))
        return redirect("admin:security")
    return _page(
        request, "security_form", title=_("Change password"), button=_("Change password"), form=form,
        sentence=_("Your other sessions end."),
    )  # fmt: skip


@require_POST
def end_sessions(request: HttpRequest) -> HttpResponse:
    """End one of one's own sessions, by its handle, or all but this."""
    user: Any = request.user
    if "others" in request.POST:
        count = operations.end_other_sessions(user=user, session_key=request.session.session_key)
        messages.success(request, ngettext("%d session has ended.", "%d sessions have ended.", count) % count)
    elif operations.end_session(user=user, handle=request.POST.get("session", "")):
        messages.success(request, _("The session has ended."))
    else:
        messages.error(request, _("There is no such session any more."))
    return redirect("admin:security")


def _carried_out(form: forms.Form, call: Any, **fields: Any) -> bool:
    try:
        call(**fields)
    except OnetillError as error:
        form.add_error(None, error.sentence())
        return False
    return True


def _codes(request: HttpRequest, codes: list[str], *, sentence: str | Promise) -> HttpResponse:
    return _page(request, "recovery_codes", title=_("Your recovery codes"), codes=codes, sentence=sentence)


def _is_confined(request: HttpRequest) -> bool:
    """Whether this page is all that is open to them: then it shows no menu."""
    user: Any = request.user
    return admin.site.has_permission(request) and rights.is_confined(user)


def _page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    shared = admin.site.each_context(request)
    if context.get("is_confined"):
        only = {
            "title": context["title"], "icon": "lock", "link": request.path, "active": True, "has_permission": True
        }  # fmt: skip
        shared |= {"sidebar_navigation": [{"title": "", "items": [only]}], "available_apps": []}
    return TemplateResponse(request, f"back_office/{template}.html", {**shared, **context})
