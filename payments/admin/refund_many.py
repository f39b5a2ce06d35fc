"""
Staff give back all of many orders at once: first what would become of each, then one click, then it goes by itself.

The page carries a number, so that sent twice it is one batch, and of each order what was left of it, so that one that
changed meanwhile is refused rather than refunded otherwise.
"""

import re
import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from payments.admin import refund_plans
from payments.admin.base import REASON_MAX, actor_of
from payments.admin.fields import ONE_LINE
from payments.admin.refund_form import REASONS
from payments.admin.sight import within_sight
from payments.errors import OnetillError
from payments.models import Order
from payments.money import yuan_text
from payments.refunds import batches
from payments.refunds.batches import ORDERS_MAX, Chosen, Foreseen

_LINE = re.compile(r"([0-9]{1,18}):([0-9]{1,18}):([0-9]{1,18})")
_BETWEEN_NUMBERS = re.compile(r"[\s,;，；、]+")
NUMBERS_LENGTH_MAX = 20_000


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"), max_length=REASON_MAX, validators=[ONE_LINE],
        help_text=_("It stands on each of the refunds, and in the audit rows."),
        widget=UnfoldAdminTextInputWidget(attrs={"list": "reasons", "autocomplete": "off"}),
    )  # fmt: skip
    number = forms.RegexField(r"^batch-[0-9a-f]{32}\Z", widget=forms.HiddenInput)


class NumbersForm(forms.Form):
    numbers = forms.CharField(
        label=_("Numbers of orders"), max_length=NUMBERS_LENGTH_MAX,
        help_text=_("Ours, one a line or with commas between them, as pasted from a sheet; at most 200."),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "spellcheck": "false"}),
    )  # fmt: skip

    def clean_numbers(self) -> list[str]:
        numbers = list(dict.fromkeys(filter(None, _BETWEEN_NUMBERS.split(self.cleaned_data["numbers"]))))
        if len(numbers) > ORDERS_MAX:
            raise forms.ValidationError(_("At most %d orders at once.") % ORDERS_MAX)
        return numbers


def may_refund_many(request: HttpRequest) -> bool:
    return request.user.has_perms(["payments.view_order", "payments.request_refund", "payments.refund_many"])


@admin.action(description=_("Refund in full…"), permissions=["refund_many"])
def refund_in_full(model_admin: Any, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
    """Shows what would become of the orders chosen; nothing moves yet."""
    chosen = list(queryset.select_related("client").order_by("pk")[: ORDERS_MAX + 1])
    if len(chosen) > ORDERS_MAX:
        model_admin.message_user(request, _("At most %d orders at once.") % ORDERS_MAX, messages.ERROR)
        return None
    context = {**model_admin.admin_site.each_context(request), "opts": model_admin.opts}
    return _foreseen(request, chosen, context=context, form=_new_form(request.POST.get("reason", "")))


def answer(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    """Ask for numbers, show what would become of the orders, or confirm it."""
    if not may_refund_many(request):
        raise PermissionDenied
    if "line" in request.POST:
        return _confirmed(request, context=context)
    form = NumbersForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        numbers = form.cleaned_data["numbers"]
        found = list(_orders(request).filter(number__in=numbers))
        unknown = sorted(set(numbers) - {order.number for order in found})
        if found:
            return _foreseen(request, found, context=context, form=_new_form(), unknown=unknown)
        form.add_error("numbers", _("None of these is the number of an order."))
    return TemplateResponse(request, "back_office/refund_many_numbers.html", context | {"form": form, **_title()})


def _confirmed(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    """Take of what was sent the orders that this person may see: the others are not there."""
    sent = [[int(part) for part in found.groups()] for line in request.POST.getlist("line")
            if (found := _LINE.fullmatch(line))]  # fmt: skip
    if len(sent) > ORDERS_MAX:
        messages.error(request, _("At most %d orders at once.") % ORDERS_MAX)
        return redirect("admin:payments_refundbatch_new")
    seen = {order.pk: order for order in _orders(request).filter(pk__in=[line[0] for line in sent])}
    if not seen:
        messages.error(request, _("None of the orders chosen is there."))
        return redirect("admin:payments_refundbatch_new")
    form = ReasonForm(request.POST)
    if form.has_error("number"):
        form = _new_form(request.POST.get("reason", ""))
    elif form.is_valid():
        try:
            batch, _is_new = batches.confirm(
                number=form.cleaned_data["number"], reason=form.cleaned_data["reason"], actor=actor_of(request),
                chosen=[Chosen(order_id=pk, goods_fen=goods_fen, shipping_fen=shipping_fen)
                        for pk, goods_fen, shipping_fen in sent if pk in seen],
                at=timezone.now(),
            )  # fmt: skip
        except OnetillError as error:
            messages.error(request, error.sentence())
            form = _new_form(form.cleaned_data["reason"])
        else:
            if request.user.has_perm("payments.view_refundbatch"):
                return redirect("admin:payments_refundbatch_change", batch.pk)
            messages.success(request, _("Each of these orders is refunded now, one after the other."))
            return redirect("admin:payments_order_changelist")
    return _foreseen(request, list(seen.values()), context=context, form=form)


def _orders(request: HttpRequest) -> QuerySet[Order]:
    rows: QuerySet[Order] = within_sight(request, Order)
    return rows.select_related("client").order_by("pk")


def _new_form(reason: str = "") -> ReasonForm:
    return ReasonForm(initial={"number": f"batch-{uuid.uuid4().hex}", "reason": reason[:REASON_MAX]})


def _foreseen(
    request: HttpRequest,
    chosen: list[Order],
    *,
    context: dict[str, Any],
    form: ReasonForm,
    unknown: list[str] | None = None,
) -> HttpResponse:
    foreseen = batches.foresee(chosen=chosen)
    can = [one for one in foreseen if one.refusal is None]
    words = {"count": len(can), "sum": yuan_text(sum(one.amount_fen for one in can))}
    context |= {
        **_title(),
        "form": form,
        "can": [_told(one) for one in can],
        "cannot": [(one.order, one.refusal.sentence()) for one in foreseen if one.refusal is not None],
        "unknown": unknown or [],
        "sum": words["sum"],
        "to_approve": sum(one.needs_second_person for one in can),
        "button": gettext("Refund %(count)d orders, ¥%(sum)s in all") % words,
        "reasons": REASONS,
    }
    return TemplateResponse(request, "back_office/refund_many.html", context)


def _title() -> dict[str, Any]:
    return {"title": _("Refund many orders in full")}


def _told(one: Foreseen) -> dict[str, Any]:
    return {
        "order": one.order, "amount": yuan_text(one.amount_fen), "where": refund_plans.where(one.split),
        "needs_another": one.needs_second_person,
        "line": f"{one.order.pk}:{one.goods_fen}:{one.shipping_fen}",
    }  # fmt: skip
