"""
python -m bench [--rounds N] [--seconds S] [--json]

Takes about seven minutes. Always exits 0: a slow or busy machine is no defect; whoever reads the ratios judges.
"""

import argparse
import json
import os
import time

import django
from django.core.management import call_command

from bench import house
from bench.report import table

STALE_ROUNDS = 2
ENVIRONMENT = {
    "ONETILL_ENV": "sandbox",
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "BASE_URL": "http://127.0.0.1:8000",
    "REDIS_URL": "redis://127.0.0.1:1/0",  # nothing of a pay asks Redis
    "SIMULATOR_URL": "",
    "STATEMENT_TIMEOUT_MS": "5000",
    "LOG_LEVEL": "WARNING",
}


def main() -> None:
    options = _options()
    started = time.monotonic()
    with house.postgres() as (url, room):
        os.environ.update(ENVIRONMENT, DATABASE_URL=url)
        django.setup()
        call_command("migrate", verbosity=0)
        lines = _measure(room, options)
    if options.json:
        print(json.dumps([line.as_json() for line in lines], ensure_ascii=False, indent=1))
        return
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(table(lines))
    print(
        f"\n{len(os.sched_getaffinity(0))} cores, load {load}, {options.rounds} rounds of {options.seconds:g} s, "
        f"{time.monotonic() - started:.0f} s in all. PostgreSQL with fsync and synchronous_commit on.\n"
        "Generator, web and PostgreSQL share the cores: only ratios mean anything."
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure the hot paths beside bare references."
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each cell in each round")
    parser.add_argument("--stale", type=int, default=100_000, help="orders that are closed, a tenth of all")
    parser.add_argument(
        "--english", type=int, default=200_000, help="orders of one customer of the English app: 10,000 pages"
    )
    parser.add_argument(
        "--volume", type=int, default=50_000, help="orders before staff, unless the environment names databases"
    )
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _with_history(orders: int) -> str:
    """Return the URL of a database of its own with a history of so many orders; none is made where one is named."""
    from bench import desk  # noqa: PLC0415

    if desk.LARGE in os.environ:
        return os.environ[desk.LARGE]
    url = house.another_database("volume")
    for command in (["migrate", "--verbosity=0"], ["demo_volume", f"--orders={orders}"]):
        house.manage(*command, url=url)
    return url


def _measure(room, options):
    from bench import counts, desk, english, rates, stale, world  # noqa: PLC0415  models can be imported once Django is set up

    keys = world.make()
    house.vacuum()
    lines = counts.statements(keys)
    with house.gunicorn(name="web", app="config.wsgi:application", room=room) as web:
        lines.append(counts.connections(keys, port=web, threads=rates.threads_of_web()))
        with house.gunicorn(name="bare", app="bench.bare:application", room=room) as bare:
            setting = rates.Setting(keys=keys, web=web, bare=bare, rounds=options.rounds, seconds=options.seconds)
            lines += [*rates.pay(setting), *rates.detail(setting), *rates.hot(setting)]
    lines += stale.closing_stale(keys, stale=options.stale, rounds=STALE_ROUNDS)
    lines += english.lists(keys, orders=options.english)
    lines += desk.measure(url=_with_history(options.volume))
    return sorted(lines, key=lambda line: int(line.name[1:].split()[0]))


if __name__ == "__main__":
    main()
