"""
Lock-out: who fails ACCOUNT_LIMIT times for one account, or ADDRESS_LIMIT times from one address, has to wait.

A failure counts until COOL_OFF has passed without another. What is locked counts no failures, so that a lock ends. The
tables are axes' (`manage.py axes_reset_username` opens a lock); what is written into them is ours: neither a name that
nobody has, because people type passwords there, nor anything else that was sent.
"""

import datetime
import ipaddress
from typing import Any

import structlog
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.db.models import F, Max, Sum
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from payments import audit
from payments.clients import networks
from payments.transactions import savepoint, transaction

ACCOUNT_LIMIT = 5
ADDRESS_LIMIT = 50
COOL_OFF = datetime.timedelta(minutes=15)
STRANGER = "stranger"
IPV6_HOUSE = 64  # bits: who has one address of a network has all of them

log = structlog.get_logger(__name__)


class LockOut(AxesDatabaseHandler):  # type: ignore[misc]
    """AXES_HANDLER. axes calls it before a password is looked at, after each failure and after a log-in."""

    def is_locked(self, request: Any, credentials: dict[str, Any] | None = None) -> bool:
        return self.locked_until(request, credentials) is not None

    def locked_until(self, request: Any, credentials: dict[str, Any] | None) -> datetime.datetime | None:
        """Return when one may try again, None where nothing is locked."""
        account, address = _account_of(request, credentials), request.axes_ip_address
        since = request.axes_attempt_time - COOL_OFF
        ends = []
        for rows, limit in (
            (AccessAttempt.objects.filter(username=account), ACCOUNT_LIMIT),
            (AccessAttempt.objects.filter(ip_address=address, ip_address__isnull=False), ADDRESS_LIMIT),
        ):
            found = rows.filter(attempt_time__gt=since).aggregate(
                count=Sum("failures_since_start"), last=Max("attempt_time")
            )
            if (found["count"] or 0) >= limit:
                ends.append(found["last"] + COOL_OFF)
        return max(ends, default=None)

    def user_login_failed(self, sender: Any, credentials: dict[str, Any], request: Any = None, **kwargs: Any) -> None:
        if request is None:
            return
        request.axes_credentials = credentials
        if request.axes_locked_out:
            log.warning("log_in_locked", address=request.axes_ip_address)
            return
        user = User.objects.filter(username=_name(credentials)).first()
        who: dict[str, Any] = {
            "actor": audit.person(username=user.get_username(), pk=user.pk) if user else STRANGER,
            "subject": f"user:{user.pk}" if user else f"address:{request.axes_ip_address or '?'}",
            "address": request.axes_ip_address,
            "page": request.axes_path_info,
        }
        with transaction():
            AccessAttempt.objects.filter(attempt_time__lte=request.axes_attempt_time - COOL_OFF).delete()
            _count(request, account=_account_of(request, credentials))
            audit.record(action="user.log_in_refused", **who)
            if until := self.locked_until(request, credentials):
                request.axes_locked_out = True
                audit.record(action="user.lock_out", until=until.isoformat(), **who)
        log.warning("log_in_refused", address=request.axes_ip_address, locked=request.axes_locked_out)

    def user_logged_in(self, sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
        """Forget the account's failures, and its alone: its owner may be trying others' from the same address."""
        AccessAttempt.objects.filter(username=user.get_username()).delete()

    def user_logged_out(self, sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
        """Nothing is counted by session."""


def address_of(request: HttpRequest) -> str | None:
    """Return whose failures are counted together: an IPv4 address, or the /64 of an IPv6 address."""
    address = networks.caller(request.META).address
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_HOUSE), strict=False).network_address)
    return str(address) if address else None


def _count(request: Any, *, account: str) -> None:
    rows = AccessAttempt.objects.filter(username=account, ip_address=request.axes_ip_address, user_agent="")
    once_more = {"failures_since_start": F("failures_since_start") + 1, "attempt_time": request.axes_attempt_time}
    if rows.update(**once_more):
        return
    first = AccessAttempt(
        username=account, ip_address=request.axes_ip_address, path_info=request.axes_path_info, failures_since_start=1
    )  # fmt: skip
    try:
        with savepoint():
            first.save(force_insert=True)
    except IntegrityError:  # the same at the same time, elsewhere
        rows.update(**once_more)


def _name(credentials: dict[str, Any] | None) -> str:
    return str((credentials or {}).get("username") or "")


def _account_of(request: Any, credentials: dict[str, Any] | None) -> str:
    """Return the account's name or, so that nobody learns which accounts there are, as good as one for any other."""
    name = _name(credentials)
    known: dict[str, str] = request.__dict__.setdefault("_staff_accounts", {})
    if name not in known:
        exists = User.objects.filter(username=name).exists()
        known[name] = name if exists else f"?{salted_hmac(__name__, name, algorithm='sha256').hexdigest()[:24]}"
    return known[name]
