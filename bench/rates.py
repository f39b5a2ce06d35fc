"""What is measured against the clock: each cell and its reference in interleaved rounds."""

import contextlib
import dataclasses
import itertools
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator

from bench import house, load, world
from bench.payers import Job
from bench.report import Line, ratio
from payments.clients.operations import Keys
from payments.models import Customer

CLIENTS = 8
CROWD = 32
PROCESSES = 2
REQUESTS_PER_SECOND_MAX = 4_000  # signed beforehand for each cell: more than any of them can answer
PAST_READ = 500
DECAY_SECONDS = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Setting:
    keys: Keys
    web: int  # port
    bare: int
    rounds: int
    seconds: float


Cell = Callable[[], float]


def interleaved(cells: dict[str, Cell], *, rounds: int) -> dict[str, list[float]]:
    """Run every cell once a round, in turning order, vacuumed between rounds. Returns the rates in round order."""
    rates: dict[str, list[float]] = {name: [] for name in cells}
    for cell in cells.values():
        cell()  # to warm up
    for turn in range(rounds):
        house.vacuum()
        names = list(cells)
        for name in names if turn % 2 else reversed(names):
            rates[name].append(cells[name]())
    return rates


def http(setting: Setting, *, port: int, requests: Callable[[int], Iterator[bytes]], clients: int = CLIENTS) -> Cell:
    def cell() -> float:
        ready = requests(int(setting.seconds * REQUESTS_PER_SECOND_MAX))
        return load.fire(port=port, requests=ready, clients=clients, seconds=setting.seconds).rate

    return cell


def pay(setting: Setting) -> list[Line]:
    """P1: the complete pay beside five statements that check nothing, and beside an empty APIView."""
    keys = setting.keys
    body = world.pay_body(keys, out_trade_no="none", user_id="1")
    rates = interleaved(
        {
            "pay": http(setting, port=setting.web, requests=lambda count: pays(keys, count=count)),
            "plain": http(setting, port=setting.bare, requests=lambda count: bare_pays(keys, "plain", count=count)),
            "prepared": http(
                setting, port=setting.bare, requests=lambda count: bare_pays(keys, "prepared", count=count)
            ),
            "drf": http(
                setting, port=setting.bare, requests=lambda _count: itertools.repeat(load.post(path="/drf/", body=body))
            ),
        },
        rounds=setting.rounds,
    )
    return [
        ratio("P1 pay / five bare statements", ours=rates["pay"], reference=rates["plain"], goal=1.0, shame=0.6),
        ratio("P1 pay / the same, prepared", ours=rates["pay"], reference=rates["prepared"]),
        ratio("P1 pay / an empty APIView", ours=rates["pay"], reference=rates["drf"]),
    ]


def detail(setting: Setting) -> list[Line]:
    """P3: pay-detail beside a hand-written read."""
    keys = setting.keys
    numbers = [f"P{n}" for n in range(1, PAST_READ)]

    def ours(_count: int) -> Iterator[bytes]:
        bodies = [world.detail_body(keys, out_trade_no=number) for number in numbers]
        return itertools.cycle(
            [load.post(path="/api/checkout/pay-detail/", body=body, token=keys.token) for body in bodies]
        )

    def bare(_count: int) -> Iterator[bytes]:
        bodies = [json.dumps({"client_id": keys.client.pk, "out_trade_no": number}) for number in numbers]
        return itertools.cycle([load.post(path="/plain/detail/", body=body) for body in bodies])

    rates = interleaved(
        {
            "ours": http(setting, port=setting.web, requests=ours),
            "bare": http(setting, port=setting.bare, requests=bare),
        },
        rounds=setting.rounds,
    )
    return [ratio("P3 pay-detail / bare read", ours=rates["ours"], reference=rates["bare"], goal=0.8, shame=0.5)]


