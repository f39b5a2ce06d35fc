"""
Staff give back of an order: they say how much, see at once which tender bears it and what stays, and then it goes.

The form carries a number, so that sent twice it is one refund, and what was left when it was made, so that nobody
decides on what is no longer so. The plan is shown beside the form while somebody types (static/back_office/refund.js);
without the script it is a page of its own, between the form and the refund.
"""

import uuid
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from payments.admin import refund_plans
from payments.admin.base import REASON_MAX, actor_of
from payments.admin.fields import YuanField
from payments.admin.form_pages import SeenForm
from payments.admin.timeline_words import actor_words
from payments.charges.models import CASH, Charge
from payments.clients.models import RefundPolicy
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
# What is written most, to choose from; anything else can be written.
REASONS = (
    _("Customer changed their mind"), _("Item missing or out of stock"), _("Item damaged or wrong"),
    _("Returned by the customer"), _("Charged too much"), _("Paid twice"), _("Goodwill"),
)  # fmt: skip


class RefundForm(SeenForm):
    """`entered` is what somebody has entered and wants to change: shown, and not yet judged."""

    goods = YuanField(label=_("Goods (yuan)"), required=False)
    shipping = YuanField(label=_("Shipping (yuan)"), required=False)
    policy = forms.ChoiceField(
        label=_("Which tender goes back first"), choices=RefundPolicy, required=False, widget=UnfoldAdminSelectWidget()
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=REASON_MAX,
        widget=UnfoldAdminTextInputWidget(attrs={"list": "reasons", "autocomplete": "off"}),
    )  # fmt: skip
    refund_no = forms.RegexField(r"^staff-[0-9a-f]{32}\Z", widget=forms.HiddenInput)
    left = forms.RegexField(r"^[0-9]{1,18}:[0-9]{1,18}\Z", widget=forms.HiddenInput)
    carried = ("refund_no", "left")
    named: ClassVar[dict[str, str]] = {"goods_amount": "goods", "shipping_amount": "shipping"}
    outdated = refunds.RefundedMeanwhile

    def __init__(self, data: Any = None, *, row: Order, charges: list[Charge], entered: Any = None) -> None:
        self.entered = entered or {}
        super().__init__(data, row=row)
        if not _there_is_a_choice(charges):
            del self.fields["policy"]
        if not row.shipping_fen:
            self.fields["shipping"].widget = forms.HiddenInput()
        self._say_what_is_left()

    def entered_before(self) -> dict[str, Any]:
        return {"policy": self.row.client.refund_policy}

    def seen(self) -> dict[str, str]:
        return {
            "refund_no": f"staff-{uuid.uuid4().hex}",
            "left": f"{queries.goods_left_fen(self.row)}:{queries.shipping_left_fen(self.row)}",
        }

    def get_initial_for_field(self, field: forms.Field, field_name: str) -> Any:
        return self.entered.get(field_name) or super().get_initial_for_field(field, field_name)

    def clean(self) -> None:
        super().clean()
        if not self.errors and not (self.cleaned_data["goods"] or self.cleaned_data["shipping"]):
            self.add_error("goods", _("Enter how much is to go back: of the goods, of the shipping, or of both."))

    def command(self) -> RefundCommand:
        entered = self.cleaned_data
        goods_left, shipping_left = entered["left"].split(":")
        policy = entered.get("policy")
        return RefundCommand(
            goods_fen=entered["goods"], shipping_fen=entered["shipping"], reason=entered.get("reason", ""),
            refund_no=entered["refund_no"], seen_left_fen=(int(goods_left), int(shipping_left)),
            policy=RefundPolicy(policy) if policy else None,
        )  # fmt: skip

    def agreed(self) -> str:
        """What somebody agrees to who has seen the plan."""
        entered = self.cleaned_data
        return f"{entered['goods']}:{entered['shipping']}:{entered.get('policy', '')}"

    def refuse(self, error: OnetillError) -> None:
        """A number that stands for another refund was made for a form that is no longer so, too."""
        super().refuse(refunds.RefundedMeanwhile() if isinstance(error, refunds.RefundNumberReused) else error)

    def begin_anew(self) -> None:
        super().begin_anew()
        self._say_what_is_left()

    def leave_the_reason(self) -> None:
        """While somebody types, the plan is shown before there is a reason."""
        self.fields["reason"].required = False

    def _say_what_is_left(self) -> None:
        for name, left_fen in (("goods", queries.goods_left_fen), ("shipping", queries.shipping_left_fen)):
            self.fields[name].help_text = _("At most ¥%s.") % yuan_text(left_fen(self.row))


def _there_is_a_choice(charges: list[Charge]) -> bool:
    """A policy divides between cash and the customer's own accounts: with one of them alone there is none."""
    return len({charge.tender in CASH for charge in charges if charge.left_fen}) > 1


