"""What staff do on one payment: confirm it by hand, give it back where it pays nothing."""

import uuid
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import INPUT_CLASSES, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from payments.admin.fields import ONE_LINE
from payments.admin.form_pages import DeedForm, FormPage, ReasonForm, reason_field
from payments.admin.order_deeds import WHAT_LATE_MONEY_IS, give_back
from payments.charges.models import TRADE_NO_LENGTH_MAX
from payments.charges.states import Status
from payments.clients.models import LateMoneyPolicy
from payments.errors import OnetillError
from payments.manual import confirmations, requests
from payments.manual import evidence as files
from payments.manual.confirmations import ConfirmCommand
from payments.manual.evidence import Evidence
from payments.manual.states import Status as RequestStatus
from payments.models import Charge
from payments.money import yuan_text

ACCEPTED = ".pdf,.png,.jpg,.jpeg,application/pdf,image/png,image/jpeg"


class ConfirmForm(DeedForm):
    trade_no = forms.CharField(
        label=_("Gateway's number"),
        max_length=TRADE_NO_LENGTH_MAX,
        validators=[ONE_LINE],
        help_text=_("As the evidence shows it."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    paid_at = forms.DateTimeField(
        label=_("Paid at"),
        help_text=_("In Shanghai."),
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local", "step": "1"}),
    )
    evidence = forms.FileField(
        label=_("Evidence"),
        help_text=_(
            "A PDF, PNG or JPEG file of at most 5 MB: the merchant's own view of the payment, not the payer's."
        ),
        widget=forms.FileInput(attrs={"accept": ACCEPTED, "class": " ".join(INPUT_CLASSES)}),
    )
    reason = reason_field()
    is_acknowledged = forms.BooleanField(
        label=_("The gateway says otherwise, and the evidence shows it all the same"),
        required=False,
        help_text=_("A second person then decides, whatever the amount."),
        widget=UnfoldBooleanWidget,
    )
    number = forms.RegexField(r"^h-[0-9a-f]{32}\Z", widget=forms.HiddenInput)
    carried = ("number",)
    outdated = requests.NumberReused
    explanation = _(
        "For a payment that came in and that the gateway does not confirm. It is asked once more first. Then the "
        "payment is booked as any other: it pays its order or, if that is closed or paid, it is late money. The "
        "gateway's bill has the last word: if the money never came, reconciliation shows it as missing there."
    )

    def seen(self) -> dict[str, Any]:
        return {"number": f"h-{uuid.uuid4().hex}"}

    def facts(self) -> list[tuple[Any, Any]]:
        row: Charge = self.row
        limit_fen = row.order.client.approval_above_fen
        return [
            (_("Order"), row.order.number),
            (_("Amount"), f"¥{yuan_text(row.amount_fen)}"),
            (_("Status"), row.get_status_display()),
            (_("Gateway's last word"), row.last_answer or "-"),
            (_("A second person decides"), second_person(limit_fen)),
        ]

    def clean_evidence(self) -> Evidence:
        """Its size is known before it is read."""
        file = self.cleaned_data["evidence"]
        try:
            files.check_size(size=file.size)
            return files.read(name=file.name, content=file.read())
        except OnetillError as error:
            raise forms.ValidationError(error.sentence()) from error

    def carry_out(self, *, actor: str) -> str:
        entered = self.cleaned_data
        command = ConfirmCommand(
            number=entered["number"], trade_no=entered["trade_no"], paid_at=entered["paid_at"],
            reason=entered["reason"], evidence=entered["evidence"], is_acknowledged=entered["is_acknowledged"],
        )  # fmt: skip
        made = confirmations.confirm(charge_id=self.row.pk, command=command, actor=actor, at=timezone.now())
        if made.status == RequestStatus.TO_APPROVE:
            return str(_("The confirmation waits for a second person. Nothing is booked until then."))
        return what_came_of_it(self.row.pk)


def second_person(limit_fen: int | None) -> str:
    """From when on a colleague must agree, in words."""
    if limit_fen is None:
        return str(_("only if the gateway says otherwise"))
    return str(_("above ¥%s, or if the gateway says otherwise") % yuan_text(limit_fen))


def what_came_of_it(charge_id: int) -> str:
    """Say what a payment that was confirmed by hand does."""
    charge = Charge.objects.select_related("order").get(pk=charge_id)
    if charge.status == Status.SUCCEEDED:
        return str(_("The payment is booked, and pays order %s.") % charge.order.number)
    return str(_("The payment is booked as late money: order %s does not wait for it.") % charge.order.number)


class GiveBackForm(ReasonForm):
    explanation = WHAT_LATE_MONEY_IS

    def state(self) -> str:
        return f"{self.row.status}-{self.row.left_fen}"

    def facts(self) -> list[tuple[Any, Any]]:
        row: Charge = self.row
        return [
            (_("Order"), f"{row.order.number} · {row.order.get_status_display()}"),
            (_("Came in"), f"¥{yuan_text(row.paid_fen or 0)}"),
            (_("Goes back"), f"¥{yuan_text(row.left_fen)}"),
            (_("The client's policy"), LateMoneyPolicy(row.order.client.late_money_policy).label),
        ]

    def carry_out(self, *, actor: str) -> str:
        return give_back(charge_id=self.row.pk, actor=actor, reason=self.cleaned_data["reason"])


CHARGE_PAGES = (
    FormPage(
        name="confirm", title=_("Confirm by hand"), button=_("Confirm the payment"), form=ConfirmForm,
        permission="payments.request_confirmation", offered=confirmations.may_be_confirmed,
    ),
    FormPage(
        name="give_back", title=_("Give back"), button=_("Give back"), form=GiveBackForm,
        permission="payments.request_refund",
        offered=lambda charge: charge.status == Status.SURPLUS and charge.left_fen > 0,
    ),
)  # fmt: skip
