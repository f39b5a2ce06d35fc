"""Check the books."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import override

from payments import invariants
from payments.invariants import Finding


class Command(BaseCommand):
    help = "Check every invariant of the books on one snapshot. Exit status 1 if one is broken."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{'':8}{'checked':>12}{'breaches':>10}{'ms':>8}  rule")
        with override("en"):
            found = invariants.check(tell=self._tell)
        broken = [finding.name for finding in found if finding.breaches]
        if broken:
            raise CommandError(f"Broken: {', '.join(broken)}.")
        self.stdout.write(f"All {len(found)} hold.")

    def _tell(self, finding: Finding) -> None:
        style = self.style.ERROR if finding.breaches else str
        self.stdout.write(
            style(
                f"{finding.name:8}{finding.checked:>12,}{finding.breaches:>10,}{finding.ms:>8,}  {finding.says}"
            )
        )  # fmt: skip
        for example in finding.examples:
            self.stdout.write(style(f"{'':8}  {example}"))
        self.stdout.flush()
