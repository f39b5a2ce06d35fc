"""
Sending what is due. Threads do the network alone; this one does the books.

Half of the threads are for endpoints whose last attempt succeeded, and of neither half does one client get all, so that
however many receivers are dead or slow, a live one finds a thread.
"""

import dataclasses
import datetime
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import structlog
from django.utils import timezone

from payments import secrets
from payments.clients import operations as clients
from payments.outbox import deliveries, operations, signing
from payments.outbox.models import WebhookDelivery
from payments.outbox.sender import Result, Sender
from payments.transactions import DATABASE_TROUBLE, outside_transaction

log = structlog.get_logger(__name__)

THREADS = 16
AILING_MAX = THREADS // 2
RUN_S = 4  # for so long a run takes on new work: the next one is woken by then

UNRECORDED = Result(error="what came of it could not be recorded")

Clock = Callable[[], datetime.datetime]


@dataclasses.dataclass(frozen=True)
class _Parcel:
    delivery: WebhookDelivery
    started_at: datetime.datetime
    is_ailing: bool


@outside_transaction
def send_due(*, now: Clock = timezone.now, sender: Sender | None = None) -> int:
    """
    Fan events out and send what is due, as long as there is something and RUN_S last. Returns how many attempts.

    Any number of these may run at once.
    """
    ends_at = time.monotonic() + RUN_S
    _dispatch(at=now())
    attempts = 0
    under_way: dict[Future[Result], _Parcel] = {}
    with ThreadPoolExecutor(THREADS, "webhooks") as pool, sender or Sender(connections=THREADS) as post_office:
        while True:
            if time.monotonic() < ends_at:
                try:
                    for parcel, headers in _taken(under_way, at=now()):
                        body = parcel.delivery.event.body.encode()
                        sent = pool.submit(post_office.post, parcel.delivery.target, headers=headers, body=body)
                        under_way[sent] = parcel
                except DATABASE_TROUBLE:
                    log.exception("webhooks_not_taken")
                    ends_at = 0  # what is under way is to be recorded all the same
            if not under_way:
                return attempts
            done, _waiting = wait(under_way, timeout=1, return_when=FIRST_COMPLETED)
            for future in done:
                _note(under_way.pop(future), _result(future), at=now())
            attempts += len(done)


def _dispatch(*, at: datetime.datetime) -> None:
    """Fan out. What has been fanned out already is sent, whatever becomes of the rest."""
    try:
        operations.dispatch(at=at)
    except Exception:
        log.exception("webhooks_not_dispatched")


def _taken(
    under_way: dict[Future[Result], _Parcel], *, at: datetime.datetime
) -> Iterator[tuple[_Parcel, dict[str, str]]]:
    """Lease what there are threads for, and sign it."""
    ailing = sum(parcel.is_ailing for parcel in under_way.values())
    taken = deliveries.lease(at=at, most=THREADS - AILING_MAX - (len(under_way) - ailing), ailing=False)
    parcels = [_Parcel(delivery, at, is_ailing=False) for delivery in taken]
    taken = deliveries.lease(at=at, most=AILING_MAX - ailing, ailing=True)
    parcels += [_Parcel(delivery, at, is_ailing=True) for delivery in taken]
    for parcel in parcels:
        event, client = parcel.delivery.event, parcel.delivery.endpoint.client
        try:
            keys = clients.webhook_secrets(client=client, at=at)
        except secrets.CannotUnseal:
            log.exception("webhook_secret_not_readable", client=client.name)
            _note(parcel, Result(error="the client's webhook secret cannot be opened: ENCRYPTION_KEYS"), at=at)
            continue
        yield parcel, signing.headers(uid=event.uid, timestamp=int(at.timestamp()), body=event.body, secrets=keys)


def _result(future: Future[Result]) -> Result:
    try:
        return future.result()
    except Exception as error:
        log.exception("webhook_attempt_broke")
        return Result(error=f"the attempt broke: {type(error).__name__}")


def _note(parcel: _Parcel, result: Result, *, at: datetime.datetime) -> None:
    """
    Record a result, whatever a stranger put into it: one that cannot be recorded counts as a failure.

    If the database will not have it now, the lease ends and the delivery is sent once more.
    """
    try:
        deliveries.note(delivery=parcel.delivery, result=result, started_at=parcel.started_at, at=at)
    except DATABASE_TROUBLE:
        log.exception("webhook_result_lost", delivery=parcel.delivery.pk)
    except Exception:
        log.exception("webhook_result_not_recorded", delivery=parcel.delivery.pk)
        if result != UNRECORDED:
            _note(parcel, UNRECORDED, at=at)
