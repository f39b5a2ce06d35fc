"""Persons behind stars: what staff see of a customer who may not see who it is. Enough is left to compare by phone."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Model

PERMISSION = "payments.view_personal_data"
STARS = "***"

Mask = Callable[[str], str]


def sees_persons(user: User | AnonymousUser) -> bool:
    return user.has_perm(PERMISSION)


def phone(text: str) -> str:
    """138****0001; of what is too short to be one, only that there is something."""
    return f"{text[:3]}****{text[-4:]}" if len(text) > 8 else STARS


def name(text: str) -> str:
    """张*, Li***: the first character."""
    return f"{text[:1]}**"


def address(text: str) -> str:
    """The province and city, as far as six characters tell them."""
    return f"{text[:6]}{STARS}"


def number(text: str) -> str:
    """Of an openid or another key to a person: its ends."""
    return f"{text[:3]}{STARS}{text[-3:]}" if len(text) > 8 else STARS


def all_of(text: str) -> str:
    return STARS


def column(model_admin: Any, field: str, mask: Mask) -> Callable[[Model], str | None]:
    """Return a column that shows `field` (of the row, or a method of its admin) behind `mask`."""
    own = getattr(model_admin, field, None)

    def masked(row: Model) -> str | None:
        value = own(row) if own is not None else getattr(row, field)
        return mask(str(value)) if value else None

    label = getattr(own, "short_description", None) or model_admin.opts.get_field(field).verbose_name
    return admin.display(description=label)(masked)


def swapped(names: Any, columns: dict[str, Any]) -> Any:
    """Return a tree of field names with those of `columns` in place of the names."""
    if isinstance(names, str):
        return columns.get(names, names)
    if isinstance(names, list | tuple):
        return type(names)(swapped(part, columns) for part in names)
    return names
