"""Who did what, written in the same transaction as what was done."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from structlog.contextvars import get_contextvars

from payments.transactions import transaction_required

SYSTEM = "system"  # the actor of what nobody asked for: jobs, and what follows from them
ACTOR_MAX, ACTOR_KEPT = 64, 45

_asked_for_by: ContextVar[str | None] = ContextVar("asked_for_by", default=None)


class AuditRow(models.Model):
    """One deed. Append-only: the database refuses UPDATE and DELETE."""

    at = models.DateTimeField(_("at"), db_default=Now())
    actor = models.CharField(_("actor"), max_length=ACTOR_MAX)  # client:shop, user:lin, gateway:alipay, system
    action = models.CharField(_("action"), max_length=64)
    subject = models.CharField(_("subject"), max_length=64)  # order:2018061530000035, customer:17
    request_id = models.CharField(_("request id"), max_length=36, blank=True)
    detail = models.JSONField(_("detail"), default=dict)

    class Meta:
        verbose_name = _("audit row")
        verbose_name_plural = _("audit rows")
        indexes = [
            models.Index(name="audit_by_subject", fields=["subject", "id"]),
            BrinIndex(name="audit_by_time", fields=["at"], autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.subject}"


def person(*, username: str, pk: int) -> str:
    """Return how rows name who did it. What is too long for them ends in the user's id, so that no two are one."""
    actor = f"user:{username}"
    return actor if len(actor) <= ACTOR_MAX else f"{actor[:ACTOR_KEPT]}~{pk}"


def request_id() -> str:
    """
    Return the id of the request at work, of which the log's context knows, or "" outside of any.

    A job works off what many asked for, whoever woke it: what it does is no request's, but `on_behalf_of` one.
    """
    asked_for_by, context = _asked_for_by.get(), get_contextvars()
    if asked_for_by is not None:
        return asked_for_by
    return "" if "task" in context else str(context.get("request_id", ""))


@contextmanager
def on_behalf_of(request_id: str) -> Iterator[None]:
    """Whatever is done within was asked for by that request."""
    token = _asked_for_by.set(request_id)
    try:
        yield
    finally:
        _asked_for_by.reset(token)


@transaction_required
def record(*, actor: str, action: str, subject: str, **detail: Any) -> None:
    """Write that `actor` did `action` to `subject`. `detail` says what was before and after; no secrets in it."""
    row(actor=actor, action=action, subject=subject, **detail).save(force_insert=True)


def row(*, actor: str, action: str, subject: str, **detail: Any) -> AuditRow:
    """Return what `record` writes, for whoever writes many at once."""
    return AuditRow(actor=actor, action=action, subject=subject, request_id=request_id(), detail=detail)
