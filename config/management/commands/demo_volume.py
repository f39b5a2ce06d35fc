"""Fill the sandbox with a history of millions of orders."""

import time
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from config import volume
from config.volume import AnotherHistory, Progress


class Command(BaseCommand):
    help = (
        "Fill the sandbox with a history of so many orders, of all families and in all states, with right books. "
        "What was cut goes on with the next start. Takes some four minutes and 3 GB of disk for each million."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--orders", type=int, default=1_000_000)
        parser.add_argument("--days", type=int, default=400, help="how far back it goes")
        parser.add_argument("--chunk", type=int, default=volume.CHUNK, help="orders in one transaction")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        before = None
        try:
            for progress in volume.fill(
                orders=options["orders"], days=options["days"], chunk=options["chunk"], at=timezone.now()
            ):
                before = progress.done if before is None else before
                self._tell(progress, made=progress.done - before, seconds=time.monotonic() - started)
        except (ImproperlyConfigured, AnotherHistory) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Done in {_clock(time.monotonic() - started)}.")

    def _tell(self, progress: Progress, *, made: int, seconds: float) -> None:
        """Say how far it is, how fast, and how long it will take; at the end the books are settled."""
        rate = made / seconds
        share = progress.done / progress.orders
        left = f"{_clock((progress.orders - progress.done) / rate)} left" if made else ""
        if progress.done == progress.orders:
            left = "settling the books"
        self.stdout.write(f"{progress.done:>12,} orders  {share:6.1%}  {rate:>8,.0f}/s  {left}")
        self.stdout.flush()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02}"
