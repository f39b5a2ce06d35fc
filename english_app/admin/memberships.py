"""Who is a member until when, and what was given to whom: both follow from deliveries and returns."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesRadioFilter, RangeDateFilter
from unfold.decorators import display

from english_app.admin.base import lasts
from english_app.models import Grant, Membership
from payments.admin.base import ReadOnlyAdmin
from payments.admin.look_ups import of_customers

STATES: dict[str, Any] = {"member": _("member"), "over": _("expired"), "none": _("none")}
COLOURS = {"member": "success", "over": "warning", "none": ""}


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    client_path = "customer__client"
    list_display = ("customer", "shown_state", "ends_on", "to_grants")
    list_filter = (("ends_on", RangeDateFilter),)
    list_select_related = ("customer",)
    search_fields = ("customer",)
    search_help_text = _("User number or phone of the customer")
    fields = ("customer", ("state", "ends_on"), "to_grants")
    readonly_fields = ("state", "to_grants")

    def find(self, term: str) -> Iterable[QuerySet[Membership]]:
        for customers in of_customers(term):
            yield Membership.objects.filter(customer__in=customers)

    @display(description=_("state"), label=COLOURS)  # type: ignore[untyped-decorator]
    def shown_state(self, membership: Membership) -> tuple[str, str | Promise]:
        state = "none"
        if membership.ends_on is not None:
            state = "member" if membership.ends_on >= timezone.localdate() else "over"
        return state, STATES[state]

    @admin.display(description=_("state"))
    def state(self, membership: Membership) -> str | Promise:
        """On the page, which knows no labels."""
        _value, words = self.shown_state(membership)
        return words  # type: ignore[no-any-return]

    @admin.display(description=_("granted goods"))
    def to_grants(self, membership: Membership) -> SafeString:
        path = reverse("admin:english_app_grant_changelist")
        return format_html(
            '<a href="{}?customer__id__exact={}" class="text-link">{}</a>',
            path, membership.customer_id, _("What it adds up from"),
        )  # fmt: skip


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin):
    client_path = "customer__client"
    list_display = ("id", "customer", "sold", "lasts", "number", "granted_at", "shown_state", "taken_back_at")
    list_filter = (("line__kind", ChoicesRadioFilter), ("taken_back_at", admin.EmptyFieldListFilter))
    list_select_related = ("customer", "line__document__order")
    search_fields = ("line__document__order__number",)
    search_help_text = _("Order number, or user number or phone of the customer")
    fields = (("customer", "number"), ("sold", "lasts"), ("granted_at", "taken_back_at"))
    readonly_fields = ("number", "sold", "lasts")

    def find(self, term: str) -> Iterable[QuerySet[Grant]]:
        yield from super().find(term)
        for customers in of_customers(term):
            yield Grant.objects.filter(customer__in=customers)

    @admin.display(description=_("good"))
    def sold(self, grant: Grant) -> str:
        return str(grant.line)

    @admin.display(description=_("lasts"))
    def lasts(self, grant: Grant) -> str | None:
        return lasts(grant.line)

    @admin.display(description=_("order number"))
    def number(self, grant: Grant) -> SafeString:
        document = grant.line.document
        path = reverse("admin:english_app_englishorder_change", args=[document.pk])
        return format_html('<a href="{}" class="text-link">{}</a>', path, document.order.number)

    @display(description=_("state"), label={"granted": "success", "taken_back": "danger"})  # type: ignore[untyped-decorator]
    def shown_state(self, grant: Grant) -> tuple[str, str | Promise]:
        return ("taken_back", _("taken back")) if grant.taken_back_at else ("granted", _("granted"))
