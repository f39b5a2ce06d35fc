"""What orders and charges can be looked for by. A filter that cannot be meant is refused, never overlooked."""

from typing import Any

from django import forms
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import BooleanFilter, CharFilter, ChoiceFilter, DjangoFilterBackend, Filter, FilterSet
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from payments.charges import states as charge_states
from payments.charges.models import Charge, Tender
from payments.gateways.models import MODE_CHOICES, GatewayAccount
from payments.money import NotAnAmount, fen_from_yuan
from payments.orders import states as order_states
from payments.orders.models import MoneyFlag, Order, OrderKind
from payments.wire import TimestampField, UnreadableTimestamp, YuanField, parameters, read_timestamp
from payments.wire.fields import ID_LENGTH_MAX
from payments.wire.parsers import shown

# What every call may carry beside its filters: which page, and time and sign of a client that signs every call.
BESIDE = {"cursor", "page_size", "timestamp", "sign"}
FLAGGED = "any"


class StrictFilters(DjangoFilterBackend):
    """Filters of the query string, each given once, with a value, and known: a filter overlooked shows too much."""

    def get_filterset_kwargs(self, request: Request, queryset: QuerySet[Any], view: Any) -> dict[str, Any]:
        given = parameters(request)
        known = view.filterset_class.base_filters.keys()
        wrong = {name: [_unknown(known)] for name in given if name not in known | BESIDE}
        wrong |= {name: [_empty()] for name in known & given.keys() if given[name] == ""}
        if wrong:
            raise ValidationError({shown(name): errors for name, errors in wrong.items()})
        return {**super().get_filterset_kwargs(request, queryset, view), "data": given}


def _unknown(known: Any) -> ErrorDetail:
    sentence = _("There is no such filter. There are: %(names)s.") % {"names": ", ".join(sorted(known))}
    return ErrorDetail(sentence, code="invalid")


def _empty() -> ErrorDetail:
    return ErrorDetail(str(_("Give the filter a value, or leave it out.")), code="invalid")


class YuanFormField(forms.CharField):
    def clean(self, value: str | None) -> int | None:
        try:
            return None if value is None else fen_from_yuan(value)
        except NotAnAmount:
            raise forms.ValidationError(YuanField.default_error_messages["invalid"], code="invalid") from None


class TimeFormField(forms.CharField):
    def clean(self, value: str | None) -> Any:
        try:
            return None if value is None else read_timestamp(value)
        except UnreadableTimestamp:
            raise forms.ValidationError(TimestampField.default_error_messages["invalid"], code="invalid") from None


class YuanFilter(Filter):
    field_class = YuanFormField


class TimeFilter(Filter):
    field_class = TimeFormField


class TextFilter(CharFilter):
    """A number or an id to the letter."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, max_length=ID_LENGTH_MAX, **kwargs)


class SwitchFormField(forms.TypedChoiceField):
    def __init__(self, **kwargs: Any) -> None:
        choices = [("true", "true"), ("false", "false")]
        super().__init__(choices=choices, coerce="true".__eq__, empty_value=None, **kwargs)


class SwitchFilter(Filter):
    field_class = SwitchFormField


def _money_flag(prefix: str) -> Filter:
    """A money flag, or `any`: whatever staff must look at."""

    def chosen(queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.exclude(**{name: ""}) if value == FLAGGED else queryset.filter(**{name: value})

    choices = [*((flag.value, flag.label) for flag in MoneyFlag if flag), (FLAGGED, _("any"))]
    return ChoiceFilter(field_name=f"{prefix}money_flag", choices=choices, method=chosen, label=_("Money flag, or any"))


def _trades(number: str) -> Q:
    """The charges that a gateway has under `number`. Its index is by account: name them all, they are few."""
    accounts = GatewayAccount.objects.values("pk")
    return Q(gateway_account__in=accounts, gateway_trade_no=number) & ~Q(gateway_trade_no="")
