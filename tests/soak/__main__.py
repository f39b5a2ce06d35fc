"""
python -m tests.soak [--orders N] [--kills N] [--threads N] [--patience S] [--seed N]

Beside a throwaway PostgreSQL and Redis (`make soak`). Exit status 1 if the books disagree.
"""

import argparse
import os
import random
import shutil
import signal
import sys
from pathlib import Path

import django
from django.core.management import call_command

ROOM = Path("var/soak")


def main():
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that whatever runs is stopped
    os.environ.setdefault("ONETILL_ENV", "test")
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    from tests.soak.soak import Plan, soak  # noqa: PLC0415  models can be imported once Django is set up

    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    say(f"seed {seed}: {options.orders} orders, {options.kills} kills; logs are in {ROOM}")
    call_command("migrate", verbosity=0)
    shutil.rmtree(ROOM, ignore_errors=True)
    report = soak(
        Plan(
            seed=seed, orders=options.orders, kills=options.kills, threads=options.threads,
            patience_s=options.patience, room=ROOM.resolve(), database_url=os.environ["DATABASE_URL"],
            redis_url=os.environ["REDIS_URL"],
        )
    )  # fmt: skip
    say(report.text())
    return 1 if report.findings else 0


def _options():
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description="Pay thousands of orders while everything fails; compare the books."
    )
    parser.add_argument("--orders", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=None, help="default: one for every 25 orders")
    parser.add_argument("--threads", type=int, default=6)
    parser.add_argument("--patience", type=float, default=120, help="seconds that the sweeps have to themselves")
    parser.add_argument("--seed", type=int, default=None, help="repeats the choices of a run; default: a new one")
    options = parser.parse_args()
    options.kills = options.orders // 25 if options.kills is None else options.kills
    return options


def say(text):
    print(text, flush=True)  # noqa: T201  whoever started it reads it at a terminal


if __name__ == "__main__":
    sys.exit(main())
