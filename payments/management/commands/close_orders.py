"""Close orders whose time has run out, now, as beat does by itself."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from payments.closing import operations as closing
from payments.closing import queries


class Command(BaseCommand):
    help = "Close every order whose time has run out. Ends their open attempts at the gateways first, one by one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--skip-gateways", action="store_true", help="leave orders with an open attempt to the sweep"
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        started, at = time.monotonic(), timezone.now()
        if not options["skip_gateways"]:
            self._end_attempts()
        due = queries.due(at=at).count()
        self.stdout.write(f"{due} orders to close")

        def tell(closed: int) -> None:
            self.stdout.write(f"{closed:>12}/{due}  {time.monotonic() - started:.1f} s")
            self.stdout.flush()

        closed = closing.close_due(at=at, tell=tell)
        left = queries.past_their_time(at=timezone.now()).count()
        self.stdout.write(f"Closed {closed}. {left} orders wait for a gateway to end their attempt.")

    def _end_attempts(self) -> None:
        open_ones = list(queries.open_past_their_time(at=timezone.now()))
        for done, charge in enumerate(open_ones, 1):
            answer = closing.end_attempt(charge_id=charge.pk)
            self.stdout.write(f"{done:>12}/{len(open_ones)}  {charge.number}  {charge.status} → {answer}")
            self.stdout.flush()
