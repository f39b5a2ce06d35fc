"""What stands in a cell of a file: plain values, in the words of who asked, and behind stars what the page hides."""

import datetime
import json
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

from payments.admin import masking
from payments.exports.sheets import Cell
from payments.money import yuan_text

EXACT_MAX = 10**15  # beyond it a spreadsheet rounds

Reader = Callable[[Model], Cell]


def relations(names: Iterable[str]) -> list[str]:
    """Return what to fetch along with a row: all but the last step of each path."""
    return sorted({name.rpartition("__")[0] for name in names if "__" in name})


def reader(model_admin: Any, user: Any, names: Iterable[str]) -> Callable[[Model], list[Cell]]:
    """Return what reads these columns from a row, as `user` may see them."""
    readers = [_reader(model_admin, user, name) for name in names]
    return lambda row: [read(row) for read in readers]


def _reader(model_admin: Any, user: Any, name: str) -> Reader:
    *path, last = name.split("__")
    owner, of_owner = _owner(model_admin, path)
    is_field = last in {field.name for field in owner._meta.get_fields()}  # noqa: SLF001
    method = None if is_field else getattr(of_owner, last, None)
    mask = None if masking.sees_persons(user) else getattr(of_owner, "masked", {}).get(last)

    def read(row: Any) -> Cell:
        for step in path:
            row = getattr(row, step, None)
        if row is None:
            return None
        value = method(row) if method is not None else _value(row, owner, last)
        return mask(str(value)) if mask and value not in (None, "") else _plain(value)

    return read


def _owner(model_admin: Any, path: list[str]) -> tuple[Any, Any]:
    """Return the model at the end of a path, and the page that says what of it is hidden."""
    model = model_admin.model
    for step in path:
        model = model._meta.get_field(step).related_model  # noqa: SLF001  Django documents _meta
    if not path:
        return model, model_admin
    return model, admin.site.get_model_admin(model) if admin.site.is_registered(model) else None


def _value(row: Any, owner: Any, name: str) -> Any:
    value = getattr(row, name)
    if value and hasattr(row, f"get_{name}_display"):
        return getattr(row, f"get_{name}_display")()
    return yuan_text(value) if name.endswith("_fen") and value is not None else value


def _plain(value: Any) -> Cell:
    match value:
        case None | str():
            return value
        case bool():
            return _("yes") if value else _("no")
        case int():
            return value if abs(value) < EXACT_MAX else str(value)
        case datetime.datetime():
            return timezone.localtime(value).isoformat(timespec="seconds")
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
    return str(value)
