"""
How lists are narrowed beyond what an index answers: by amount, by tender, by who did it.

Such a filter looks at the days that are chosen or, if none are, at the last 31: on ten million orders it must not look
at all of them. The list says so.
"""

import datetime
from collections.abc import Iterator
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesRadioFilter, RadioFilter
from unfold.contrib.filters.forms import RangeDateForm
from unfold.widgets import INPUT_CLASSES, UnfoldAdminTextInputWidget

from payments.charges.models import Tender
from payments.charges.states import Status
from payments.models import Charge
from payments.money import NotAnAmount, fen_from_yuan

DAYS_LOOKED_AT = 31  # where no days are chosen
TEXT_LENGTH_MAX = 64

# Attempts that pay, have paid or may yet.
PAYING = Charge.objects.exclude(status__in=(Status.FAILED, Status.CLOSED)).order_by()


class DaysForm(RangeDateForm):  # type: ignore[misc]
    """Says what is no day, and to whom cannot see where it stands what each field is."""

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(name, *args, **kwargs)
        _name_ends(self)


def day_of(text: str) -> datetime.date | None:
    """
    Read a day as the form of the filter does.

    :raises forms.ValidationError: if it is none
    """
    day: datetime.date | None = forms.DateField(required=False).clean(text)
    return day


def midnight(day: datetime.date) -> datetime.datetime:
    return timezone.make_aware(datetime.datetime.combine(day, datetime.time()))


def days_looked_at(request: HttpRequest, path: str) -> tuple[datetime.date, datetime.date]:
    """Return the first and the last day that a costly filter looks at."""
    first, last = days_chosen(request, path)
    last = last or timezone.localdate()
    return first or last - datetime.timedelta(days=DAYS_LOOKED_AT - 1), last


def _chosen_day(request: HttpRequest, parameter: str) -> datetime.date | None:
    try:
        return day_of(next(iter(request.GET.getlist(parameter)), ""))
    except forms.ValidationError:  # its own filter says so, and shows nothing
        return None


def days_chosen(request: HttpRequest, path: str) -> tuple[datetime.date | None, datetime.date | None]:
    """Return the first and the last day that were chosen, as far as they are days."""
    return _chosen_day(request, f"{path}_from"), _chosen_day(request, f"{path}_to")


