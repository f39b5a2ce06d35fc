"""
Who opens a transaction, who requires one, who refuses one; and how work is woken after one.

The vocabulary is django-subatomic's: the outermost operation opens `transaction()`, what it calls is
`@transaction_required`, whatever touches the network is `@outside_transaction`.
"""

import functools
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, TypeVar

import structlog
from celery import current_app
from django.db import InterfaceError, OperationalError, connection
from django.db import transaction as django_transaction
from django.utils.translation import gettext_lazy as _

from payments.errors import TryAgain

# A lock or a statement that took too long, or a connection that broke: the transaction is gone, whole.
DATABASE_TROUBLE = (OperationalError, InterfaceError)

QUERY_CANCELED = "57014"

P = ParamSpec("P")
R = TypeVar("R")

log = structlog.get_logger(__name__)


class DatabaseBusy(TryAgain):
    message = _("The system is busy. Try the same again in a moment.")

    def __init__(self, error: Exception) -> None:
        super().__init__()
        log.warning("database_busy", sqlstate=getattr(error.__cause__, "sqlstate", None), error=type(error).__name__)


def is_out_of_time(error: Exception) -> bool:
    """Whether it is that a statement took longer than one may."""
    return getattr(error.__cause__, "sqlstate", None) == QUERY_CANCELED


WAKE_PAUSE_SECONDS = 30
_wake_resumes_at = 0.0
_wake_lock = threading.Lock()


def transaction() -> AbstractContextManager[None]:
    """Open the transaction of an operation. Refuses to run inside another one."""
    return django_transaction.atomic(durable=True)


def savepoint() -> AbstractContextManager[None]:
    """Set a savepoint in the caller's transaction, for a step that may fail alone."""
    return django_transaction.atomic()


def in_transaction() -> bool:
    """Whether the caller owns an open transaction; the one a test wraps around itself does not count."""
    return any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def transaction_required(func: Callable[P, R]) -> Callable[P, R]:
    """Refuse to run unless the caller owns an open transaction."""

    @functools.wraps(func)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if not in_transaction():
            raise RuntimeError(f"{func.__qualname__} needs an open transaction")
        return func(*args, **kwargs)

    return wrapper


def outside_transaction(func: Callable[P, R]) -> Callable[P, R]:
    """Refuse to run while a transaction is open: the network must not hold row locks."""

    @functools.wraps(func)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if in_transaction():
            raise RuntimeError(f"{func.__qualname__} must not run inside a transaction")
        return func(*args, **kwargs)

    return wrapper


def wake(task: str, **ids: Any) -> None:
    """
    Send a task by name once the transaction has committed.

    A wake-up only makes things sooner: the due row is found by a sweep anyway. So a Redis that is down or mute
    neither fails nor slows the caller: one try, a second at most, then silence for half a minute.
    """
    django_transaction.on_commit(functools.partial(_send, task, ids), robust=True)


def _send(task: str, ids: dict[str, Any]) -> None:
    global _wake_resumes_at  # noqa: PLW0603  one pause for the whole process
    if time.monotonic() < _wake_resumes_at:
        return
    try:
        current_app.send_task(task, kwargs=ids, retry=False, ignore_result=True)
    except Exception as error:  # noqa: BLE001  whatever the broker's trouble, the caller's work is committed
        with _wake_lock:
            _wake_resumes_at = time.monotonic() + WAKE_PAUSE_SECONDS
        log.warning("wake_failed", task=task, error=type(error).__name__, pause_s=WAKE_PAUSE_SECONDS)
