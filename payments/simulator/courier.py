"""Carries notifications to the merchants: one thread that looks what is due, a few that carry."""

import concurrent.futures
import contextlib
import fcntl
import functools
import logging
import threading
import time
from collections.abc import Iterator

import httpx
from django.conf import settings
from django.db import close_old_connections, connection
from django.utils import timezone

from payments.simulator import book, faults, notices, refunds, rooms
from payments.simulator.faults import Stage
from payments.simulator.models import Notification, NotificationDelivery

TIMEOUT_S = 5
LONGEST_SLEEP_S = 1
CARRIERS = 8
KEPT_ANSWER_BYTES = 2_000

logger = logging.getLogger(__name__)


def start() -> None:
    threading.Thread(target=_work, name="courier", daemon=True).start()


def resend(*, notification_id: int, times: int = 1, at_once: int = 1) -> list[NotificationDelivery]:
    """Send a notification again by hand, whatever its state, `at_once` of them side by side."""
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda _: _deliver(notification_id, by_hand=True), range(times)))


def _work() -> None:
    """Among several processes (or one that is just dying) only the holder of the lock carries."""
    with (settings.HOME / "courier.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _own_connection():
            notices.forget_interrupted()
        pool = concurrent.futures.ThreadPoolExecutor(CARRIERS, thread_name_prefix="carrier")
        while threading.main_thread().is_alive():
            notices.bell.clear()
            try:
                pause_s = _go_round(pool)
            except Exception:
                logger.exception("the courier stumbled")
                pause_s = LONGEST_SLEEP_S
            notices.bell.wait(min(max(pause_s, 0.01), LONGEST_SLEEP_S))


def _go_round(pool: concurrent.futures.Executor) -> float:
    """Send off what is due; how many seconds until there is more."""
    with _own_connection():
        book.close_expired()
        refunds.settle_due()
        for notification_id in notices.claim_due():
            pool.submit(_carry, notification_id)
        ahead = [moment for moment in (notices.next_due_at(), refunds.next_due_at()) if moment]
    return (min(ahead) - timezone.now()).total_seconds() if ahead else LONGEST_SLEEP_S


def _carry(notification_id: int) -> None:
    try:
        _deliver(notification_id)
    except Notification.DoesNotExist:
        pass  # the book was cleared meanwhile
    except Exception:
        logger.exception("notification %s could not be sent", notification_id)


def _deliver(notification_id: int, *, by_hand: bool = False) -> NotificationDelivery:
    """One attempt. A receiver that fails in any way is an attempt that was not accepted."""
    with _own_connection():
        notification = Notification.objects.select_related("trade__merchant", "refund").get(pk=notification_id)
        room = rooms.of(notification.trade.merchant.gateway)
        strike = faults.take(stage=Stage.DELIVERY, out_trade_no=notification.trade.out_trade_no, wire=notification.wire)
        headers, body = room.render(notification, strike)
        sent_at, started = timezone.now(), time.monotonic()
        status, answer = _post(notification.url, headers=dict(headers), body=body)
        delivery = NotificationDelivery(
            notification=notification,
            sent_at=sent_at,
            elapsed_ms=round((time.monotonic() - started) * 1000),
            disturbed_by=strike.kind,
            sent=body.decode(),
            status=status,
            answer=answer.decode(errors="replace"),
            accepted=status is not None and room.accepted(notification, status, answer),
        )
        notices.record(delivery=delivery, by_hand=by_hand)
        notices.bell.set()
        return delivery


def _post(url: str, *, headers: dict[str, str], body: bytes) -> tuple[int | None, bytes]:
    """The answer's status and beginning; None and the reason where there was no answer."""
    answer = b""
    try:
        with _client().stream("POST", url, content=body, headers=headers) as response:
            for chunk in response.iter_bytes():
                answer += chunk
                if len(answer) > KEPT_ANSWER_BYTES:
                    break
            return response.status_code, answer[:KEPT_ANSWER_BYTES]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return None, f"{type(error).__name__}: {error}".encode()


@functools.cache
def _client() -> httpx.Client:
    """Shared by all carriers. It keeps no connection, so that no attempt fails on one the merchant has dropped."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(timeout=TIMEOUT_S, limits=limits, trust_env=False, follow_redirects=False)


@contextlib.contextmanager
def _own_connection() -> Iterator[None]:
    close_old_connections()
    try:
        yield
    finally:
        connection.close()
