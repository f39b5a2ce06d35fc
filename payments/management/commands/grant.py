"""Give a customer points or balance, or take them."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from payments.clients.models import ApiClient
from payments.customers.grants import Direction, GrantCommand, grant
from payments.errors import OnetillError
from payments.ledger.accounts import Kind
from payments.money import NotAnAmount, fen_from_yuan, yuan_text

ACTOR = "command:grant"


class Command(BaseCommand):
    help = "Give a customer points or balance in yuan, or take them. With --grant-no, once however often it is run."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--client", required=True, help="the client's name")
        parser.add_argument("--user-id", required=True, help="the customer as the client knows them")
        what = parser.add_mutually_exclusive_group(required=True)
        for kind in Kind:
            what.add_argument(f"--{kind}", metavar="YUAN", help="such as 500.00")
        parser.add_argument("--take", action="store_true", help="take instead of give")
        parser.add_argument("--reason", default="")
        parser.add_argument("--grant-no", help="a number of your own")

    def handle(self, *args: Any, **options: Any) -> None:
        client = ApiClient.objects.filter(name=options["client"]).first()
        if client is None:
            raise CommandError(f"There is no client {options['client']}.")
        kind = next(kind for kind in Kind if options[kind] is not None)
        try:
            command = GrantCommand(
                grant_no=options["grant_no"] or uuid.uuid4().hex,
                kind=kind,
                direction=Direction.OUT if options["take"] else Direction.IN,
                amount_fen=fen_from_yuan(options[kind]),
                reason=options["reason"],
            )
            holds = grant(client_id=client.pk, user_id=options["user_id"], command=command, actor=ACTOR)
        except NotAnAmount as error:
            raise CommandError(f"--{kind} {error} is no amount of yuan such as 500.00.") from error
        except OnetillError as error:
            raise CommandError(error.sentence()) from error
        self.stdout.write(f"grant-no: {command.grant_no}")
        for one, amount_fen in holds.items():
            self.stdout.write(f"{one}: {yuan_text(amount_fen)}")
