"""A short soak: what `make soak` does with thousands of orders, with a few, so that it stays true."""

import os

import pytest

from tests.soak.soak import Plan, soak
from tests.web_process import _test_database_url

pytestmark = pytest.mark.django_db(transaction=True)
SEED = 3


def test_whatever_fails_and_dies_every_paid_trade_stands_once_in_our_book(tmp_path):
    report = soak(
        Plan(
            seed=SEED, orders=36, kills=2, threads=6, patience_s=4, room=tmp_path / "soak",
            database_url=_test_database_url(), redis_url=os.environ["REDIS_URL"],
        )
    )  # fmt: skip

    assert report.findings == [], report.text()
    assert sum(report.counts["orders"].values()) == 36
    assert report.counts["kills"] == {"web": 1, "worker": 1}
    assert report.counts["trades"]["paid"] > 0
    assert report.counts["gateways' refunds"]["moved"] > 0
    assert report.counts["webhooks"]["order.refunded"] > 0
    assert sum(report.counts["closes asked for"].values()) > 0
    assert sum(report.counts["faults that struck"].values()) > 0
