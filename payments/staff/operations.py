"""Logging in and out, passwords, sessions: what people do with their own account, each with its audit row."""

from collections.abc import Iterable

from django.contrib import auth
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice

from payments import audit
from payments.clients import networks
from payments.staff import diary, sessions
from payments.staff.models import StaffSession
from payments.transactions import transaction, transaction_required


def log_in(*, request: HttpRequest, user: User) -> None:
    """Open a session of its own, whatever the browser came with, for who has proved to be `user`."""
    address = networks.caller(request.META).address
    with transaction():
        request.session.flush()
        auth.login(request, user)
        request.session[sessions.ADDRESS] = str(address) if address else None
        request.session[sessions.AGENT] = request.headers.get("User-Agent", "").replace("\0", "")[: sessions.AGENT_MAX]
        device = getattr(user, "otp_device", None)
        proof = "password" if device is None else "recovery code" if isinstance(device, StaticDevice) else "code"
        diary.record(user, "log_in", address=str(address or ""), proof=proof)


def log_out(*, request: HttpRequest, user: User) -> None:
    with transaction():
        diary.record(user, "log_out")
        auth.logout(request)


def change_password(*, request: HttpRequest, user: User, password: str) -> None:
    """Give oneself another password. Every other session ends."""
    with transaction():
        user.set_password(password)
        user.save(update_fields=["password"])
        ended = sessions.end_all(user_id=user.pk, but=request.session.session_key)
        auth.update_session_auth_hash(request, user)
        diary.record(user, "password_change", sessions_ended=ended)


@transaction_required
def record_password_given(*, user: User, actor: str) -> None:
    """Note that a colleague gave `user` another password, and end what they are logged in with."""
    ended = sessions.end_all(user_id=user.pk, but=None)
    audit.record(
        actor=actor, action="user.password", subject=f"user:{user.pk}",
        username=user.get_username(), sessions_ended=ended,
    )  # fmt: skip


def sessions_of(*, user: User) -> Iterable[StaffSession]:
    """Yield the person's sessions that have not ended, the last used first."""
    return StaffSession.objects.filter(user=user, expire_date__gt=timezone.now()).order_by("-seen_at", "session_key")


def end_session(*, user: User, handle: str) -> bool:
    """End the one of their own sessions that pages call `handle`; False where there is none (any more)."""
    with transaction():
        for row in sessions_of(user=user):
            if sessions.handle(row.session_key) == handle:
                row.delete()
                diary.record(user, "session_end", address=row.address, agent=row.agent)
                return True
    return False


def end_other_sessions(*, user: User, session_key: str | None) -> int:
    with transaction():
        count = sessions.end_all(user_id=user.pk, but=session_key)
        if count:
            diary.record(user, "sessions_end", sessions_ended=count)
        return count


def clear_ended_sessions() -> None:
    """Delete the rows of sessions whose time is over. They open nothing already."""
    StaffSession.objects.filter(expire_date__lt=timezone.now()).delete()
