"""Make the demonstration's world, and say how to use it."""

import json
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import demo, demo_merchants
from payments.errors import OnetillError
from payments.money import NotAnAmount, fen_from_yuan


class Command(BaseCommand):
    help = "Make the demo clients, their customers and their merchants at the simulator. Repeating it changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the demo world for machines")
        parser.add_argument(
            "--reset",
            action="store_true",
            help="close the demo customers' open orders, and give them their documented balances, coupons and stock",
        )
        parser.add_argument("--customer", choices=sorted(demo.CUSTOMERS), help="whom to top up")
        parser.add_argument("--points", default="0", help="yuan of points to give, e.g. 500.00")
        parser.add_argument("--balance", default="0", help="yuan of balance to give, e.g. 100.00")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            demo.build()
            if options["reset"]:
                demo.reset()
            if options["customer"]:
                demo.top_up(
                    key=options["customer"],
                    points_fen=fen_from_yuan(options["points"]),
                    balance_fen=fen_from_yuan(options["balance"]),
                )
        except NotAnAmount as error:
            raise CommandError(f"{error} is not an amount of yuan such as 500.00") from error
        except OnetillError as error:
            raise CommandError(error.sentence()) from error
        except (demo_merchants.SimulatorUnreachable, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(demo.describe(), ensure_ascii=False, indent=1))
        else:
            self.stdout.write(_introduction())


def _introduction() -> str:
    return f"""
  Shop front and start page   {settings.BASE_URL}/
  Staff                       {settings.BASE_URL}/admin/   {demo.STAFF["username"]} / {demo.STAFF["password"]}
  API                         {settings.BASE_URL}/docs/
  Simulated gateways          {settings.SIMULATOR_URL or "none"}

A first order: paste this into another shell, then open the cash_pay_url that it answers with.

{demo.first_order_curl()}
"""
