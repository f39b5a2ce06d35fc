"""What the calls of payments' own take."""

import datetime
import re
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.fields import empty

from payments.customers.queries import Direction
from payments.gateways.base import Mode
from payments.ledger.accounts import Kind
from payments.models import Order
from payments.orders.models import OrderKind, OrderTransition
from payments.outbox import addresses
from payments.refunds.models import REASON_LENGTH_MAX, REFUND_NO_LENGTH_MAX
from payments.refunds.operations import RefundCommand
from payments.wire import IdField, LineField, TextField, TimestampField, WholeNumberField, YuanField
from payments.wire.serializers import Parameters, length_of

# Document 003's words.
ORDER_TYPES = {"Order": OrderKind.GOODS, "Wallet": OrderKind.RECHARGE, "Appointment": OrderKind.APPOINTMENT}
WECHAT_TYPES = {"NATIVE": Mode.QR}
ALIPAY_TYPES = {"QRCODE": Mode.QR, "APP": Mode.APP}

LINE_LENGTH_MAX = 128
URL_LENGTH_MAX = length_of(Order, "notify_url")
CLOSING_REASON_LENGTH_MAX = length_of(OrderTransition, "reason")
EXPIRES_IN_S_MIN, EXPIRES_IN_S_MAX = 300, 7 * 86_400
EARLIEST = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


# The sign joins parameters with &: with one inside, two calls could share one sign.
_REFUND_NO = re.compile(r"[!-%'-~]+")


class ExpiresInField(WholeNumberField):
    """For how long an order can be paid; None where nothing is sent: as long as the client's orders wait."""

    def __init__(self, **kwargs: Any) -> None:
        bounds = {"min_value": EXPIRES_IN_S_MIN, "max_value": EXPIRES_IN_S_MAX}
        super().__init__(**{**bounds, "default": None, "allow_null": True, **kwargs})

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation(None if data == "" else data)


class RefundNoField(TextField):
    """A client's own number of a refund."""

    default_error_messages = {"unreadable": _("Send letters, digits and signs of ASCII; no space and no &.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": REFUND_NO_LENGTH_MAX, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not _REFUND_NO.fullmatch(text):
            self.fail("unreadable")
        return text


class NothingSerializer(serializers.Serializer[Any]):
    """A call without parameters of its own."""


class ProfileSerializer(serializers.Serializer[Any]):
    """All there is to know of a customer: what is not sent is emptied."""

    ee_no = TextField(default="")
    phone = TextField(default="")
    real_name = TextField(default="")


class GrantSerializer(serializers.Serializer[Any]):
    grant_no = IdField()
    kind = serializers.ChoiceField(Kind.choices)
    direction = serializers.ChoiceField(Direction.choices)
    amount = YuanField()
    reason = TextField(default="")


class StatementSerializer(serializers.Serializer[Any]):
    """Which transfers are listed, and which page of them."""

    kind = serializers.ChoiceField(Kind.choices, required=False)
    direction = serializers.ChoiceField(Direction.choices, required=False)
    cursor = TextField(required=False)
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=200)


def _one_of(words: dict[str, Any], refusal: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(list(words), error_messages={"invalid_choice": refusal})


def _order_type() -> serializers.ChoiceField:
    return _one_of(ORDER_TYPES, _("Send Order, Wallet or Appointment."))


class DocumentSerializer(Parameters):
    """What a documented call takes. A parameter that is null or empty counts as not sent, to the sign as well."""

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value({name: value for name, value in data.items() if value not in (None, "")})


class CustomerSerializer(DocumentSerializer):
    """What a call about a customer takes, where the document says who it is."""

    user_id = IdField(help_text=_("The customer, as you know them."))


class DirectOrderSerializer(DocumentSerializer):
    order_type = _order_type()
    user_id = IdField()
    title = LineField(max_length=LINE_LENGTH_MAX)
    total_amount = YuanField()
    appointment_time = TimestampField(required=False)
    appointment_for = LineField(max_length=LINE_LENGTH_MAX, required=False)
    notify_url = TextField(max_length=URL_LENGTH_MAX, required=False)
    expires_in = ExpiresInField()
    out_trade_no = LineField(max_length=64, required=False)

    def validate_total_amount(self, total_fen: int) -> int:
        if total_fen <= 0:
            raise serializers.ValidationError(_("Must be more than 0."))
        return total_fen

    def validate_appointment_time(self, time: datetime.datetime) -> datetime.datetime:
        if time < EARLIEST:
            raise serializers.ValidationError(_("Send a time of this century."))
        return time

    def validate_notify_url(self, url: str) -> str:
        try:
            addresses.check(url)
        except addresses.UnfitAddress as unfit:
            raise serializers.ValidationError(str(unfit.sentence)) from unfit
        return url

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        is_appointment = ORDER_TYPES[attrs["order_type"]] is OrderKind.APPOINTMENT
        for name in ("appointment_time", "appointment_for"):
            if is_appointment and name not in attrs:
                raise serializers.ValidationError({name: _("An Appointment needs it.")}, code="required")
            if not is_appointment and name in attrs:
                raise serializers.ValidationError({name: _("Only an Appointment has it.")})
        return attrs


class PushSerializer(DocumentSerializer):
    """Which order is to be paid: what both gateways have in common."""

    order_type = _order_type()
    order_number = IdField()


class WechatPushSerializer(PushSerializer):
    type = _one_of(WECHAT_TYPES, _("Send NATIVE."))


class AlipayPushSerializer(PushSerializer):
    type = _one_of(ALIPAY_TYPES, _("Send QRCODE or APP."))


class RefundNoSerializer(DocumentSerializer):
    refund_no = RefundNoField()


class RefundSerializer(RefundNoSerializer):
    """What is to go back of an order, whatever call names it. Amounts that are not sent are 0."""

    goods_amount = YuanField(default=0)
    shipping_amount = YuanField(default=0)
    reason = LineField(max_length=REASON_LENGTH_MAX, required=False)


def refund_command(given: dict[str, Any]) -> RefundCommand:
    """Return what a call asks for, read by `RefundSerializer`."""
    return RefundCommand(
        goods_fen=given["goods_amount"],
        shipping_fen=given["shipping_amount"],
        refund_no=given["refund_no"],
        reason=given.get("reason", ""),
    )


class ClosingSerializer(DocumentSerializer):
    reason = LineField(max_length=CLOSING_REASON_LENGTH_MAX, required=False)


class OrderRefundSerializer(RefundSerializer):
    order_number = IdField()


class OrderClosingSerializer(ClosingSerializer):
    order_number = IdField()
