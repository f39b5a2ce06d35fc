"""What the forms of the back-office read."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from payments.money import NotAnAmount, fen_from_yuan, yuan_text

ONE_LINE = RegexValidator(r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z", _("Enter one line of text."))


class YuanField(forms.CharField):
    """Yuan as people write them, as fen. Nothing is 0."""

    widget = UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"})

    def clean(self, value: Any) -> int:
        text = super().clean(value)
        try:
            return fen_from_yuan(text) if text else 0
        except NotAnAmount as error:
            raise forms.ValidationError(_("Enter yuan with at most two decimals, such as 21.40.")) from error

    def prepare_value(self, value: Any) -> Any:
        """Show what is stored as it is entered; leave what was entered as it is."""
        return yuan_text(value) if isinstance(value, int) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != initial)
        except forms.ValidationError:
            return True
