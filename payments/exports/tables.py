"""
What a list gives away: the rows that its page would show to one person, and of each what may be taken out.

The lists are the back-office's, and know best what may be seen; they are asked through Django's own register.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Model, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext_lazy as _

from payments.errors import OnetillError
from payments.exports.models import Export
from payments.exports.sheets import Cell
from payments.staff.queries import clients_of

PERMISSION = "payments.export_rows"
PERSONS = "payments.view_personal_data"


class MayNotExport(OnetillError):
    status = 403
    message = _("Whoever asked for this may not export this list, or not any more.")


class SightChanged(OnetillError):
    status = 403
    message = _("What you may see is less than what is in this file. Ask for a new one.")


class FiltersUnreadable(OnetillError):
    message = _("The list does not understand these filters. Go back to it and choose them again.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    rows: QuerySet[Any]
    labels: list[str]
    cells: Callable[[Model], list[Cell]]
    filters: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sight:
    """What a person may see: None is every client's rows."""

    clients: frozenset[int] | None
    persons: bool

    def covers(self, other: "Sight") -> bool:
        if other.persons and not self.persons:
            return False
        return self.clients is None or (other.clients is not None and other.clients <= self.clients)


def sight_of(user: Any) -> Sight:
    return Sight(clients=clients_of(user), persons=user.has_perm(PERSONS))


def sight_in(export: Export) -> Sight:
    """Return what was put into a file."""
    clients = None if export.clients is None else frozenset(export.clients)
    return Sight(clients=clients, persons=export.has_persons)


def check_may_export(*, user: Any, model: str) -> None:
    """
    :raises MayNotExport: unless this person is on duty, may export, and may see this list
    """
    request = _request(user, "")
    allowed = user.is_active and user.is_staff and user.has_perm(PERMISSION)
    if not allowed or not _list(model).has_view_permission(request):
        raise MayNotExport


def table(*, user: Any, model: str, query: str) -> Table:
    """
    Return what the list of `model` would show this person at `query`, all pages of it, the newest first.

    :raises FiltersUnreadable: if the list would not take these filters
    """
    request = _request(user, query)
    if any("\0" in value for _name, values in request.GET.lists() for value in values):  # no column holds it
        raise FiltersUnreadable
    try:
        found: Table = _list(model).table(request)
    except (IncorrectLookupParameters, DisallowedModelAdminLookup, ValueError) as error:
        raise FiltersUnreadable from error
    return found


def _list(model: str) -> Any:
    try:
        described = apps.get_model(model)
        found = admin.site.get_model_admin(described)
    except (LookupError, ValueError, admin.exceptions.NotRegistered) as error:
        raise MayNotExport from error
    if model != described._meta.label_lower or not getattr(found, "export_fields", None):  # noqa: SLF001  documented
        raise MayNotExport
    return found


def _request(user: Any, query: str) -> HttpRequest:
    """What the list's page would be asked with, had this person a browser here."""
    request = HttpRequest()
    request.method = "GET"
    request.GET = QueryDict(query)
    request.user = user
    return request
