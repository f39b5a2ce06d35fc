"""The simulator as a process: where it starts, where it refuses to, and what it remembers."""

import os
import signal
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
        timeout=60,
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
