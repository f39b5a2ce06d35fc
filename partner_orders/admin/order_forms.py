"""What staff do on a partner order: ship it, correct how it was shipped, remark on it for its customer."""

import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from partner_orders import remarks, shipping
from partner_orders.models import PartnerOrder
from partner_orders.shipping import Shipment
from payments.admin.fields import ONE_LINE
from payments.admin.form_pages import DeedForm

# The name, as customers read it, and the short name that apps know.
COURIERS = {
    "顺丰速运": "SF",
    "中通快递": "ZTO",
    "圆通速递": "YTO",
    "申通快递": "STO",
    "韵达快递": "YUNDA",
    "京东物流": "JD",
    "EMS": "EMS",
    "极兔速递": "JTSD",
}
CLOCK = "%Y-%m-%dT%H:%M:%S"  # as browsers send a date and a time


def _line(label: Any, field: str, *, required: bool = True, help_text: Any = "", **attrs: Any) -> forms.CharField:
    """A line as long as the order's field of that name."""
    described: Any = PartnerOrder._meta.get_field(field)  # noqa: SLF001  Django documents _meta
    return forms.CharField(
        label=label, required=required, help_text=help_text, max_length=described.max_length, validators=[ONE_LINE],
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", **attrs}),
    )  # fmt: skip


class ShipForm(DeedForm):
    name = _line(_("Courier"), "express_name", list="couriers")
    code = _line(
        _("Courier's code"), "express_code", required=False, list="codes",
        help_text=_("Empty: what belongs to a courier of the list."),
    )  # fmt: skip
    number = _line(_("Tracking number"), "express_number")
    address = _line(_("Shipped from"), "express_address", required=False)
    at = forms.DateTimeField(
        label=_("Shipped at"),
        help_text=_("In Shanghai."),
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local", "step": "1"}),
    )
    as_seen = forms.RegexField(r"^[0-9a-f]{64}\Z", widget=forms.HiddenInput)
    carried = ("as_seen",)
    named = {"order_express_time": "at"}
    suggestions = {"couriers": tuple(COURIERS), "codes": tuple(COURIERS.values())}
    outdated = shipping.ShippedMeanwhile

    def entered_before(self) -> dict[str, Any]:
        shipment = shipping.shipment_of(self.row) or Shipment(name="", number="")
        return {
            "name": shipment.name, "code": shipment.code, "number": shipment.number, "address": shipment.address,
            "at": _clock(shipment.at or timezone.now()),
        }  # fmt: skip

    def facts(self) -> list[tuple[Any, Any]]:
        row = self.row
        told = [(_("Recipient"), f"{row.receive_name} {row.receive_phone} {row.receive_address}"),
                (_("Gift pack"), row.pack_title), (_("Delivery"), row.get_delivery_display())]  # fmt: skip
        if shipment := shipping.shipment_of(row):
            told.append((_("Shipped with"), f"{shipment.name} {shipment.number}"))
        return told

    def seen(self) -> dict[str, Any]:
        return {"as_seen": shipping.seen(self.row)}

    def carry_out(self, *, actor: str) -> str:
        entered = self.cleaned_data
        shipment = Shipment(
            name=entered["name"],
            number=entered["number"],
            code=entered["code"] or COURIERS.get(entered["name"], ""),
            address=entered["address"],
            at=self._at(),
        )
        shipping.ship(
            order_id=self.row.order_id, shipment=shipment, actor=actor, at=timezone.now(),
            as_seen=entered["as_seen"],
        )  # fmt: skip
        return str(_("Shipped with %(courier)s, %(number)s.")) % {"courier": shipment.name, "number": shipment.number}

    def _at(self) -> datetime.datetime:
        """A form shows whole seconds: what it shows of a stored time is that time."""
        entered: datetime.datetime = self.cleaned_data["at"]
        stored: datetime.datetime | None = self.row.shipped_at
        return stored if stored and _clock(stored) == _clock(entered) else entered


class RemarkForm(DeedForm):
    text = _line(_("Remark"), "remark", required=False, help_text=_("The app shows it to the customer."))
    before = forms.CharField(required=False, strip=False, max_length=255, widget=forms.HiddenInput)
    carried = ("before",)
    outdated = remarks.RemarkedMeanwhile

    def entered_before(self) -> dict[str, Any]:
        return {"text": self.row.remark}

    def facts(self) -> list[tuple[Any, Any]]:
        return [(_("Remark now"), self.row.remark or "-")]

    def seen(self) -> dict[str, Any]:
        return {"before": self.row.remark}

    def carry_out(self, *, actor: str) -> str:
        entered = self.cleaned_data
        remarks.remark(order_id=self.row.order_id, text=entered["text"], seen=entered["before"], actor=actor)
        return str(_("The remark is kept."))


def _clock(at: datetime.datetime) -> str:
    return f"{timezone.localtime(at):{CLOCK}}"
