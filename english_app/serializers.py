"""What comes in. What goes out is built by hand in `answers`: it is the document's, key by key."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from english_app.models import NUM_MAX, EnglishOrder, PayWay
from english_app.pricing import Wanted
from payments.api.serializers import CustomerSerializer, DocumentSerializer
from payments.models import Order
from payments.wire import IdField, LineField, ObjectListField, TextField, WholeNumberField, YuanField
from payments.wire.serializers import length_of

PAY_WAYS = (PayWay.WECHAT.value, PayWay.ALIPAY.value)
PAGE_SIZE, PAGE_SIZE_MAX = 20, 100


class BoundedField(WholeNumberField):
    """A whole number between two others."""

    default_error_messages = {"out_of_bounds": _("Send a whole number from %(least)s to %(most)s.")}

    def __init__(self, *, least: int, most: int, **kwargs: Any) -> None:
        self.least, self.most = least, most
        super().__init__(min_value=least, max_value=most, **kwargs)  # for the API pages: ours is said before theirs

    def to_internal_value(self, data: Any) -> int:
        number = super().to_internal_value(data)
        if not self.least <= number <= self.most:
            message = str(self.error_messages["out_of_bounds"]) % {"least": self.least, "most": self.most}
            raise serializers.ValidationError(message, code="out_of_bounds")
        return number


class ListSerializer(CustomerSerializer):
    page = BoundedField(least=1, most=10**9 - 1, default=1, help_text=_("Counted from 1."))
    limit = BoundedField(
        least=1, most=PAGE_SIZE_MAX, default=PAGE_SIZE, help_text=_("How many orders a page has at most.")
    )


class WantedSerializer(DocumentSerializer):
    """So many of one good."""

    good_id = WholeNumberField(help_text=_("A good that is on sale."))
    num = BoundedField(least=1, most=NUM_MAX, help_text=_("How many: pieces, or months of a membership."))

    def to_internal_value(self, data: Any) -> Any:
        return Wanted(**super().to_internal_value(data))


class GoodsSerializer(CustomerSerializer):
    goods_list = ObjectListField(child=WantedSerializer(), help_text=_("What is bought: JSON, or JSON as text."))


@extend_schema_field({"type": "string", "enum": ["", *PAY_WAYS]})
class PayWayField(TextField):
    default_error_messages = {"unknown": _("Send wechat or alipay.")}

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if name not in ("", *PAY_WAYS):
            self.fail("unknown")
        return name


class InitSerializer(GoodsSerializer):
    user_name = LineField(
        max_length=length_of(EnglishOrder, "user_name"), default="", help_text=_("The customer's name in the app.")
    )
    title = LineField(max_length=length_of(Order, "title"), help_text=_("What the order is called."))
    price_total = YuanField(help_text=_("What the goods cost: as submitGoodsOrder told."))
    money = YuanField(help_text=_("What is paid in at WeChat or Alipay; 0 to pay from the balance alone."))
    imeil = LineField(
        max_length=length_of(EnglishOrder, "imeil"), default="", help_text=_("The phone's serial number.")
    )  # fmt: skip
    pay_way_name = PayWayField(default="", help_text=_("wechat or alipay; may be empty where money is 0."))
    agent_id = WholeNumberField(default=0, help_text=_("The channel that brought the customer; 0 for none."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["money"] and not attrs["pay_way_name"]:
            raise serializers.ValidationError({"pay_way_name": [_("Send wechat or alipay.")]}, code="blank")
        return attrs


class OrderSerializer(CustomerSerializer):
    """One order of one customer."""

    order_sn = IdField(help_text=_("Our number of the order."))
