"""What the app sells. A price or a period changes for who buys next: orders keep what they were sold as."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesRadioFilter

from english_app.admin.base import OfClientAdmin, lasts
from english_app.models import Good
from english_app.pricing import TOTAL_FEN_MAX
from payments.admin.base import yuan
from payments.admin.fields import YuanField
from payments.money import yuan_text

ID_DIGITS_MAX = 18


class PriceField(YuanField):
    """A price at which one piece can be sold."""

    def clean(self, value: Any) -> int:
        fen = super().clean(value)
        if not 1 <= fen <= TOTAL_FEN_MAX:
            raise forms.ValidationError(
                _("Enter a price from ¥0.01 to ¥%(most)s."), params={"most": yuan_text(TOTAL_FEN_MAX)}
            )
        return fen


class GoodForm(forms.ModelForm):  # type: ignore[type-arg]
    price_fen = PriceField(label=_("Price (yuan)"))


@admin.register(Good)
class GoodAdmin(OfClientAdmin):
    subject = "english_good"
    form = GoodForm
    list_display = ("id", "title", "client", "kind", lasts, yuan("price_fen", _("price")), "is_on_sale", "created_at")
    list_display_links = ("id", "title")
    list_filter = (("is_on_sale", BooleanRadioFilter), ("kind", ChoicesRadioFilter))
    search_fields = ("title",)
    search_help_text = _("Good id, or exactly the title")
    readonly_fields = ("created_at",)
    fieldsets = (
        (None, {"fields": ("client", "title", ("price_fen", "is_on_sale"))}),
        (_("What it is"), {"fields": ("kind", "periods", "period_unit")}),
        (_("Times"), {"fields": ("created_at",)}),
    )

    def find(self, term: str) -> Iterable[QuerySet[Good]]:
        yield from super().find(term)
        if term.isdecimal() and len(term) <= ID_DIGITS_MAX:
            yield Good.objects.filter(pk=term)
