"""What comes in. What goes out is built by hand in `answers`: it is the document's, key by key."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from partner_orders.models import Address, PartnerOrder, PayType
from payments.api.serializers import ClosingSerializer, CustomerSerializer, DocumentSerializer
from payments.wire import IdField, LineField, TextField, TimestampField, WholeNumberField
from payments.wire.serializers import length_of


@extend_schema_field({"type": "integer", "enum": PayType.values})
class PayTypeField(WholeNumberField):
    default_error_messages = {"invalid": _("Send 1 (balance) or 2 (Alipay).")}

    def to_internal_value(self, data: Any) -> PayType:
        number = super().to_internal_value(data)
        if number not in PayType.values:
            self.fail("invalid")
        return PayType(number)


class PaySerializer(CustomerSerializer):
    """Document 002's five parameters; the sixth, the sign, is the authentication's."""

    pay_type = PayTypeField(help_text=_("1: balance, 2: Alipay."))
    gift_pos_id = IdField(help_text=_("The gift pack."))
    coupon_id = IdField(default="", help_text=_("A coupon of the customer's that is usable; empty for none."))
    address_id = WholeNumberField(help_text=_("Where it goes: an address of the customer's."))


class OrderNumberSerializer(DocumentSerializer):
    order_no = IdField(help_text=_("Our number of the order."))


class OrderSerializer(OrderNumberSerializer, CustomerSerializer):
    """One order of one customer."""


class CancelSerializer(ClosingSerializer, OrderSerializer):
    """Which order is not wanted any more, and why."""


class ShipSerializer(OrderNumberSerializer):
    """In the words of document 002's `order_info`."""

    order_express_name = LineField(max_length=length_of(PartnerOrder, "express_name"), help_text=_("The courier."))
    order_express_number = LineField(
        max_length=length_of(PartnerOrder, "express_number"), help_text=_("The tracking number.")
    )
    order_express_no = LineField(
        max_length=length_of(PartnerOrder, "express_code"), default="", help_text=_("The courier's short name.")
    )
    order_express_address = LineField(
        max_length=length_of(PartnerOrder, "express_address"), default="", help_text=_("Where it was shipped from.")
    )
    order_express_time = TimestampField(required=False, help_text=_("When it was shipped; now, if it is not sent."))


@extend_schema_field({"type": "integer", "enum": [0, 1]})
class DefaultField(WholeNumberField):
    """1 for yes, 0 for no."""

    default_error_messages = {"invalid": _("Send 1 or 0.")}

    def to_internal_value(self, data: Any) -> bool:
        number = super().to_internal_value(data)
        if number not in (0, 1):
            self.fail("invalid")
        return bool(number)


class AddressSerializer(CustomerSerializer):
    name = LineField(max_length=length_of(Address, "name"), help_text=_("Who receives it."))
    phone = LineField(max_length=length_of(Address, "phone"))
    address = LineField(max_length=length_of(Address, "address"))
    is_default = DefaultField(default=False, help_text=_("1 or 0. A customer has one default address at most."))


class AddressIdSerializer(CustomerSerializer):
    address_id = WholeNumberField()


class AddressChangeSerializer(AddressIdSerializer, AddressSerializer):
    """Which address, and all of what it is to be."""


class IdempotencyKeyField(TextField):
    """The header of that name: printable ASCII without spaces, as an order number of the client's own."""

    default_error_messages = {"unreadable": _("Send at most 64 letters, digits and signs of ASCII, without spaces.")}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not text.isascii() or not text.isprintable() or " " in text:
            self.fail("unreadable")
        return text


class IdempotencyKeySerializer(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, Any]:
        return {"Idempotency-Key": IdempotencyKeyField(max_length=64, default="")}
