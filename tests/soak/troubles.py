"""What goes wrong, drawn from the seed: faults at the gateways, SIGKILL for our own processes, orders out of time."""

import random
import time
from collections import Counter

from django.utils import timezone

from payments.models import Charge, Order
from tests.soak.staff import renew_keys

KILLS = ("web", "worker", "web worker", "redis", "beat")
WEIGHTS = (40, 30, 15, 10, 5)
NO_OCCASION = "bill_"  # no day ends here
# Gateways change their keys rarely: until staff have renewed ours, nothing that they say is believed.
RARITY = {"key_switch": 0.3}
RENEW_S = 2
MOST_WAITING = 3  # of one kind, so that those with a rare occasion do not pile up
DELAY_MS = {"timeout_before": (50, 400), "timeout_after": (50, 400), "slow": (50, 800), "late": (100, 4_000)}
FAULTS_AN_ORDER = 1.2
LOOK_S = 0.02


class Troubles:
    """Arms, kills and renews keys as the crowd goes on; to be driven from the main thread."""

    def __init__(self, *, seed, kills, house, crowd, tally):
        self._rng = random.Random(f"{seed}-troubles")
        self._house, self._crowd, self._tally = house, crowd, tally
        self._menu = [fault for fault in self._ask()["menu"] if not fault["fault"].startswith(NO_OCCASION)]
        self._kills = self._plan(kills)
        self._rarity = [RARITY.get(fault["fault"], 1) for fault in self._menu]
        self._armed, self._due, self._renewed_at = Counter(), 0, time.monotonic()

    def _ask(self):
        return self._house.simulator.call("GET", "faults/")

    def _plan(self, kills):
        """Return the kills to come as (after how many stories, what), the last first; one of each sort for certain."""
        moments = sorted(self._rng.uniform(0, self._crowd.orders * 0.95) for _kill in range(kills))
        whats = [*KILLS[:kills], *self._rng.choices(KILLS, WEIGHTS, k=max(0, kills - len(KILLS)))]
        self._rng.shuffle(whats)
        return list(zip(moments, whats, strict=True))[::-1]

    def until_all_is_told(self):
        while not self._crowd.is_over:
            self._kill()
            self._arm()
            self._renew_keys()
            self._let_time_run_out()
            self._revive()
            time.sleep(LOOK_S)
        while self._kills:  # the crowd was faster
            self._kill(at_once=True)
        self._let_time_run_out()
        self._revive()

    def _let_time_run_out(self):
        """The order's. Its attempts end at the gateway when they do, as those of any order may be late."""
        while not self._crowd.expiring.empty():
            now, number = timezone.now(), self._crowd.expiring.get()
            Order.objects.filter(number=number).update(expires_at=now)
            Charge.objects.filter(order__number=number, next_query_at__isnull=False).update(next_query_at=now)
            self._tally.add("payers", "took too long")

    def _revive(self):
        for ended in self._house.revive():
            self._tally.trouble(f"{ended} ended by itself: see its log")

    def _kill(self, *, at_once=False):
        if self._kills and (at_once or self._crowd.done >= self._kills[-1][0]):
            _moment, what = self._kills.pop()
            time.sleep(self._rng.uniform(0, 0.3))
            self._house.kill(what)
            self._tally.add("kills", what)

    def _arm(self):
        while self._due < min(self._crowd.done + 1, self._crowd.orders) * FAULTS_AN_ORDER:
            self._due += 1
            fault = self._rng.choices(self._menu, self._rarity)[0]["fault"]
            times, shortly = self._rng.choice((1, 1, 1, 2)), self._rng.randint(*DELAY_MS.get(fault, (0, 0)))
            waiting = sum(each["times"] for each in self._house.simulator.faults() if each["fault"] == fault)
            if waiting >= MOST_WAITING:
                continue
            delay = {"delay_ms": shortly} if fault in DELAY_MS else {}
            self._house.simulator.arm(fault, times=times, **delay)
            self._armed[fault] += times

    def _renew_keys(self, *, at_once=False):
        if not at_once and time.monotonic() < self._renewed_at + RENEW_S:
            return
        self._renewed_at = time.monotonic()
        for _account in range(renew_keys(simulator=self._house.simulator)):
            self._tally.add("staff", "renewed the keys of an account")

    def cease(self):
        """Disarm what still waits and renew the keys for the last time. What struck, by kind, goes to the tally."""
        left = Counter()
        for fault in self._house.simulator.faults():
            left[fault["fault"]] += fault["times"]
        self._house.simulator.disarm()
        for fault, times in sorted((self._armed - left).items()):
            for _strike in range(times):
                self._tally.add("faults", fault)
        self._renew_keys(at_once=True)
