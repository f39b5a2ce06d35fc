"""What comes in. What goes out is built by hand in `answers`: it is the document's, key by key."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from partner_orders.models import Address, PartnerOrder, PayType
from payments.api.serializers import DocumentSerializer
from payments.orders.models import OrderTransition
from payments.wire import IdField, LineField, TextField, TimestampField, WholeNumberField

REASON_LENGTH_MAX = OrderTransition._meta.get_field("reason").max_length  # noqa: SLF001  Django's documented model API


def _length(model: Any, name: str) -> int:
    return int(model._meta.get_field(name).max_length)  # noqa: SLF001  likewise


class PayTypeField(WholeNumberField):
    default_error_messages = {"invalid_choice": _("Send 1 (balance) or 2 (Alipay).")}

    def to_internal_value(self, data: Any) -> PayType:
        number = super().to_internal_value(data)
        if number not in PayType.values:
            self.fail("invalid_choice")
        return PayType(number)


class PaySerializer(DocumentSerializer):
    """Document 002's five parameters; the sixth, the sign, is the authentication's."""

    user_id = IdField()
    pay_type = PayTypeField()
    gift_pos_id = IdField()
    coupon_id = IdField(default="")
    address_id = WholeNumberField()


class CustomerSerializer(DocumentSerializer):
    user_id = IdField()


class OrderNumberSerializer(DocumentSerializer):
    order_no = IdField()


class OrderSerializer(OrderNumberSerializer, CustomerSerializer):
    """One order of one customer."""


class CancelSerializer(OrderSerializer):
    reason = TextField(max_length=REASON_LENGTH_MAX, default="")


class ShipSerializer(OrderNumberSerializer):
    """In the words of document 002's `order_info`."""

    order_express_name = LineField(max_length=_length(PartnerOrder, "express_name"))
    order_express_number = LineField(max_length=_length(PartnerOrder, "express_number"))
    order_express_no = LineField(max_length=_length(PartnerOrder, "express_code"), default="")
    order_express_address = LineField(max_length=_length(PartnerOrder, "express_address"), default="")
    order_express_time = TimestampField(required=False)


class DefaultField(WholeNumberField):
    """1 for yes, 0 for no."""

    default_error_messages = {"invalid_choice": _("Send 1 or 0.")}

    def to_internal_value(self, data: Any) -> bool:
        number = super().to_internal_value(data)
        if number not in (0, 1):
            self.fail("invalid_choice")
        return bool(number)


class AddressSerializer(CustomerSerializer):
    name = LineField(max_length=_length(Address, "name"))
    phone = LineField(max_length=_length(Address, "phone"))
    address = LineField(max_length=_length(Address, "address"))
    is_default = DefaultField(default=False)


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
