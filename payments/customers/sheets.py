"""A client's customers as lines of CSV, read one by one. Pure."""

import csv
import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.customers.profiles import Profile, ProfileUnfit
from payments.errors import Malformed
from payments.ledger.accounts import Kind
from payments.money import NotAnAmount, fen_from_yuan

COLUMNS = ("user_id", "ee_no", "phone", "real_name", "points", "balance")


class SheetUnfit(Malformed):
    """Nothing of the file can be imported."""

    code = "sheet_unfit"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Line:
    """A line that can be read. Opening values in fen."""

    number: int
    profile: Profile
    opening_fen: dict[Kind, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refusal:
    number: int
    reason: str | Promise


def read(text: Iterable[str]) -> Iterator[Line | Refusal]:
    """
    Read lines of CSV, each on its own, so that a quote left open spoils no other line.

    :raises SheetUnfit: if the first line does not name the columns
    """
    numbered = enumerate(text, start=1)
    _number, header = next(numbered, (0, ""))
    names = [name.strip().lower() for name in header.split(",")]
    if sorted(names) != sorted(COLUMNS):
        raise SheetUnfit(_("The first line must name the columns %(names)s."), names=",".join(COLUMNS))
    first_seen: dict[str, int] = {}
    for number, line in numbered:
        if not line.strip():
            continue
        try:
            item = _line(number=number, values=_values(line, names=names))
            seen = first_seen.setdefault(item.profile.user_id, number)
            if seen != number:
                raise ProfileUnfit(_("The same one stands on line %(number)s."), field="user_id", number=seen)
            yield item
        except ProfileUnfit as unfit:
            sentence = unfit.sentence()
            yield Refusal(number=number, reason=f"{unfit.field}: {sentence}" if unfit.field else sentence)


def _values(line: str, *, names: Sequence[str]) -> dict[str, str]:
    try:
        values = next(csv.reader([line], strict=True), [])
    except csv.Error:
        raise ProfileUnfit(_("The quotes do not match, or a field is far too long.")) from None
    if len(values) != len(names):
        raise ProfileUnfit(
            _("There are %(found)s fields instead of %(expected)s."), found=len(values), expected=len(names)
        )
    return dict(zip(names, (value.strip(" \t\r\n") for value in values), strict=True))


def _line(*, number: int, values: dict[str, str]) -> Line:
    profile = Profile(**{name: values[name] for name in COLUMNS if name not in Kind.values})
    profile.check()
    opening_fen = {}
    for kind in Kind:
        try:
            opening_fen[kind] = fen_from_yuan(values[kind] or "0")
        except NotAnAmount:
            raise ProfileUnfit(_("Write yuan as 500 or 500.00, without sign or separators."), field=kind) from None
    return Line(number=number, profile=profile, opening_fen=opening_fen)
