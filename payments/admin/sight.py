"""
Who of the staff sees what: the rows of their clients alone, and persons behind stars unless they may know them.

`get_queryset` is the scope. Whatever a page, an action or a look-up shows, it takes from there; what is not in it is
not there at all: 404.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

from django.contrib import admin
from django.db.models import ForeignKey, Model, QuerySet
from django.http import Http404, HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RadioFilter, RelatedDropdownFilter

from payments.admin import masking
from payments.admin.masking import Mask
from payments.models import ApiClient
from payments.staff.queries import clients_of


class MaskedAdmin:
    """
    Of a page, or of rows on another's page. `masked` says what tells who somebody is, and what others see of it.

    A field that is masked cannot be changed either.
    """

    masked: ClassVar[dict[str, Mask]] = {}

    def get_list_display(self, request: HttpRequest) -> Any:
        return self._behind_masks(request, super().get_list_display(request))  # type: ignore[misc]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self._behind_masks(request, super().get_fields(request, obj))  # type: ignore[misc]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [
            (title, {**options, "fields": self._behind_masks(request, options["fields"])})
            for title, options in super().get_fieldsets(request, obj)  # type: ignore[misc]
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        own = tuple(super().get_readonly_fields(request, obj))  # type: ignore[misc]
        if masking.sees_persons(request.user):
            return own
        masks = self._columns()
        return (*(name for name in own if name not in masks), *masks.values())

    def _behind_masks(self, request: HttpRequest, names: Any) -> Any:
        if masking.sees_persons(request.user):
            return names
        return masking.swapped(names, self._columns())

    def _columns(self) -> dict[str, Callable[[Model], str | None]]:
        """The same ones every time: Django looks them up by what they are."""
        if "_masks" not in self.__dict__:
            self._masks = {name: masking.column(self, name, mask) for name, mask in self.masked.items()}
        return self._masks


class OffersWithinSight:
    """Of a page, or of rows on another's page: other rows to choose from are those that this person may see."""

    def formfield_for_foreignkey(self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        """What is of no client is every client's: who does not see them all makes none such."""
        kwargs.setdefault("queryset", within_sight(request, db_field.related_model))
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]
        if field is not None and db_field.related_model is ApiClient and clients_of(request.user) is not None:
            field.required = True
        return field


class ScopedAdmin(OffersWithinSight, MaskedAdmin):
    """A page whose rows are its clients'. `client_path` leads from a row to its client; "" where rows are nobody's."""

    client_path: ClassVar[str] = ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        clients = clients_of(request.user)
        if clients is None:
            return rows
        return rows.filter(**{f"{self.client_path}__in": clients}) if self.client_path else rows.none()

    def is_within_sight(self, request: HttpRequest) -> bool:
        """Whether this person can see any row at all: what is nobody's is for the staff of every client."""
        return bool(self.client_path) or clients_of(request.user) is None

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.is_within_sight(request) and super().has_module_permission(request)  # type: ignore[misc]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.is_within_sight(request) and super().has_view_permission(request, obj)  # type: ignore[misc]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.is_within_sight(request) and super().has_add_permission(request)  # type: ignore[misc]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.is_within_sight(request) and super().has_change_permission(request, obj)  # type: ignore[misc]

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> NoReturn:
        """Django leads to the first page, as if something had happened there."""
        raise Http404(object_id)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """What is masked cannot be guessed by looking up its beginnings either."""
        if lookup.partition("__")[0] in self.masked and not masking.sees_persons(request.user):
            return False
        return super().lookup_allowed(lookup, value, request)  # type: ignore[misc, no-any-return]


def within_sight(request: HttpRequest, model: Any) -> QuerySet[Any]:
    """Return the rows of a model that this person may see."""
    if admin.site.is_registered(model):
        return admin.site.get_model_admin(model).get_queryset(request)
    rows: QuerySet[Any] = model._default_manager.all()  # noqa: SLF001  Django documents it
    return rows


class ClientFilter(RadioFilter):  # type: ignore[misc]
    """By client, of those this person may see."""

    title = _("client")
    parameter_name = "client"
    path = "client"
    family = ""  # whose rows these are: for a client that has none of them, all would be looked through

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        seen = within_sight(request, ApiClient).order_by("name")
        serving = seen.filter(families__contains=[self.family]) if self.family else seen
        return [(str(pk), name) for pk, name in serving.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        offered = {pk for pk, _name in self.lookup_choices}
        return queryset.filter(**{self.path: self.value()}) if self.value() in offered else queryset.none()


def client_filter(path: str, *, family: str = "") -> type[ClientFilter]:
    """Return the filter for rows (of `family` alone, if it is given) whose client is at the end of `path`."""
    return type("ClientFilterAt", (ClientFilter,), {"path": path, "family": family})


class SeenRelatedFilter(RelatedDropdownFilter):  # type: ignore[misc]
    """By another row, of those this person may see."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return [(row.pk, str(row)) for row in within_sight(request, field.related_model)]
