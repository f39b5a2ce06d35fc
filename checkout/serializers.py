"""What comes in. What goes out is built by hand in `views`: it is the document's, key by key."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from payments.api.serializers import ClosingSerializer, ExpiresInField, RefundSerializer
from payments.models import ApiClient
from payments.wire import IdField, TextField, YuanField, web_host
from payments.wire.serializers import Parameters

NUMBER_LENGTH_MAX = 64
URL_LENGTH_MAX = 2_000


class NumbersSerializer(Parameters):
    """The two numbers a client knows an order by. Not both may be empty."""

    out_trade_no = TextField(max_length=NUMBER_LENGTH_MAX, allow_blank=True, allow_null=True, default="")
    client_pay_id = TextField(max_length=NUMBER_LENGTH_MAX, allow_blank=True, allow_null=True, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = {**attrs, "out_trade_no": attrs["out_trade_no"] or "", "client_pay_id": attrs["client_pay_id"] or ""}
        for name in ("out_trade_no", "client_pay_id"):
            if "&" in attrs[name]:  # the sign joins parameters with it: two calls could share one sign
                raise serializers.ValidationError({name: _("Must not contain &.")})
        if not attrs["out_trade_no"] and not attrs["client_pay_id"]:
            raise serializers.ValidationError(
                {"out_trade_no": _("Give out_trade_no or client_pay_id: not both may be empty.")}
            )
        return attrs


class PaySerializer(NumbersSerializer):
    total_amount = YuanField()
    shipping_fee = YuanField()
    user_id = IdField()
    ee_no = TextField(max_length=64)
    redirect_url = TextField(max_length=URL_LENGTH_MAX, allow_blank=True, allow_null=True, default="")
    expires_in = ExpiresInField()

    def validate_total_amount(self, total_fen: int) -> int:
        if total_fen <= 0:
            raise serializers.ValidationError(_("Must be more than 0."))
        return total_fen

    def validate_redirect_url(self, url: str | None) -> str:
        if url and not is_allowed_redirect(url=url, client=self.context["client"]):
            raise serializers.ValidationError(
                _("Must be an http or https address on a host that is registered for you, without user or password.")
            )
        return url or ""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if attrs["shipping_fee"] > attrs["total_amount"]:
            raise serializers.ValidationError(
                {"shipping_fee": _("Must not be more than total_amount, which includes it.")}
            )
        return attrs


class CheckoutRefundSerializer(NumbersSerializer, RefundSerializer):
    """Which order, and what of it is to go back."""


class CheckoutClosingSerializer(NumbersSerializer, ClosingSerializer):
    """Which order is to be closed."""


def is_allowed_redirect(*, url: str, client: ApiClient) -> bool:
    """Whether a customer may be led to `url`: its host is listed."""
    return web_host(url) in client.redirect_hosts
