"""What orders, charges and webhooks are looked for by. A filter that cannot be meant is refused, never overlooked."""

from collections.abc import Collection
from typing import Any

from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import CharFilter, ChoiceFilter, DjangoFilterBackend, Filter, FilterSet
from rest_framework.exceptions import ErrorDetail, ValidationError

from payments.charges import states as charge_states
from payments.charges.models import Tender
from payments.clients.authentication import client_of
from payments.gateways.models import MODE_CHOICES, GatewayAccount
from payments.models import Charge, Customer, Order, WebhookDelivery
from payments.money import NotAnAmount, fen_from_yuan
from payments.orders import states as order_states
from payments.orders.models import MoneyFlag, OrderKind
from payments.outbox.models import DeliveryStatus, EventKind
from payments.wire import TextField, TimestampField, UnreadableTimestamp, YuanField, parameters, read_timestamp
from payments.wire.fields import ID_LENGTH_MAX
from payments.wire.parsers import shown

# What a call may carry beside its filters: which page, and time and sign of a client that signs every call.
BESIDE = {"cursor", "page_size", "timestamp", "sign"}
ANY_FLAG = "any"
FLAGS = [*((flag.value, flag.label) for flag in MoneyFlag if flag), (ANY_FLAG, _("any"))]


class StrictFilters(DjangoFilterBackend):
    """Each filter once, known, and with a value: one that is overlooked shows more than was asked for."""

    beside = BESIDE

    def get_filterset_kwargs(self, request: Any, queryset: QuerySet[Any], view: Any) -> dict[str, Any]:
        given = parameters(request)
        known = view.filterset_class.base_filters.keys()
        wrong = {shown(name): [_unknown(known)] for name in given if name not in known | self.beside}
        wrong |= {name: [_empty()] for name in given if name in known and given[name] == ""}
        wrong |= {name: [_no_text()] for name in given if name in known and not isinstance(given[name], str | None)}
        if wrong:
            raise ValidationError(wrong)
        return {**super().get_filterset_kwargs(request, queryset, view), "data": given}


def _unknown(known: Collection[str]) -> ErrorDetail:
    sentence = _("There is no such filter. There are: %(names)s.") % {"names": ", ".join(sorted(known))}
    return ErrorDetail(sentence, code="invalid")


def _no_text() -> ErrorDetail:
    """A body of JSON can hold lists, objects and truth values, which a form field would take for their text."""
    return ErrorDetail(str(TextField.default_error_messages["invalid"]), code="invalid")


def _empty() -> ErrorDetail:
    return ErrorDetail(str(_("Give the filter a value, or leave it out.")), code="invalid")


class _YuanFormField(forms.CharField):
    def clean(self, value: Any) -> int | None:
        try:
            return None if value is None else fen_from_yuan(value)
        except NotAnAmount:
            raise forms.ValidationError(YuanField.default_error_messages["invalid"], code="invalid") from None


class _TimeFormField(forms.CharField):
    def clean(self, value: Any) -> Any:
        try:
            return None if value is None else read_timestamp(value)
        except UnreadableTimestamp:
            raise forms.ValidationError(TimestampField.default_error_messages["invalid"], code="invalid") from None


class YuanFilter(Filter):
    field_class = _YuanFormField


class TimeFilter(Filter):
    field_class = _TimeFormField


