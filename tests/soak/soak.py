"""One soak from the first order to the last sentence about the books."""

import dataclasses
import subprocess
import time
from collections import Counter
from pathlib import Path

from payments.inbox.models import InboundNotification
from payments.models import Charge, Order, Refund
from tests.soak.gateway_book import GatewayBook
from tests.soak.house import TREE, House
from tests.soak.listeners import Listeners
from tests.soak.payers import Crowd
from tests.soak.quiet import Quiet
from tests.soak.reckoning import Told, reckon
from tests.soak.shops import open_shops
from tests.soak.tally import Tally
from tests.soak.troubles import Troubles

MOST_FINDINGS = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """`patience_s`: how long the house is left to its own sweeps in the end."""

    seed: int
    orders: int
    kills: int
    threads: int
    patience_s: float
    room: Path
    database_url: str
    redis_url: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    seed: int
    commit: str
    seconds: dict[str, int]
    counts: dict[str, Counter]
    findings: list[str]

    def text(self):
        pairs = [f"seed {self.seed}, commit {self.commit}", _line(self.seconds, unit=" s")]
        pairs += [f"{subject}: {_line(counts)}" for subject, counts in self.counts.items() if counts]
        found = [f"  {finding}" for finding in self.findings[:MOST_FINDINGS]]
        verdict = f"{len(self.findings)} findings:" if found else "Every book agrees, every invariant holds."
        return "\n".join([*pairs, verdict, *found])


def _line(counts, *, unit=""):
    return " · ".join(f"{word} {count}{unit}" for word, count in sorted(counts.items(), key=lambda pair: str(pair[0])))


def soak(plan):
    """Make the world, let the crowd pay and be refunded while everything fails, quieten, and compare the books."""
    tally, started = Tally(), time.monotonic()
    with (
        Listeners(seed=plan.seed, tally=tally) as listeners,
        House(room=plan.room, database_url=plan.database_url, redis_url=plan.redis_url) as house,
    ):
        shops = open_shops(simulator=house.simulator, notify_base=house.url, webhooks=listeners.url)
        listeners.expect(shops)
        book = GatewayBook(plan.room / "simulator")
        ready = time.monotonic()
        with Crowd(seed=plan.seed, orders=plan.orders, threads=plan.threads, house=house, shops=shops, book=book,
                   tally=tally) as crowd:  # fmt: skip
            troubles = Troubles(seed=plan.seed, kills=plan.kills, house=house, crowd=crowd, tally=tally)
            troubles.until_all_is_told()
        over = time.monotonic()
        troubles.cease()
        listeners.is_well = True
        quiet = Quiet(seed=plan.seed, house=house, book=book, tally=tally)
        quiet.settle(patience_s=plan.patience_s)
        trades, refunds = book.trades(), book.refunds()
        counts = _counts(tally, book=book, trades=trades, refunds=refunds)
    told = Told(orders=tally.orders, refunds=tally.refunds, closed=tally.closed, heard=listeners.heard)
    findings = [*tally.troubles, *reckon(trades=trades, refunds=refunds, told=told)]
    seconds = {"starting": ready - started, "noise": over - ready, "quiet": quiet.seconds}
    return Report(
        seed=plan.seed,
        commit=_commit(),
        seconds={name: round(value) for name, value in seconds.items()},
        counts=counts,
        findings=findings,
    )


def _counts(tally, *, book, trades, refunds):
    return {
        "orders": Counter(Order.objects.values_list("status", flat=True)),
        "flagged": Counter(Order.objects.exclude(money_flag="").values_list("money_flag", flat=True)),
        "attempts": Counter(Charge.objects.exclude(tender="points").values_list("status", flat=True)),
        "trades": Counter("paid" if trade.is_paid else trade.status for trade in trades),
        "refunds": Counter(" ".join(pair) for pair in Refund.objects.values_list("kind", "status")),
        "gateways' refunds": Counter("moved" if made.is_moved else made.trouble or "waiting" for made in refunds),
        "kills": tally.of("kills"),
        "faults that struck": tally.of("faults"),
        "notifications": book.notices(),
        "deliveries, by our answer": book.deliveries(),
        "verdicts": Counter(InboundNotification.objects.values_list("verdict", flat=True)),
        "payers": tally.of("payers"),
        "refunds asked for": tally.of("refunds asked for"),
        "closes asked for": tally.of("closes asked for"),
        "webhooks": tally.of("webhooks"),
        "staff": tally.of("staff"),
        "started": tally.of("pushes"),
        "in the end": tally.of("in the end"),
        "answers": tally.of("answers"),
    }


def _commit():
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=TREE, check=False, capture_output=True, text=True
    )  # fmt: skip
    return done.stdout.strip() or "unknown"
