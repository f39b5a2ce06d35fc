"""How often an address without a cashier session may ask. Order numbers are no secret, so guessing is made slow."""

import threading
import time

import structlog
from django.core.cache import cache
from redis.exceptions import RedisError

REQUESTS_A_MINUTE = 120
PAUSE_SECONDS = 30

log = structlog.get_logger(__name__)
_counts_again_at = 0.0
_lock = threading.Lock()


def within(*, address: str) -> bool:
    """
    Count one request of `address` and say whether it is still within the limit.

    A Redis that is down or mute lets everybody in: the page must not depend on it. It is then left alone for half a
    minute, so that its time-out slows one request and not each.
    """
    global _counts_again_at  # noqa: PLW0603  one pause for the whole process
    if time.monotonic() < _counts_again_at:
        return True
    key = f"cashier:{address}:{int(time.time() // 60)}"
    try:
        cache.add(key, 0, timeout=120)
        return cache.incr(key) <= REQUESTS_A_MINUTE
    except (RedisError, ValueError) as error:  # ValueError: Redis lost the key between the two calls
        with _lock:
            _counts_again_at = time.monotonic() + PAUSE_SECONDS
        log.warning("cashier_limit_not_counted", error=type(error).__name__, pause_s=PAUSE_SECONDS)
        return True