class TextFilter(CharFilter):
    """A number or an id, to the letter."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, max_length=ID_LENGTH_MAX, **kwargs)


def _families() -> list[tuple[str, str]]:
    return [(family, family) for family in settings.ORDER_FAMILIES]


class OrderFilter(FilterSet):
    status = ChoiceFilter(choices=order_states.Status.choices, label=_("Where the order stands."))
    family = ChoiceFilter(choices=_families, label=_("The family of calls that made the order."))
    kind = ChoiceFilter(choices=OrderKind.choices, label=_("What is bought."))
    money_flag = ChoiceFilter(choices=FLAGS, method="flagged", label=_("What staff must look at; any: all of it."))
    user_id = TextFilter(field_name="customer", method="owned", label=_("The customer, as you know them."))
    order_number = TextFilter(field_name="number", label=_("Our number of the order."))
    out_trade_no = TextFilter(field_name="client_order_no", label=_("Your number of the order."))
    client_pay_id = TextFilter(field_name="client_pay_no", label=_("Your number of the payment."))
    charge_number = TextFilter(field_name="charges__number", label=_("Our number of a charge, at the gateway."))
    gateway_trade_no = TextFilter(method="traded", label=_("The gateway's own number."))
    created_from = TimeFilter(field_name="created_at", lookup_expr="gte", label=_("Made then or later."))
    created_to = TimeFilter(field_name="created_at", lookup_expr="lt", label=_("Made before then."))
    paid_from = TimeFilter(field_name="finished_at", lookup_expr="gte", label=_("Paid in full then or later."))
    paid_to = TimeFilter(field_name="finished_at", lookup_expr="lt", label=_("Paid in full before then."))
    min_amount = YuanFilter(field_name="total_fen", lookup_expr="gte", label=_("Yuan, at least."))
    max_amount = YuanFilter(field_name="total_fen", lookup_expr="lte", label=_("Yuan, at most."))

    def owned(self, orders: QuerySet[Order], name: str, value: str) -> QuerySet[Order]:
        return orders.filter(**{name: _customer(self.request, value)})

    def flagged(self, orders: QuerySet[Order], name: str, value: str) -> QuerySet[Order]:
        return _flagged(orders, name, value)

    def traded(self, orders: QuerySet[Order], name: str, value: str) -> QuerySet[Order]:
        return orders.filter(pk__in=_traded(Charge.objects.all(), value).values("order"))


class ChargeFilter(FilterSet):
    """Of the order: `of_order`, see `payments.charges.queries.of_client`."""

    status = ChoiceFilter(choices=charge_states.Status.choices, label=_("Where the charge stands."))
    tender = ChoiceFilter(choices=Tender.choices, label=_("What is paid with."))
    mode = ChoiceFilter(choices=MODE_CHOICES, label=_("How the payer is led to the gateway."))
    family = ChoiceFilter(
        field_name="of_order__family", choices=_families, label=_("The family of calls that made the order.")
    )
    kind = ChoiceFilter(field_name="of_order__kind", choices=OrderKind.choices, label=_("What is bought."))
    money_flag = ChoiceFilter(
        field_name="of_order__money_flag",
        choices=FLAGS,
        method="flagged",
        label=_("What staff must look at; any: all of it."),
    )
    user_id = TextFilter(field_name="of_order__customer", method="owned", label=_("The customer, as you know them."))
    order_number = TextFilter(field_name="of_order__number", label=_("Our number of the order."))
    out_trade_no = TextFilter(field_name="of_order__client_order_no", label=_("Your number of the order."))
    client_pay_id = TextFilter(field_name="of_order__client_pay_no", label=_("Your number of the payment."))
    charge_number = TextFilter(field_name="number", label=_("Our number of a charge, at the gateway."))
    gateway_trade_no = TextFilter(method="traded", label=_("The gateway's own number."))
    created_from = TimeFilter(field_name="created_at", lookup_expr="gte", label=_("Made then or later."))
    created_to = TimeFilter(field_name="created_at", lookup_expr="lt", label=_("Made before then."))
    paid_from = TimeFilter(field_name="paid_at", lookup_expr="gte", label=_("Paid then or later."))
    paid_to = TimeFilter(field_name="paid_at", lookup_expr="lt", label=_("Paid before then."))
    min_amount = YuanFilter(field_name="amount_fen", lookup_expr="gte", label=_("Yuan, at least."))
    max_amount = YuanFilter(field_name="amount_fen", lookup_expr="lte", label=_("Yuan, at most."))

    def owned(self, charges: QuerySet[Charge], name: str, value: str) -> QuerySet[Charge]:
        return charges.filter(**{name: _customer(self.request, value)})

    def flagged(self, charges: QuerySet[Charge], name: str, value: str) -> QuerySet[Charge]:
        return _flagged(charges, name, value)

    def traded(self, charges: QuerySet[Charge], name: str, value: str) -> QuerySet[Charge]:
        return _traded(charges, value)


class WebhookFilter(FilterSet):
    status = ChoiceFilter(choices=DeliveryStatus.choices, label=_("Where the delivery stands."))
    kind = ChoiceFilter(field_name="event__kind", choices=EventKind.choices, label=_("What is told."))
    event_id = TextFilter(field_name="event__uid", label=_("The event, as webhook-id names it."))
    order_number = TextFilter(method="of_order", label=_("Our number of the order."))

    def of_order(self, deliveries: QuerySet[WebhookDelivery], name: str, value: str) -> QuerySet[WebhookDelivery]:
        """The order as a single value, so that PostgreSQL reads its events and nobody else's."""
        order = Order.objects.filter(number=value).order_by().values("pk")[:1]
        return deliveries.filter(event__order=order)


def _customer(request: Any, user_id: str) -> Any:
    """The caller's customer as a single value, so that PostgreSQL reads the orders of this one and of nobody else."""
    return Customer.objects.filter(client_id=client_of(request).pk, user_id=user_id).order_by().values("pk")[:1]


def _flagged(rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
    if value == ANY_FLAG:
        return rows.filter(**{f"{name}__in": [flag for flag in MoneyFlag if flag]})
    return rows.filter(**{name: value})


def _traded(charges: QuerySet[Charge], number: str) -> QuerySet[Charge]:
    """Of `charges` those that a gateway has under `number`: its index is by account, so they are all named."""
    accounts = GatewayAccount.objects.values("pk")
    return charges.filter(gateway_account__in=accounts, gateway_trade_no=number).exclude(gateway_trade_no="")
