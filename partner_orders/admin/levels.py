"""The programme's ladder, and where customers stand on it."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from partner_orders import levels
from partner_orders.models import CustomerLevel, UserLevel
from payments.admin.base import AuditedAdmin, FieldwiseAdmin
from payments.admin.look_ups import of_customers


@admin.register(UserLevel)
class UserLevelAdmin(FieldwiseAdmin):
    client_path = "client"
    subject = "partner_level"
    list_display = ("code", "client", "title", "rank")
    list_select_related = ("client",)
    search_fields = ("code",)
    search_help_text = _("The level, exactly")
    fields = ("client", "code", "title", "rank")

    def get_readonly_fields(self, request: HttpRequest, obj: UserLevel | None = None) -> tuple[str, ...]:
        """A step stays where it is: customers stand on it."""
        return ("client", "rank") if obj else ()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "rank":
            kwargs["help_text"] = _(
                "The higher, the better. It cannot be changed later: leave room between, such as 10, 20, 30."
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)


def check_level(form: Any, *, field: str, client_id: int | None) -> None:
    """Refuse, at its field, a level of another client's ladder."""
    level = form.cleaned_data.get(field)
    if client_id and level and level.client_id != client_id:
        form.add_error(field, _("This is another client's level."))


class CustomerLevelForm(forms.ModelForm):  # type: ignore[type-arg]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "given" in self.fields and self.instance.pk:
            field: Any = self.fields["given"]
            field.queryset = UserLevel.objects.filter(client=self.instance.customer.client_id)

    def clean(self) -> dict[str, Any]:
        entered: dict[str, Any] = super().clean() or self.cleaned_data
        customer = entered.get("customer") or (self.instance.customer if self.instance.pk else None)
        check_level(self, field="given", client_id=customer.client_id if customer else None)
        return entered


@admin.register(CustomerLevel)
class CustomerLevelAdmin(AuditedAdmin):
    client_path = "customer__client"
    subject = "customer_level"
    form = CustomerLevelForm
    list_display = ("customer", "level", "given")
    list_select_related = ("customer", "level", "given")
    search_fields = ("customer",)
    search_help_text = _("User number or phone of the customer")
    raw_id_fields = ("customer",)
    fields = ("customer", "given", "level")
    readonly_fields = ("level",)

    def get_readonly_fields(self, request: HttpRequest, obj: CustomerLevel | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "customer") if obj else self.readonly_fields

    def find(self, term: str) -> Iterable[QuerySet[CustomerLevel]]:
        for customers in of_customers(term):
            yield CustomerLevel.objects.filter(customer__in=customers)

    def write(self, obj: CustomerLevel, form: Any, *, change: bool) -> None:
        """What staff give is one of two that support a level: it is counted anew, under the row's lock."""
        obj.pk = levels.give(customer_id=obj.customer_id, level_id=obj.given_id).pk