class CostlyFilter(admin.ListFilter):
    """What no index answers. `days` of the list is the path to the time by which it is kept within bounds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.days: str = next(arg for arg in args if isinstance(arg, admin.ModelAdmin)).days  # type: ignore[attr-defined]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.is_chosen():
            return queryset
        first, last = days_looked_at(request, self.days)
        bounds = {
            f"{self.days}__gte": midnight(first),
            f"{self.days}__lt": midnight(last + datetime.timedelta(days=1)),
        }
        return self.narrowed(request, queryset.filter(**bounds))

    def is_chosen(self) -> bool:
        return any(str(value or "").strip() for value in _values(self))

    def narrowed(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        raise NotImplementedError

    def sentence(self, request: HttpRequest) -> str:
        """What a list that is narrowed by it says."""
        first, last = (date_format(day, "DATE_FORMAT") for day in days_looked_at(request, self.days))
        return _("Looked for from %(first)s to %(last)s. For others, choose the days in the filters.") % {
            "first": first, "last": last,
        }  # fmt: skip


class BoundedChoicesFilter(CostlyFilter, ChoicesRadioFilter):  # type: ignore[misc]
    """By one of a field's choices."""

    def narrowed(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found: QuerySet[Any] = ChoicesRadioFilter.queryset(self, request, queryset)
        return found


class TenderFilter(CostlyFilter, RadioFilter):  # type: ignore[misc]
    """Orders by what pays them, or is asked to."""

    title = _("tender")
    parameter_name = "tender"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(tender.value, tender.label) for tender in Tender if tender is not Tender.MEMORY]

    def narrowed(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        tender = self.value()
        if tender in (Tender.POINTS, Tender.BALANCE):
            return queryset.filter(**{f"{tender}_fen__gt": 0})
        return queryset.filter(Exists(PAYING.filter(order=OuterRef("pk"), tender=tender)))


class AmountForm(forms.Form):
    """From and to, in yuan as people write them. Its cleaned data are fen."""

    def __init__(self, name: str, label: Any, data: Any) -> None:
        super().__init__(data)
        self.name = name
        for end, placeholder in (("from", _("From")), ("to", _("To"))):
            self.fields[f"{name}_{end}"] = forms.CharField(
                label="",
                required=False,
                widget=forms.TextInput(
                    {
                        "placeholder": placeholder, "inputmode": "decimal", "autocomplete": "off",
                        "class": " ".join(INPUT_CLASSES),
                    }
                ),
            )  # fmt: skip
        _name_ends(self)

    def clean(self) -> None:
        for field, text in list(self.cleaned_data.items()):
            try:
                self.cleaned_data[field] = fen_from_yuan(text) if text else None
            except NotAnAmount:
                self.add_error(field, _("Enter yuan with at most two decimals, such as 21.40."))
        low, high = (self.cleaned_data.get(f"{self.name}_{end}") for end in ("from", "to"))
        if low is not None and high is not None and low > high:
            self.add_error(f"{self.name}_to", _("This is less than where it begins."))


class AmountFilter(CostlyFilter, admin.FieldListFilter):
    """Amounts from here to there, both included."""

    template = "unfold/filters/filters_numeric_range.html"

    def __init__(self, field: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(field, *args, **kwargs)
        self.title = _("%(field)s (yuan)") % {"field": field.verbose_name}
        self.used_parameters = _only_texts(self.used_parameters)
        self.form = AmountForm(self.field_path, self.title, self.used_parameters)

    def expected_parameters(self) -> list[str | None]:
        return [f"{self.field_path}_from", f"{self.field_path}_to"]

    def narrowed(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.form.is_valid():
            return queryset.none()
        low, high = (self.form.cleaned_data[f"{self.field_path}_{end}"] for end in ("from", "to"))
        bounds = {f"{self.field_path}__gte": low, f"{self.field_path}__lte": high}
        return queryset.filter(**{name: fen for name, fen in bounds.items() if fen is not None})

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield {"form": self.form}


class TextForm(forms.Form):
    def __init__(self, name: str, label: Any, data: Any) -> None:
        super().__init__(data)
        self.fields[name] = forms.CharField(
            label=label, required=False, max_length=TEXT_LENGTH_MAX,
            widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        )  # fmt: skip


class TextFilter(CostlyFilter, admin.FieldListFilter):
    """By a text, exactly."""

    template = "unfold/filters/filters_field.html"
    example: ClassVar[str] = ""

    def __init__(self, field: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(field, *args, **kwargs)
        self.used_parameters = _only_texts(self.used_parameters)
        self.form = TextForm(self.field_path, self.title, self.used_parameters)
        self.form.fields[self.field_path].widget.attrs["placeholder"] = self.example

    def expected_parameters(self) -> list[str | None]:
        return [self.field_path]

    def narrowed(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**self.form.cleaned_data) if self.form.is_valid() else queryset.none()

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield {"form": self.form}


def text_filter(example: str) -> type[TextFilter]:
    """Return the filter by a text such as `example`."""
    return type("TextFilterLike", (TextFilter,), {"example": example})


def troubles(chosen: list[Any]) -> Iterator[str]:
    """Yield what cannot be read of what was entered: the fields themselves are folded away."""
    for one in chosen:
        form = getattr(one, "form", None) or _days_form(one)
        for errors in form.errors.values() if form else ():
            yield f"{one.title}: {errors[0]}"


def _days_form(one: Any) -> forms.Form | None:
    made: type[forms.Form] | None = getattr(one, "form_class", None)
    if made is None or not issubclass(made, DaysForm):
        return None
    return made(name=one.parameter_name, data=one.used_parameters)


def in_words(filters: list[Any], changes: Any) -> Iterator[str]:
    """Yield what each filter that is chosen says: `status: paid`, `total (yuan): 5 – 21.40`."""
    for one in filters:
        chosen = [str(value or "").strip() for value in _values(one)]
        if any(chosen):
            form = next(iter(one.choices(changes))).get("form")
            is_range = str(one.expected_parameters()[-1]).endswith("_to")
            words = [_in_words(form, value) for value in chosen if value or is_range]
            yield f"{one.title}: {(' – ' if is_range else ', ').join(words).strip()}"


def _in_words(form: forms.Form | None, value: str) -> str:
    fields = form.fields.values() if form else ()
    known = {str(key): str(label) for field in fields for key, label in getattr(field, "choices", ())}
    return known.get(value, value)


def _only_texts(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: texts[0].strip() for name, texts in parameters.items()}


def _values(chosen: Any) -> list[Any]:
    """What a filter was given, each a text: some keep lists of one."""
    found = [chosen.used_parameters.get(name) for name in chosen.expected_parameters()]
    return [next(iter(value), None) if isinstance(value, list) else value for value in found]


def _name_ends(form: Any) -> None:
    for field in form.fields.values():
        field.widget.attrs["aria-label"] = field.widget.attrs["placeholder"]
