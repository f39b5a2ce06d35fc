"""Add up the figures of past days now, as the job does by itself for the last weeks."""

import datetime
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from payments.days import day_of
from payments.figures import operations as figures

DAYS_MAX = 3_660


class Command(BaseCommand):
    help = "Add up the figures of today and of the days before it, the newest first. Safe to run at any time, again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=figures.KEPT_UP.days, help="how many, today included")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        if not 1 <= days <= DAYS_MAX:
            raise CommandError(f"--days {days} is not between 1 and {DAYS_MAX}.")
        today = day_of(timezone.now())
        for n in range(days):
            day, started = today - datetime.timedelta(days=n), time.monotonic()
            rows = figures.compute(day=day, at=timezone.now())
            self.stdout.write(f"{n + 1:>6}/{days}  {day}  {rows} rows  {time.monotonic() - started:.2f} s")
            self.stdout.flush()
        self.stdout.write(f"Added up {days} days.")