def answer(request: HttpRequest, *, order: Order, context: dict[str, Any]) -> HttpResponse:
    """Show the form, or what it would do, or do it."""
    step = request.POST.get("step", "")
    is_fragment = step == "preview" and "fragment" in request.POST
    charges = list(queries.paying(order=order))
    form = _form(request, order, charges, step)
    if is_fragment:
        form.leave_the_reason()
    split: refunds.Split = []
    try:
        if step == "refund" and form.is_valid() and _has_seen_the_plan(request, form):
            made = refunds.refund(order_id=order.pk, command=form.command(), actor=actor_of(request), at=timezone.now())
            return _told(request, made)
        refunds.check_refundable(order=order)
        if step in {"preview", "refund"} and form.is_valid():
            split = refunds.preview(order=order, command=form.command(), charges=charges)
    except refunds.OrderNotRefundable as error:
        messages.error(request, error.sentence())
        return redirect("admin:payments_order_change", order.pk)
    except OnetillError as error:
        form.refuse(error)
    context |= {"order": order, "form": form, "is_fragment": is_fragment, **_plan(order, charges, split, form)}
    if is_fragment:
        return TemplateResponse(request, "back_office/refund_plan.html", context)
    context |= _summary(order, charges) | {"reasons": REASONS, "may_see_refunds": may_see(request)}
    return TemplateResponse(request, "back_office/refund.html", context)


def _form(request: HttpRequest, order: Order, charges: list[Charge], step: str) -> RefundForm:
    """What is sent to be changed, or with a click on "all that is left", is not judged yet."""
    if request.method != "POST":
        return RefundForm(row=order, charges=charges)
    everything = {"goods": queries.goods_left_fen, "shipping": queries.shipping_left_fen}
    wanted = request.POST.get("all", "")
    if step != "edit" and wanted not in everything:
        return RefundForm(request.POST, row=order, charges=charges)
    filled = {wanted: yuan_text(everything[wanted](order))} if wanted in everything else {}
    return RefundForm(row=order, charges=charges, entered=request.POST.dict() | filled)


def _has_seen_the_plan(request: HttpRequest, form: RefundForm) -> bool:
    """Whether what is sent is what the plan showed that the button stood under; the button tells, where one did."""
    return request.POST.get("agreed", form.agreed()) == form.agreed()


def _plan(order: Order, charges: list[Charge], split: refunds.Split, form: RefundForm) -> dict[str, Any]:
    """What the preview says."""
    sum_fen = refund_plans.sum_fen(split)
    alone_fen = queries.refunded_alone_fen(order_ids=[order.pk]).get(order.pk, 0)
    needs_another = queries.needs_second_person(order=order, amount_fen=sum_fen, alone_fen=alone_fen)
    words = {"sum": yuan_text(sum_fen), "where": refund_plans.where(split)}
    button = gettext("Refund ¥%(sum)s to %(where)s")
    if needs_another:
        button = gettext("Ask for a refund of ¥%(sum)s to %(where)s")
    limit_fen = order.client.approval_above_fen
    return {
        "plan": refund_plans.lines(split, charges=charges) if split else [],
        "sum": words["sum"],
        "button": button % words,
        "agreed": form.agreed() if split else "",
        "needs_another": needs_another,
        "limit": None if limit_fen is None else yuan_text(limit_fen),
        "alone": yuan_text(alone_fen) if alone_fen else "",
    }


def _summary(order: Order, charges: list[Charge]) -> dict[str, Any]:
    """What was paid by which tender, what of it went back or is reserved, and by which refunds."""
    tenders = [
        [charge.get_tender_display(), *map(yuan_text, (
            charge.paid_fen or 0, charge.refunded_fen, charge.refunding_fen, charge.left_fen,
        ))]
        for charge in charges
    ]  # fmt: skip
    goods_left_fen, shipping_left_fen = queries.goods_left_fen(order), queries.shipping_left_fen(order)
    parts = [
        [_("goods"), *map(yuan_text, (
            order.goods_fen, order.refunded_goods_fen, order.refunding_goods_fen, goods_left_fen,
        ))],
        [_("shipping"), *map(yuan_text, (
            order.shipping_fen, order.refunded_shipping_fen, order.refunding_shipping_fen, shipping_left_fen,
        ))],
    ]  # fmt: skip
    return {
        "paid_by": tenders, "paid_for": parts if order.shipping_fen else parts[:1],
        "history": [
            (refund, where, actor_words(refund.requested_by)) for refund, where in refund_plans.history(order)
        ],
        "all_of": {"goods": yuan_text(goods_left_fen) if goods_left_fen else "",
                   "shipping": yuan_text(shipping_left_fen) if shipping_left_fen else ""},
    }  # fmt: skip


def may_see(request: HttpRequest) -> bool:
    return request.user.has_perm("payments.view_refund")


def _told(request: HttpRequest, made: Refund) -> HttpResponse:
    level, sentence = OUTCOMES[Status(made.status)]
    messages.add_message(request, level, sentence % made.number)
    if may_see(request):
        return redirect("admin:payments_refund_change", made.pk)
    return redirect("admin:payments_order_change", made.order_id)
