"""Do the merchant accounts work?"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import override

from payments.gateways import examination
from payments.gateways.examination import Finding, Level
from payments.models import GatewayAccount


class Command(BaseCommand):
    help = (
        "Ask every active gateway account's gateway whether keys, clock and addresses are right. Exit status 1 if not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="those that are switched off too")

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = GatewayAccount.objects.order_by("pk")
        wrong = [
            str(account)
            for account in (accounts if options["all"] else accounts.filter(is_active=True))
            if self._examine(account) is Level.ERROR
        ]
        if wrong:
            raise CommandError(f"Out of order: {', '.join(wrong)}.")

    def _examine(self, account: GatewayAccount) -> Level:
        with override("en"):
            self.stdout.write(f"{account} ({account.app_id})")
            found = examination.examine(account)
        for finding in found:
            self._tell(finding)
        return examination.worst(found)

    def _tell(self, finding: Finding) -> None:
        styles: dict[Level, Any] = {Level.ERROR: self.style.ERROR, Level.WARNING: self.style.WARNING, Level.OK: str}
        style = styles[finding.level]
        self.stdout.write(style(f"  {finding.level:8} {finding.sentence}"))
        if finding.said:
            self.stdout.write(f"  {'':8} {finding.said}")
