"""
Sessions of the back-office, kept in the database: SESSION_ENGINE.

One in which somebody is logged in ends STAFF_IDLE_MINUTES after it was last seen and STAFF_SESSION_HOURS after it
began, whichever comes first; that time is its row's, so nobody has to look after it.
"""

import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone
from django.utils.crypto import salted_hmac

from payments.staff.models import StaffSession
from payments.transactions import transaction_required

STARTED, SEEN, ADDRESS, AGENT = "started", "seen", "address", "agent"
SEEN_EVERY_SECONDS = 60  # a page is not worth a write
AGENT_MAX = 200
HANDLE_LENGTH = 24


class SessionStore(DatabaseStore):
    """Django's, with a row that says whose session it is. Whichever way one is logged in, its time is kept."""

    @classmethod
    def get_model_class(cls) -> type[StaffSession]:
        return StaffSession

    def save(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002  Django's signature
        if not must_create and SESSION_KEY in self:
            now = int(timezone.now().timestamp())
            self.setdefault(STARTED, now)
            self.setdefault(SEEN, now)
        super().save(must_create)

    def create_model_instance(self, data: dict[str, Any]) -> StaffSession:
        row: StaffSession = super().create_model_instance(data)  # type: ignore[assignment]
        if SESSION_KEY in data:
            row.user_id = int(data[SESSION_KEY])
            row.address, row.agent = data.get(ADDRESS), data.get(AGENT, "")
            row.started_at, row.seen_at = _moment(data[STARTED]), _moment(data[SEEN])
            row.expire_date = _end(row.started_at, row.seen_at)
        return row


def touch(*, session: SessionBase, at: datetime.datetime) -> None:
    """Note that the session is in use, once a minute at most."""
    now = int(at.timestamp())
    if SESSION_KEY in session and now - session.get(SEEN, 0) >= SEEN_EVERY_SECONDS:
        session[SEEN] = now


@transaction_required
def end_all(*, user_id: int, but: str | None) -> int:
    """End every session of that person, but for the one with the key `but`, and return how many they were."""
    return StaffSession.objects.filter(user_id=user_id).exclude(session_key=but or "").delete()[0]


def handle(session_key: str) -> str:
    """Return how a page names a session: by what opens none."""
    return salted_hmac("payments.staff.sessions", session_key, algorithm="sha256").hexdigest()[:HANDLE_LENGTH]


def _end(started_at: datetime.datetime, seen_at: datetime.datetime) -> datetime.datetime:
    idle = datetime.timedelta(minutes=settings.STAFF_IDLE_MINUTES)
    whole = datetime.timedelta(hours=settings.STAFF_SESSION_HOURS)
    return min(seen_at + idle, started_at + whole)


def _moment(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
