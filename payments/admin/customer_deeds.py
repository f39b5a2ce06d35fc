"""What staff do on a customer: freeze and unfreeze, give and take points and balance."""

import uuid
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget

from payments.admin.fields import YuanField
from payments.admin.form_pages import DeedForm, FormPage, ReasonForm, reason_field
from payments.customers import freezing
from payments.customers.grants import Direction, GrantCommand
from payments.ledger.accounts import Kind
from payments.manual import requests, values
from payments.manual.states import Status
from payments.models import Account, Customer
from payments.money import yuan_text

GIVE_OR_TAKE = [(Direction.IN.value, _("give to the customer")), (Direction.OUT.value, _("take from the customer"))]


def holdings(customer: Customer) -> list[tuple[Any, str]]:
    """Return what a customer has: account and amount."""
    own = Account.objects.filter(customer=customer).order_by("-kind")
    return [(account.get_kind_display(), f"¥{yuan_text(account.balance_fen)}") for account in own]


class FreezeForm(ReasonForm):
    freezes: ClassVar[bool] = True
    explanation = _(
        "Nothing new is sold to a customer who is frozen, in any family. What they have bought is delivered and can be "
        "refunded as ever; points and balance stay theirs."
    )

    def state(self) -> str:
        return "frozen" if self.row.is_frozen else "free"

    def facts(self) -> list[tuple[Any, Any]]:
        now = _("frozen") if self.row.is_frozen else _("not frozen")
        return [(_("Client"), self.row.client), (_("Now"), now), *holdings(self.row)]

    def carry_out(self, *, actor: str) -> str:
        freezing.set_frozen(
            customer_id=self.row.pk, is_frozen=self.freezes, actor=actor, reason=self.cleaned_data["reason"],
        )  # fmt: skip
        return str(_("The customer is frozen.") if self.freezes else _("The customer can buy again."))


class UnfreezeForm(FreezeForm):
    freezes = False
    explanation = _("The customer can buy again, at once.")


class ValueForm(DeedForm):
    kind = forms.ChoiceField(label=_("What"), choices=Kind, widget=UnfoldAdminSelectWidget)
    direction = forms.ChoiceField(label=_("Direction"), choices=GIVE_OR_TAKE, widget=UnfoldAdminSelectWidget)
    amount = YuanField(label=_("Amount (yuan)"))
    reason = reason_field()
    number = forms.RegexField(r"^v-[0-9a-f]{32}\Z", widget=forms.HiddenInput)
    carried = ("number",)
    outdated = requests.NumberReused

    def seen(self) -> dict[str, Any]:
        return {"number": f"v-{uuid.uuid4().hex}"}

    def facts(self) -> list[tuple[Any, Any]]:
        limit_fen = self.row.client.grant_approval_above_fen
        return [(_("Client"), self.row.client), *holdings(self.row), (_("A second person decides"), _above(limit_fen))]

    def carry_out(self, *, actor: str) -> str:
        entered = self.cleaned_data
        command = GrantCommand(
            grant_no=entered["number"], kind=Kind(entered["kind"]), direction=Direction(entered["direction"]),
            amount_fen=entered["amount"], reason=entered["reason"],
        )  # fmt: skip
        made = values.request(customer_id=self.row.pk, command=command, actor=actor, at=timezone.now())
        if made.status == Status.TO_APPROVE:
            return str(_("It waits for a second person. Nothing has moved until then."))
        if made.status == Status.REFUSED:
            return str(_("A second person did not approve it: nothing has moved."))
        has = ", ".join(f"{amount} {kind}" for kind, amount in holdings(self.row))
        return str(_("Done. The customer has now: %s.") % has)


def _above(limit_fen: int | None) -> str:
    if limit_fen is None:
        return str(_("never"))
    if not limit_fen:
        return str(_("always"))
    return str(_("above ¥%s, together with what was done alone within a day") % yuan_text(limit_fen))


CUSTOMER_PAGES = (
    FormPage(
        name="value", title=_("Give or take points or balance"), button=_("Book"), form=ValueForm,
        permission="payments.grant_value",
    ),
    FormPage(
        name="freeze", title=_("Freeze"), button=_("Freeze the customer"), form=FreezeForm,
        permission="payments.freeze_customer", offered=lambda customer: not customer.is_frozen,
    ),
    FormPage(
        name="unfreeze", title=_("Unfreeze"), button=_("Unfreeze the customer"), form=UnfreezeForm,
        permission="payments.freeze_customer", offered=lambda customer: customer.is_frozen,
    ),
)  # fmt: skip
