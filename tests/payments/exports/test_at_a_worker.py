"""An export as a real worker writes it, from request to file."""

import time

import pytest

from tests.payments.exports.shelf import VIEWS, ask, table_of
from tests.world import make_client, make_customer, make_staff, place_order

PATIENCE_S = 60


@pytest.mark.django_db(transaction=True)
def test_a_worker_with_its_clock_writes_what_waits(worker):
    client = make_client()
    make_customer(client=client)
    for number in ("T1", "T2"):
        place_order(client=client, number=number)
    lin = make_staff("lin", "export_rows", *VIEWS)
    worker.start(with_clock=True)

    export = ask(lin)

    wait_until_finished(export)
    assert (export.status, export.error, export.rows_done) == ("done", "", 2)
    assert [row["client's order number"] for row in table_of(export)] == ["T2", "T1"]


def wait_until_finished(export):
    ends = time.monotonic() + PATIENCE_S
    while export.status in {"queued", "running"} and time.monotonic() < ends:
        time.sleep(0.2)
        export.refresh_from_db()
