"""Coupons: their terms, how many are in customers' hands, and which of those an order holds."""

import re
import uuid
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget

from partner_orders import giving, queries
from partner_orders.admin.fields import WholeYuanField
from partner_orders.models import Coupon, CustomerCoupon, PartnerOrder
from partner_orders.queries import CouponState
from payments.admin.base import FieldwiseAdmin, ReadOnlyAdmin, yuan
from payments.admin.form_pages import DeedForm, FormPage, FormPagesAdmin
from payments.admin.look_ups import of_customers
from payments.wire.fields import ID_LENGTH_MAX

GIVEN_TO_MAX = 500  # customers, by one click
COPIES_MAX = 10  # to each of them
STATES: dict[str, Any] = {
    CouponState.USABLE.value: _("can be used"),
    CouponState.USED.value: _("used"),
    CouponState.TO_COME.value: _("not valid yet"),
    CouponState.EXPIRED.value: _("no longer valid"),
}
COLOURS = {
    CouponState.USABLE.value: "success",
    CouponState.USED.value: "info",
    CouponState.TO_COME.value: "warning",
    CouponState.EXPIRED.value: "",
}


class CouponForm(forms.ModelForm):  # type: ignore[type-arg]
    off_fen = WholeYuanField(label=_("Takes off (yuan)"), least=1)
    min_price_fen = WholeYuanField(
        label=_("From a price of (yuan)"), least=0, required=False, help_text=_("Empty: any price.")
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = given.get("valid_from"), given.get("valid_until")
        if first and last and last < first:
            self.add_error("valid_until", _("It ends before it begins."))
        return given


class GiveForm(DeedForm):
    user_ids = forms.CharField(
        label=_("Customers"),
        max_length=GIVEN_TO_MAX * (ID_LENGTH_MAX + 2),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 10, "spellcheck": "false"}),
    )
    copies = forms.IntegerField(
        label=_("To each of them"),
        initial=1,
        min_value=1,
        max_value=COPIES_MAX,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    batch = forms.RegexField(r"^[0-9a-f]{32}\Z", widget=forms.HiddenInput)
    carried = ("batch",)
    outdated = giving.BatchReused

    def __init__(self, data: Any = None, files: Any = None, *, row: Coupon) -> None:
        super().__init__(data, files, row=row)
        said = _("Their user ids, one in each line, at most %(most)s. One that stands twice counts once.")
        self.fields["user_ids"].help_text = said % {"most": GIVEN_TO_MAX}

    def facts(self) -> list[tuple[Any, Any]]:
        days = f"{self.row.valid_from.isoformat()} – {self.row.valid_until.isoformat()}"
        return [(_("Client"), self.row.client), (_("Takes off"), yuan("off_fen", "")(self.row)), (_("Valid"), days)]

    def seen(self) -> dict[str, Any]:
        return {"batch": uuid.uuid4().hex}

    def clean_user_ids(self) -> list[str]:
        lines = (line.strip() for line in re.split(r"[\r\n]+", self.cleaned_data["user_ids"]))
        user_ids = list(dict.fromkeys(line for line in lines if line))
        if len(user_ids) > GIVEN_TO_MAX:
            raise forms.ValidationError(_("At most %(most)s customers at a time."), params={"most": GIVEN_TO_MAX})
        return user_ids

    def carry_out(self, *, actor: str) -> str:
        entered = self.cleaned_data
        given = giving.give(
            coupon_id=self.row.pk, user_ids=entered["user_ids"], copies=entered["copies"],
            batch=uuid.UUID(entered["batch"]), actor=actor,
        )  # fmt: skip
        return ngettext("%d coupon was given.", "%d coupons were given.", given) % given


def _number_of(rows: QuerySet[Any], *, by: str) -> Coalesce:
    """Return how many of `rows` are of the coupon that is looked at."""
    counted = rows.filter(**{by: OuterRef("pk")}).order_by().values(by).annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted), 0)


@admin.register(Coupon)
class CouponAdmin(FormPagesAdmin, FieldwiseAdmin):
    client_path = "client"
    subject = "coupon"
    form = CouponForm
    list_display = (
        "title", "client", yuan("off_fen", _("takes off")), yuan("min_price_fen", _("from a price of")), "valid_from",
        "valid_until", "given", "used", "free",
    )  # fmt: skip
    list_filter = (("valid_until", RangeDateFilter),)
    list_select_related = ("client",)
    readonly_fields = ("given", "used", "free", "created_at")
    fieldsets = (
        (None, {"fields": ("client", "title")}),
        (_("Terms"), {"fields": (("off_fen", "min_price_fen"), ("valid_from", "valid_until"))}),
        (_("In customers' hands"), {"fields": (("given", "used", "free"), "created_at")}),
    )
    form_pages = (
        FormPage(
            name="give", title=_("Give to customers"), button=_("Give"), form=GiveForm,
            permission="partner_orders.add_customercoupon",
        ),
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Coupon | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "client") if obj else self.readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        held = PartnerOrder.objects.filter(holds=True)
        found: QuerySet[Any] = super().get_queryset(request)
        return found.annotate(  # type: ignore[no-any-return]
            number_given=_number_of(CustomerCoupon.objects.all(), by="coupon"),
            number_used=_number_of(held, by="coupon__coupon"),
        )

    @admin.display(description=_("given"))
    def given(self, coupon: Any) -> SafeString | None:
        """How many, leading to them."""
        if not coupon.pk:
            return None
        path = reverse("admin:partner_orders_customercoupon_changelist")
        return format_html(
            '<a href="{}?coupon__id__exact={}" class="text-link">{}</a>', path, coupon.pk, coupon.number_given
        )

    @admin.display(description=_("used"))
    def used(self, coupon: Any) -> int | None:
        return coupon.number_used if coupon.pk else None

    @admin.display(description=_("free"))
    def free(self, coupon: Any) -> int | None:
        return coupon.number_given - coupon.number_used if coupon.pk else None


@admin.register(CustomerCoupon)
class CustomerCouponAdmin(ReadOnlyAdmin):
    client_path = "customer__client"
    list_display = ("uid", "coupon", "customer", "shown_state", "held_by", "given_at")
    list_select_related = ("coupon", "customer")
    search_fields = ("uid",)
    search_help_text = _("Coupon id, or user number or phone of the customer")
    fields = ("uid", ("coupon", "customer"), ("state", "held_by"), "given_at")
    readonly_fields = ("state", "held_by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        holding = PartnerOrder.objects.filter(holds=True).select_related("order")
        found = queries.with_state(super().get_queryset(request))
        return found.prefetch_related(Prefetch("orders", queryset=holding, to_attr="holding"))

    def find(self, term: str) -> Iterable[QuerySet[CustomerCoupon]]:
        yield from super().find(term)
        for customers in of_customers(term):
            yield CustomerCoupon.objects.filter(customer__in=customers)

    @display(description=_("state"), label=COLOURS)  # type: ignore[untyped-decorator]
    def shown_state(self, own: Any) -> tuple[str, str | Promise]:
        state = queries.coupon_state(own, at=timezone.now()).value
        return state, STATES[state]

    @admin.display(description=_("state"))
    def state(self, own: Any) -> str | Promise:
        """On the page, which knows no labels."""
        _value, words = self.shown_state(own)
        return words  # type: ignore[no-any-return]

    @admin.display(description=_("used by the order"))
    def held_by(self, own: Any) -> SafeString | None:
        for document in own.holding:
            path = reverse("admin:partner_orders_partnerorder_change", args=[document.pk])
            return format_html('<a href="{}" class="text-link">{}</a>', path, document.order.number)
        return None