def hot(setting: Setting) -> list[Line]:
    """P5: everybody on one customer's points."""
    keys = setting.keys
    rates = interleaved(
        {
            name: http(
                setting, port=setting.web, clients=CROWD,
                requests=lambda count, is_hot=is_hot: pays(keys, count=count, is_hot=is_hot),
            )
            for name, is_hot in (("hot", True), ("spread", False))
        },
        rounds=setting.rounds,
    )  # fmt: skip
    lines = [ratio("P5 one customer / spread, HTTP, 32", ours=rates["hot"], reference=rates["spread"], goal=0.75)]
    with crowd(keys) as paying:
        rates = interleaved(
            {
                "last": lambda: sum(paying(seconds=setting.seconds, is_hot=True)) / setting.seconds,
                "first": lambda: sum(paying(seconds=setting.seconds, is_hot=True, locked_first=True)) / setting.seconds,
            },
            rounds=setting.rounds,
        )
        lines.append(
            ratio(
                "P5 account last / FOR UPDATE first, 32",
                ours=rates["last"],
                reference=rates["first"],
                goal=1.5,
                shame=1.0,
            )
        )
        house.vacuum()
        placed = paying(seconds=DECAY_SECONDS + 1, is_hot=True)[1:]  # the first second warms up
        lines.append(ratio("P5 last 2 s / first 2 s of 10", ours=placed[-2:], reference=placed[:2], goal=0.9))
        alone = [paying(seconds=setting.seconds, is_hot=False, threads=1, processes=1) for _n in range(3)]
        rate = statistics.median(sum(seconds) / setting.seconds for seconds in alone)
    lines.append(Line(name="P4 pay in one thread, no HTTP", ours=f"{rate:,.0f}/s", value=round(rate)))
    return lines


@contextlib.contextmanager
def crowd(keys: Keys) -> Iterator[Callable[..., list[int]]]:
    """Start the processes of `bench.payers`. Yields what has them pay and returns the orders placed in each second."""
    command = [sys.executable, "-m", "bench.payers"]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=house.TREE)
        for _n in range(PROCESSES)
    ]
    jobs = itertools.count()

    def paying(
        *, seconds: float, is_hot: bool, locked_first: bool = False, threads: int = CROWD, processes: int = PROCESSES
    ) -> list[int]:
        job = next(jobs)
        chosen = started[:processes]
        for number, process in enumerate(chosen):
            text = Job(
                client_name=keys.client.name, prefix=f"C{job}-{number}", threads=threads // processes, seconds=seconds,
                is_hot=is_hot, locked_first=locked_first,
            )  # fmt: skip
            print(json.dumps(dataclasses.asdict(text)), file=process.stdin, flush=True)
        placed = [json.loads(process.stdout.readline()) for process in chosen]
        return [sum(done.get(str(second), 0) for done in placed) for second in range(max(1, int(seconds)))]

    try:
        for process in started:
            assert process.stdout.readline() == "ready\n"
        yield paying
    finally:
        for process in started:
            process.stdin.close()
            process.wait(30)


def pays(keys: Keys, *, count: int, is_hot: bool = False) -> Iterator[bytes]:
    """Return calls of `pay`, a fresh number in each."""
    users = world.user_ids(is_hot=is_hot)
    bodies = [world.pay_body(keys, out_trade_no=world.fresh_number(), user_id=next(users)) for _n in range(count)]
    return iter([load.post(path="/api/checkout/pay/", body=body, token=keys.token) for body in bodies])


def bare_pays(keys: Keys, using: str, *, count: int) -> Iterator[bytes]:
    """Return the same for the bare view, which looks nobody up: it is told the ids."""
    ids = dict(Customer.objects.values_list("user_id", "pk"))
    users = world.user_ids(is_hot=False)
    given = {
        "client_id": keys.client.pk, "total_fen": world.TOTAL_FEN, "shipping_fen": world.SHIPPING_FEN,
        "redirect_url": world.REDIRECT_URL,
    }  # fmt: skip
    bodies = [
        json.dumps({**given, "customer_id": ids[next(users)], "out_trade_no": world.fresh_number()})
        for _n in range(count)
    ]
    return iter([load.post(path=f"/{using}/pay/", body=body) for body in bodies])


def threads_of_web() -> int:
    """How many connections the web server may open: its threads."""
    workers = int(os.environ.get("WEB_CONCURRENCY") or len(os.sched_getaffinity(0)))
    return workers * int(os.environ.get("WEB_THREADS", "8"))
