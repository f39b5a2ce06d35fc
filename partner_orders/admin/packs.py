"""Gift packs. Orders take from their stock and give back; staff put in and take out, on a page of its own."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import BooleanRadioFilter
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from partner_orders import stock
from partner_orders.admin.fields import WholeYuanField
from partner_orders.admin.levels import check_level
from partner_orders.models import GiftPack, UserLevel
from payments.admin.base import REASON_MAX, FieldwiseAdmin, yuan
from payments.admin.form_pages import DeedForm, FormPage, FormPagesAdmin

PIECES_MAX = 1_000_000  # by one click


class GiftPackForm(forms.ModelForm):  # type: ignore[type-arg]
    price_fen = WholeYuanField(label=_("Price (yuan)"), least=1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "level" in self.fields and self.instance.pk:
            field: Any = self.fields["level"]
            field.queryset = UserLevel.objects.filter(client=self.instance.client_id)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        client = given.get("client") or (self.instance.client if self.instance.pk else None)
        check_level(self, field="level", client_id=client.pk if client else None)
        return given


class StockForm(DeedForm):
    pieces = forms.IntegerField(
        label=_("Put in"),
        help_text=_("How many pieces. Below zero: how many are taken out, such as -3."),
        min_value=-PIECES_MAX,
        max_value=PIECES_MAX,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    reason = forms.CharField(label=_("Reason"), max_length=REASON_MAX, widget=UnfoldAdminTextInputWidget)
    stocked = forms.RegexField(r"^[0-9]{1,10}\Z", widget=forms.HiddenInput)
    carried = ("stocked",)
    outdated = stock.StockedMeanwhile

    def facts(self) -> list[tuple[Any, Any]]:
        return [(_("In stock"), self.row.stock), (_("Held by orders"), self.row.held)]

    def seen(self) -> dict[str, Any]:
        return {"stocked": str(self.row.stocked)}

    def clean_pieces(self) -> int:
        pieces: int = self.cleaned_data["pieces"]
        if not pieces:
            raise forms.ValidationError(_("Enter how many are put in or taken out."))
        return pieces

    def carry_out(self, *, actor: str) -> str:
        entered = self.cleaned_data
        pack = stock.put_in(
            pack_id=self.row.pk, pieces=entered["pieces"], reason=entered["reason"],
            seen_stocked=int(entered["stocked"]), actor=actor,
        )  # fmt: skip
        return ngettext("%d piece is in stock now.", "%d pieces are in stock now.", pack.stock) % pack.stock


@admin.register(GiftPack)
class GiftPackAdmin(FormPagesAdmin, FieldwiseAdmin):
    client_path = "client"
    subject = "gift_pack"
    form = GiftPackForm
    list_display = (
        "title", "client", yuan("price_fen", _("price")), "stock", "shown_held", "level", "score", "is_shown", "uid",
    )  # fmt: skip
    list_filter = (("is_shown", BooleanRadioFilter),)
    list_select_related = ("client", "level")
    search_fields = ("uid",)
    search_help_text = _("Pack id")
    readonly_fields = ("stock", "shown_held", "created_at")
    fieldsets = (
        (None, {"fields": (("client", "uid"), "title", "description", "order_name", "is_shown")}),
        (_("What it costs, and what it does"), {"fields": ("price_fen", ("level", "score"))}),
        (_("Stock"), {"fields": (("stock", "shown_held"), "created_at")}),
    )
    form_pages = (
        FormPage(
            name="stock", title=_("Stock"), button=_("Put in or take out"), form=StockForm,
            permission="partner_orders.change_giftpack",
        ),
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: GiftPack | None = None) -> tuple[str, ...]:
        """A pack keeps its client and its id: apps know it by them."""
        return (*self.readonly_fields, "client", "uid") if obj else self.readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[GiftPack]:
        return super().get_queryset(request).select_related("client", "level")

    @admin.display(description=_("held by orders"))
    def shown_held(self, pack: GiftPack) -> int:
        return pack.held
