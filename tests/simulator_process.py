"""
A live simulator for tests: a process of its own on a free port, spoken to over HTTP like any other gateway.

    def test_…(simulator):
        merchant = simulator.register_merchant()
        …
        simulator.pay("2018061530000035_1")

The process serves the whole session; every test finds an empty book.
"""

import dataclasses
import functools
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ROOT = Path(__file__).resolve().parent.parent
START_WITHIN_S = 30


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimulatedMerchant:
    """A merchant as the simulator knows it, and the private key that only the merchant has."""

    app_id: str
    seller_id: str
    mode: str
    gateway_url: str
    app_private_key: str
    app_public_key: str
    app_certificate: str
    app_cert_sn: str
    alipay_public_key: str
    alipay_certificate: str
    alipay_cert_sn: str
    alipay_root_certificate: str
    alipay_root_cert_sn: str


class Simulator:
    """The control API, as methods."""

    def __init__(self, url: str) -> None:
        self.url, self.control = url, f"{url}/control/"
        # Plain HTTP: nothing to verify, and loading the machine's certificates is slow.
        self._http = httpx.Client(base_url=self.control, timeout=30, trust_env=False, verify=False)
        self._app_ids = itertools.count(2021_0000_0000_0001)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def register_merchant(self, *, mode: str = "key", app_id: str = "", **fields: str) -> SimulatedMerchant:
        """A new merchant in `key` or `certificate` mode."""
        asked = {
            "app_id": app_id or str(next(self._app_ids)),
            "seller_id": "2088102146225135",
            "mode": mode,
            "app_public_key": _app_key()[1],
            **fields,
        }
        made = self.call("POST", "merchants/", asked)
        names = {field.name for field in dataclasses.fields(SimulatedMerchant)}
        known = {name: value for name, value in made.items() if name in names}
        return SimulatedMerchant(app_private_key=_app_key()[0], **known)

    def merchants(self) -> list[dict[str, Any]]:
        return self.call("GET", "merchants/")["merchants"]

    def trades(self, **filters: str) -> list[dict[str, Any]]:
        return self.call("GET", f"trades/?{httpx.QueryParams(filters)}")["trades"]

    def trade(self, out_trade_no: str) -> dict[str, Any]:
        return self.call("GET", f"trades/{out_trade_no}/")

    def scan(self, out_trade_no: str) -> dict[str, Any]:
        """The payer has it open, and has not paid yet."""
        return self.call("POST", f"trades/{out_trade_no}/open")

    def pay(self, out_trade_no: str, **fields: Any) -> dict[str, Any]:
        """The payer pays; `amount_fen` another amount than asked for."""
        return self.call("POST", f"trades/{out_trade_no}/pay", fields)

    def close(self, out_trade_no: str) -> dict[str, Any]:
        return self.call("POST", f"trades/{out_trade_no}/close")

    def finish(self, out_trade_no: str) -> dict[str, Any]:
        return self.call("POST", f"trades/{out_trade_no}/finish")

    def use_app(self, order_string: str, *, pay: bool = True) -> dict[str, Any]:
        """What the Alipay app answers to the merchant's app that handed it `order_string`."""
        return self.call("POST", "app/", {"order_string": order_string, "pay": pay})

    def notifications(self, out_trade_no: str) -> list[dict[str, Any]]:
        return self.call("GET", f"notifications/?out_trade_no={out_trade_no}")["notifications"]

    def resend(self, notification_id: int, *, times: int = 1, at_once: int = 1) -> list[dict[str, Any]]:
        fields = {"times": times, "at_once": at_once}
        return self.call("POST", f"notifications/{notification_id}/resend", fields)["deliveries"]

    def arm(self, fault: str, **fields: Any) -> dict[str, Any]:
        """Let `fault` happen; `times`, `match` (an out_trade_no), `delay_ms`."""
        return self.call("POST", "faults/", {"fault": fault, **fields})

    def faults(self) -> list[dict[str, Any]]:
        return self.call("GET", "faults/")["faults"]

    def disarm(self) -> None:
        self.call("DELETE", "faults/")

    def clear(self) -> None:
        """Forget all trades, notifications and faults."""
        self.call("DELETE", "book/")

    def call(self, method: str, path: str, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
        response = self._http.request(method, path, json=fields)
        assert response.status_code == 200, f"{method} {path}: {response.status_code} {response.text}"
        return response.json()


class SimulatorProcess:
    """A simulator on a free port. `stop()` ends it; its book stays in `home`."""

    def __init__(self, home: Path, *, time_scale: int) -> None:
        port = _free_port()
        self.home, self.url = home, f"http://127.0.0.1:{port}"
        environment = os.environ | {
            "ONETILL_ENV": "test",
            "SIMULATOR_DIR": str(home),
            "SIMULATOR_URL": self.url,
            "SIMULATOR_TIME_SCALE": str(time_scale),
        }
        command = [sys.executable, "-m", "gunicorn", "payments.simulator.wsgi:application", "--workers", "1"]
        command += ["--threads", "16", "-b", f"127.0.0.1:{port}", "--log-level", "warning"]
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
        self._wait()

    def stop(self, *, with_signal: int = signal.SIGTERM) -> None:
        os.killpg(self._process.pid, with_signal)  # the group is its own: nobody else is in it
        self._process.wait(timeout=30)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the simulator ended with {self._process.returncode}")
            try:
                if httpx.get(f"{self.url}/control/faults/", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        self.stop()
        raise RuntimeError("the simulator does not answer")


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """Alipay's 25 hours of repetitions pass in two and a half seconds."""
    process = SimulatorProcess(tmp_path_factory.mktemp("simulator"), time_scale=36_000)
    yield process
    process.stop()


@pytest.fixture
def simulator(simulator_process: SimulatorProcess) -> Iterator[Simulator]:
    with Simulator(simulator_process.url) as simulator:
        simulator.clear()
        yield simulator


@functools.cache
def _app_key() -> tuple[str, str]:
    """One key pair (private, public) for all merchants of the session."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
