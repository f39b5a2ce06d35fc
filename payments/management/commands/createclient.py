"""Make an API client and print its token and secrets, once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from payments.clients import operations
from payments.clients.models import SignType
from payments.errors import OnetillError
from payments.wire import ENVELOPES

ACTOR = "system"
PERMISSIONS = {"checkout": ["checkout.point_pay"]}  # without which a client of the family could call nothing


class Command(BaseCommand):
    help = "Make an API client (or, with --rotate, give one new keys) and print its token and secrets, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--family", action="append", default=[], choices=sorted(ENVELOPES), dest="families")
        parser.add_argument("--sign-type", choices=SignType.values, default=SignType.MD5)
        parser.add_argument("--redirect-host", action="append", default=[], dest="redirect_hosts")
        parser.add_argument("--allowed-network", action="append", default=[], dest="allowed_networks")
        parser.add_argument("--permission", action="append", default=[], dest="permissions")
        parser.add_argument(
            "--default-of", default="", choices=sorted(ENVELOPES), help="the family whose calls without a token are its"
        )
        parser.add_argument("--app-id", type=int, help="the number by which calls without a token name the client")
        parser.add_argument("--always-http-200", action="store_true", help="answer 200 for refusals below 500")
        parser.add_argument(
            "--rotate", action="store_true", help="new keys for a client that exists; nothing else changes"
        )
        parser.add_argument(
            "--rotate-webhook-secret",
            action="store_true",
            help="a new webhook secret for a client that exists; the old one is signed under too for a day",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["rotate_webhook_secret"]:
                self._print(**{"webhook secret": self._rotate_webhook_secret(options)})
                return
            keys = self._rotate(options) if options["rotate"] else self._create(options)
        except OnetillError as error:
            raise CommandError(error.sentence()) from error
        self._print(token=keys.token, secret=keys.secret, **{"webhook secret": keys.webhook_secret})

    def _print(self, **keys: str) -> None:
        for name, key in keys.items():
            self.stdout.write(f"{name + ':':<7} {key}")
        self.stderr.write("Keep them now: they are not shown again.")

    def _create(self, options: dict[str, Any]) -> operations.Keys:
        families = options["families"]
        if not families:
            raise CommandError("Name at least one --family.")
        by_family = [name for family in families for name in PERMISSIONS.get(family, [])]
        return operations.create_client(
            name=options["name"],
            families=families,
            sign_type=options["sign_type"],
            redirect_hosts=options["redirect_hosts"],
            allowed_networks=options["allowed_networks"],
            permissions=[*by_family, *options["permissions"]],
            default_of=options["default_of"],
            app_id=options["app_id"],
            always_http_200=options["always_http_200"],
            actor=ACTOR,
        )

    def _rotate(self, options: dict[str, Any]) -> operations.Keys:
        return operations.rotate_keys(name=options["name"], actor=ACTOR)

    def _rotate_webhook_secret(self, options: dict[str, Any]) -> str:
        return operations.rotate_webhook_secret(name=options["name"], actor=ACTOR, at=timezone.now())
