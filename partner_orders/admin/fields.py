"""What the forms of the partner programme read."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from payments.admin.fields import YuanField

FEN = 100  # in a yuan


class WholeYuanField(YuanField):
    """Yuan without decimals, as fen: what the wire can tell of a pack's price and of a coupon."""

    def __init__(self, *, least: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.least = least

    def clean(self, value: Any) -> int:
        fen = super().clean(value)
        if fen % FEN or fen < self.least * FEN:
            raise forms.ValidationError(_("Enter whole yuan, at least %(least)s."), params={"least": self.least})
        return fen

    def prepare_value(self, value: Any) -> Any:
        return value // FEN if isinstance(value, int) else value
