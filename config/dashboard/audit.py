"""What the last audit of the books found."""

import dataclasses
from typing import Any

from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.timezone import localtime

from config.admin_site import may_see
from payments import invariants
from payments.invariants.table import TABLE
from payments.staff.queries import clients_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Audit:
    breaches: dict[str, int]
    checked_at: str

    @property
    def broken(self) -> list[tuple[str, int, Any]]:
        """Name, number and meaning of what is not as it should be."""
        says = {invariant.name: invariant.says for invariant in TABLE}
        return [(name, number, says.get(name, "")) for name, number in self.breaches.items() if number]


def seen_by(request: HttpRequest) -> Audit | None:
    """Return it for those who may see every client's transfers: it is about all of them."""
    if not may_see(request, "payments_transfer") or clients_of(request.user) is not None:
        return None
    at = invariants.last_checked()
    return Audit(
        breaches=invariants.last_breaches(), checked_at=date_format(localtime(at), "DATETIME_FORMAT") if at else ""
    )
