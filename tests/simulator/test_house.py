"""The simulator as a process: where it starts, where it refuses to, and what it remembers."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages import mofile, pofile

from tests.simulator.merchant import AlipayClient
from tests.simulator.receiver import Receiver, eventually
from tests.simulator_process import ROOT, Simulator, SimulatorProcess

SIMULATOR = ROOT / "payments" / "simulator"
NUMBER = "2018061530000035_1"


def django(home: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a Django command on the simulator's site."""
    given = {"ONETILL_ENV": "test", "SIMULATOR_DIR": str(home), "DJANGO_SETTINGS_MODULE": "payments.simulator.settings"}
    return subprocess.run(
        [sys.executable, "-m", "django", *command],
        cwd=ROOT,
        env=os.environ | given | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("environment", ["production", ""])
def test_it_refuses_to_start_outside_the_sandbox(tmp_path: Path, environment: str) -> None:
    started = django(tmp_path, "check", ONETILL_ENV=environment)

    assert started.returncode != 0
    assert "ONETILL_ENV=sandbox or test" in started.stderr
    assert list(tmp_path.iterdir()) == []


def test_its_migrations_say_what_its_models_say(tmp_path: Path) -> None:
    checked = django(tmp_path, "makemigrations", "--check", "--dry-run")

    assert checked.returncode == 0, checked.stdout


def test_a_book_from_before_wechat_goes_on(tmp_path: Path) -> None:
    assert django(tmp_path, "migrate", "simulator", "0001").returncode == 0
    at = "2026-11-20 08:00:00"
    with contextlib.closing(sqlite3.connect(tmp_path / "book.sqlite3")) as book, book:
        merchant = (1, "alipay", "2021000000000001", "2088102146225135", "商户", "", "", "")
        book.execute("INSERT INTO simulator_merchant VALUES (?, ?, ?, ?, ?, ?, ?, ?)", merchant)
        book.execute(
            "INSERT INTO simulator_trade (id, merchant_id, product, out_trade_no, trade_no, token, amount_fen, subject,"
            " body, notify_url, return_url, quit_url, status, offered_at, offer_until, lifetime_s, started_at, paid_at)"
            " VALUES (1, 1, 'precreate', ?, '20261120220', 'bax1', 2012, '裙', '', '', '', '', 'paid', ?, ?, 60, ?, ?)",
            (NUMBER, at, at, at, at),
        )
        book.execute("INSERT INTO simulator_refund VALUES (1, 'R1', 500, '', 1, ?, 1)", (at,))

    process = SimulatorProcess(tmp_path, time_scale=1)
    try:
        with Simulator(process.url) as simulator:
            trade = simulator.trade(NUMBER)
            made = simulator.register_wechat_merchant()
    finally:
        process.stop()

    assert (trade["gateway_status"], trade["refunded_fen"], trade["api"]) == ("TRADE_SUCCESS", 500, "")
    assert made.base_url == process.url


def test_it_speaks_chinese_throughout() -> None:
    folder = SIMULATOR / "locale" / "zh_Hans" / "LC_MESSAGES"
    with (folder / "django.po").open("rb") as source, (folder / "django.mo").open("rb") as compiled:
        written, read = pofile.read_po(source), mofile.read_mo(compiled)

    assert [message.id for message in written if message.id and not message.string] == []
    assert {m.id: m.string for m in written if m.id} == {m.id: m.string for m in read if m.id}


def test_a_killed_simulator_keeps_its_book_and_tells_what_it_was_telling(tmp_path: Path, receiver: Receiver) -> None:
    process = SimulatorProcess(tmp_path, time_scale=1)
    with (
        Simulator(process.url) as simulator,
        AlipayClient(simulator.register_merchant(), notify_url=receiver.url) as alipay,
    ):
        receiver.answering.clear()
        alipay.precreate(NUMBER)
        simulator.pay(NUMBER)
        receiver.wait_for(1)
        assert simulator.notifications(NUMBER)[0]["state"] == "sending"
    process.stop(with_signal=signal.SIGKILL)
    receiver.answering.set()

    process = SimulatorProcess(tmp_path, time_scale=1)
    try:
        with Simulator(process.url) as simulator:
            assert simulator.trade(NUMBER)["status"] == "paid"
            first, second = receiver.wait_for(2)
            assert first["notify_id"] == second["notify_id"]
            eventually(lambda: simulator.notifications(NUMBER)[0]["state"] == "done")
    finally:
        process.stop()
