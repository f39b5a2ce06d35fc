"""What one call costs, counted: statements, transactions, WAL flushes, connections."""

import time

import psycopg
from django.db import connection

from bench import load, wire, world
from bench.report import Line, count
from payments.clients.operations import Keys

WARM = 8  # prepared, planned, hint bits set
COUNTED = 20
REQUESTS, CLIENTS = 100, 8


def statements(keys: Keys) -> list[Line]:
    """Return P2 and the counted half of P3, measured in this process."""
    app = wire.App()

    def pay(number: str) -> None:
        app.post(
            path="/api/checkout/pay/", body=world.pay_body(keys, out_trade_no=number, user_id="3"), token=keys.token
        )

    for _n in range(WARM):
        pay(world.fresh_number())
    flushes, records = _wal()
    for _n in range(COUNTED):
        pay(world.fresh_number())
    flushes_after, _records = _wal()
    with wire.traffic() as placing:
        pay(number := world.fresh_number())
    for _n in range(WARM):
        pay(number)
    _flushes, records = _wal()
    for _n in range(COUNTED):
        pay(number)
    _flushes, records_after = _wal()
    with wire.traffic() as repeating:
        pay(number)
    with wire.traffic() as reading:
        app.post(path="/api/checkout/pay-detail/", body=world.detail_body(keys, out_trade_no=number), token=keys.token)
    return [
        count("P2 pay, statements beside BEGIN and COMMIT", value=placing.statements, at_most=5, shame=8),
        count("P2 pay, transactions", value=placing.transactions, at_most=1),
        count("P2 pay alone, WAL flushes", value=(flushes_after - flushes) / COUNTED, at_most=1),
        count("P3 pay repeated, statements", value=repeating.statements, at_most=3),
        count("P3 pay repeated, WAL records", value=(records_after - records) / COUNTED, at_most=0),
        count("P3 pay-detail, statements", value=reading.statements, at_most=2),
    ]


def _wal() -> tuple[int, int]:
    """Return the WAL flushes and WAL records of this connection up to now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
    with connection.cursor() as cursor:
        cursor.execute("""
            SELECT (SELECT fsyncs FROM pg_stat_get_backend_io(pg_backend_pid())
                    WHERE object = 'wal' AND context = 'normal'),
                (SELECT wal_records FROM pg_stat_get_backend_wal(pg_backend_pid()))
        """)
        flushes, records = cursor.fetchone()
    return flushes, records


def connections(keys: Keys, *, port: int, threads: int) -> Line:
    """Return P11: the backends that a fresh web server opens for a hundred requests."""
    url = connection.get_connection_params()
    url = {name: url[name] for name in ("host", "port", "user", "password", "dbname") if url.get(name)}
    with psycopg.connect(**url, autocommit=True) as watching:
        before = _sessions(watching)
        bodies = [world.pay_body(keys, out_trade_no=world.fresh_number(), user_id=str(n)) for n in range(REQUESTS)]
        requests = iter([load.post(path="/api/checkout/pay/", body=body, token=keys.token) for body in bodies])
        load.fire(port=port, requests=requests, clients=CLIENTS, seconds=30)
        time.sleep(1)  # a backend reports itself when it is idle
        opened = _sessions(watching) - before
    return count(f"P11 backends opened by {REQUESTS} requests", value=opened, at_most=threads)


def _sessions(watching: psycopg.Connection) -> int:
    return watching.execute("SELECT sessions FROM pg_stat_database WHERE datname = current_database()").fetchone()[0]
