"""
python -m bench.payers

A process of threads that pay without HTTP. Reads one job a line (JSON) and prints what was done: for each second of the
run, the number of orders placed. `locked_first` takes the customer's account before anything else is written, which is
what the conditional UPDATE at the end is measured against.
"""

import dataclasses
import json
import sys
import threading
import time
from collections import Counter

import django
from django.db import connection


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    client_name: str
    prefix: str  # of the order numbers, another one for each job and process
    threads: int
    seconds: float
    is_hot: bool
    locked_first: bool = False


def run(job: Job) -> dict[int, int]:
    """Return second → orders placed in it, over all threads."""
    from bench import world  # noqa: PLC0415  models can be imported once Django is set up
    from checkout import operations  # noqa: PLC0415
    from payments.models import ApiClient  # noqa: PLC0415

    client = ApiClient.objects.get(name=job.client_name)
    operations._lock_points = _lock_points  # noqa: SLF001  the same statement for both, written out
    operations.TRIES_BEFORE_LOCKING = 0 if job.locked_first else 3
    placed: Counter[int] = Counter()
    together = threading.Barrier(job.threads)

    def pay(thread: int) -> None:
        users = world.user_ids(is_hot=job.is_hot, first=thread)
        mine: Counter[int] = Counter()
        connection.ensure_connection()
        together.wait()
        started = time.perf_counter()
        while (elapsed := time.perf_counter() - started) < job.seconds:
            number = f"{job.prefix}-{thread}-{mine.total()}"
            world.place(client, out_trade_no=number, user_id=next(users))
            mine[int(elapsed)] += 1
        connection.close()
        placed.update(mine)

    threads = [threading.Thread(target=pay, args=(thread,)) for thread in range(job.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return dict(placed)


def _lock_points(payer) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT balance_fen FROM payments_account WHERE customer_id = %s AND kind = 'points' FOR UPDATE",
            [payer.customer_id],
        )
        return cursor.fetchone()[0]


if __name__ == "__main__":
    django.setup()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(run(Job(**json.loads(line)))), flush=True)
