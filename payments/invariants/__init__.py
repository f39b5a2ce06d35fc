"""
Whether the books are right: every invariant of `table` and of the families, on one snapshot.

What a constraint can say, the database refuses beforehand; this finds what slipped past it, or was done behind it.
"""

import dataclasses
import datetime
import time
from collections.abc import Callable, Iterator

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.invariants.shape import Invariant
from payments.invariants.table import TABLE, parameters
from payments.models import Order
from payments.orders import families
from payments.transactions import transaction, transaction_required

EXAMPLES_MAX = 20
STATEMENT_TIMEOUT = "15min"
LAST_BREACHES_KEY = "payments.invariants.last_breaches"
LAST_CHECKED_KEY = "payments.invariants.last_checked"

log = structlog.get_logger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """What came of one invariant. `examples` are up to 20 of the numbers that break it."""

    name: str
    says: str | Promise
    checked: int
    breaches: int
    examples: tuple[str, ...]
    ms: int


def check(*, tell: Callable[[Finding], None] = lambda _finding: None) -> list[Finding]:
    """
    Check every invariant on one snapshot, so that what moves meanwhile does not matter; `tell` each finding at once.

    Breaches are logged as errors, and the result is kept for `last_breaches`.
    """
    found = []
    with transaction():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
        for finding in findings():
            found.append(finding)
            tell(finding)
    for finding in found:
        if finding.breaches:
            log.error("invariant_broken", invariant=finding.name, breaches=finding.breaches, examples=finding.examples)
    _keep(found)
    return found


@transaction_required
def findings() -> Iterator[Finding]:
    """Check one invariant after the other, in the caller's transaction."""
    for invariant in TABLE:
        yield _finding(invariant)
    for name in settings.ORDER_FAMILIES:
        yield _finding_of_family(name)


def _finding(invariant: Invariant) -> Finding:
    started = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH breach (subject) AS MATERIALIZED ({invariant.breaches})
            SELECT (SELECT count(*) FROM {invariant.over}), (SELECT count(*) FROM breach),
                ARRAY(SELECT subject FROM breach ORDER BY subject LIMIT {EXAMPLES_MAX})
            """,  # noqa: S608  constants of `table`
            parameters(),
        )
        checked, breaches, examples = cursor.fetchone()
    return Finding(
        name=invariant.name, says=invariant.says, checked=checked, breaches=breaches,
        examples=tuple(examples), ms=_ms_since(started),
    )  # fmt: skip


def _finding_of_family(name: str) -> Finding:
    started = time.monotonic()
    breaches = families.family(name).audit()
    return Finding(
        name=name,
        says=_("What this family asks of its own rows."),
        checked=Order.objects.filter(family=name).count(),
        breaches=len(breaches),
        examples=tuple(breaches[:EXAMPLES_MAX]),
        ms=_ms_since(started),
    )


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1_000)


def _keep(found: list[Finding]) -> None:
    breaches = {finding.name: finding.breaches for finding in found}
    try:
        cache.set_many({LAST_BREACHES_KEY: breaches, LAST_CHECKED_KEY: int(time.time())}, timeout=None)
    except Exception as error:  # noqa: BLE001  a cache that is down spoils no audit
        log.warning("check_not_kept", error=type(error).__name__)


def last_breaches() -> dict[str, int]:
    """Return how many breaches each invariant had when it was last checked; {} where that is not known."""
    try:
        breaches: dict[str, int] | None = cache.get(LAST_BREACHES_KEY)
    except Exception:  # noqa: BLE001  a cache that is down knows nothing
        return {}
    return breaches or {}


def last_checked() -> datetime.datetime | None:
    """Return when that was; None where it is not known."""
    try:
        seconds: int | None = cache.get(LAST_CHECKED_KEY)
    except Exception:  # noqa: BLE001  a cache that is down knows nothing
        return None
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.UTC)
