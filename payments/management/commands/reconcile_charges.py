"""Ask gateways about attempts now, as the sweep does by itself."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from payments.charges import operations as charges
from payments.charges import queries, sweep
from payments.models import Charge

BATCH = 100


class Command(BaseCommand):
    help = "Ask the gateways about attempts whose query is due, about every open one, or about those of an order."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("numbers", nargs="*", metavar="NUMBER", help="of an order or of one attempt")
        parser.add_argument("--open", action="store_true", help="every open attempt, due or not")

    def handle(self, *args: Any, **options: Any) -> None:
        charge_ids, expected = _chosen(numbers=options["numbers"], every_open=options["open"])
        self.stdout.write(f"{expected} to ask about")
        troubles = asked = 0
        for charge_id in charge_ids:
            asked += 1
            troubles += not self._ask(charge_id, place=f"{asked}/{expected}")
        if troubles:
            raise CommandError(f"{troubles} of {asked} could not be asked about; they stay due.")
        self.stdout.write(f"Asked about {asked}.")

    def _ask(self, charge_id: int, *, place: str) -> bool:
        before = Charge.objects.only("number", "status").get(pk=charge_id)
        try:
            after = charges.ask(charge_id=charge_id, at=timezone.now())
        except Exception as error:  # noqa: BLE001 -- one attempt's trouble must not keep the others from being asked
            self.stdout.write(self.style.ERROR(f"{place:>12}  {before.number}  {type(error).__name__}: {error}"))
            return False
        self.stdout.write(f"{place:>12}  {after.number}  {before.status} → {after.status}  {after.last_answer}")
        self.stdout.flush()
        return True


def _chosen(*, numbers: list[str], every_open: bool) -> tuple[Iterator[int], int]:
    """Return the ids of the attempts to ask about, and how many they are (of those due: at this moment)."""
    if not numbers and not every_open:
        return _due(), queries.due_for_query(at=timezone.now()).count()
    chosen = queries.every_open() if every_open else Charge.objects.none()
    ids = list(chosen.values_list("pk", flat=True))
    for number in numbers:
        found = list(queries.by_number(number=number).values_list("pk", flat=True))
        if not found:
            raise CommandError(f"No attempt at cash has or belongs to the number {number}.")
        ids += [charge_id for charge_id in found if charge_id not in ids]
    return iter(ids), len(ids)


def _due() -> Iterator[int]:
    """Lease what is due batch by batch, as the sweep does, so that the two ask about nothing twice."""
    while leased := sweep.lease_due(at=timezone.now(), limit=BATCH):
        yield from (charge_id for charge_id, _account_id in leased)
