"""
Staff give back of an order: they say how much, see which tender would bear it, and only then it goes.

The form carries a number, so that sent twice it is one refund, and what was left when it was made, so that nobody
decides on what is no longer so.
"""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from payments.admin.base import REASON_MAX, actor_of, request_id_of
from payments.admin.fields import YuanField
from payments.admin.form_pages import SeenForm
from payments.errors import OnetillError
from payments.models import Order, Refund
from payments.money import yuan_text
from payments.refunds import operations as refunds
from payments.refunds import queries
from payments.refunds.operations import RefundCommand
from payments.refunds.states import Status

OUTCOMES = {
    Status.SUCCEEDED: (messages.SUCCESS, _("Refund %s succeeded: the money went back.")),
    Status.PENDING: (messages.INFO, _("Refund %s is on its way.")),
    Status.TO_APPROVE: (messages.WARNING, _("Refund %s waits for a second person.")),
    Status.FAILED: (messages.ERROR, _("Refund %s failed: nothing went back.")),
    Status.REFUSED: (messages.ERROR, _("Refund %s was not approved: nothing went back.")),
}


class RefundForm(SeenForm):
    goods = YuanField(label=_("Goods (yuan)"), required=False)
    shipping = YuanField(label=_("Shipping (yuan)"), required=False)
    reason = forms.CharField(label=_("Reason"), max_length=REASON_MAX, widget=UnfoldAdminTextInputWidget())
    refund_no = forms.RegexField(r"^staff-[0-9a-f]{32}\Z", widget=forms.HiddenInput)
    left = forms.RegexField(r"^[0-9]{1,18}:[0-9]{1,18}\Z", widget=forms.HiddenInput)
    carried = ("refund_no", "left")
    named = {"goods_amount": "goods", "shipping_amount": "shipping"}
    outdated = refunds.RefundedMeanwhile

    def __init__(self, data: Any = None, *, row: Order) -> None:
        super().__init__(data, row=row)
        self._say_what_is_left()

    def seen(self) -> dict[str, str]:
        return {
            "refund_no": f"staff-{uuid.uuid4().hex}",
            "left": f"{queries.goods_left_fen(self.row)}:{queries.shipping_left_fen(self.row)}",
        }

    def clean(self) -> None:
        super().clean()
        if not self.errors and not (self.cleaned_data["goods"] or self.cleaned_data["shipping"]):
            self.add_error("goods", _("Enter how much is to go back: of the goods, of the shipping, or of both."))

    def command(self) -> RefundCommand:
        entered = self.cleaned_data
        goods_left, shipping_left = entered["left"].split(":")
        return RefundCommand(
            goods_fen=entered["goods"], shipping_fen=entered["shipping"], reason=entered["reason"],
            refund_no=entered["refund_no"], seen_left_fen=(int(goods_left), int(shipping_left)),
        )  # fmt: skip

    def refuse(self, error: OnetillError) -> None:
        """A number that stands for another refund was made for a form that is no longer so, too."""
        super().refuse(refunds.RefundedMeanwhile() if isinstance(error, refunds.RefundNumberReused) else error)

    def begin_anew(self) -> None:
        super().begin_anew()
        self._say_what_is_left()

    def _say_what_is_left(self) -> None:
        for name, left_fen in (("goods", queries.goods_left_fen), ("shipping", queries.shipping_left_fen)):
            self.fields[name].help_text = _("At most ¥%s.") % yuan_text(left_fen(self.row))


def answer(request: HttpRequest, *, order: Order, context: dict[str, Any]) -> HttpResponse:
    """Show the form, or what it would do, or do it."""
    step = request.POST.get("step", "")
    form = RefundForm(request.POST if request.method == "POST" else None, row=order)
    split: refunds.Split = []
    try:
        if step == "refund" and form.is_valid():
            made = refunds.refund(
                order_id=order.pk, command=form.command(), actor=actor_of(request), at=timezone.now(),
                request_id=request_id_of(),
            )  # fmt: skip
            return _told(request, made)
        refunds.check_refundable(order=order)
        if step == "preview" and form.is_valid():
            split = refunds.preview(order=order, command=form.command())
    except refunds.OrderNotRefundable as error:
        messages.error(request, error.sentence())
        return redirect("admin:payments_order_change", order.pk)
    except OnetillError as error:
        form.refuse(error)
    shown = [
        (charge, yuan_text(part.goods_fen), yuan_text(part.shipping_fen), yuan_text(part.goods_fen + part.shipping_fen))
        for charge, part in split
    ]
    sum_fen = sum(part.goods_fen + part.shipping_fen for _charge, part in split)
    context |= {"order": order, "form": form, "split": shown, "sum": yuan_text(sum_fen)}
    return TemplateResponse(request, "back_office/refund.html", context)


def _told(request: HttpRequest, made: Refund) -> HttpResponse:
    level, sentence = OUTCOMES[Status(made.status)]
    messages.add_message(request, level, sentence % made.number)
    if request.user.has_perm("payments.view_refund"):
        return redirect("admin:payments_refund_change", made.pk)
    return redirect("admin:payments_order_change", made.order_id)
