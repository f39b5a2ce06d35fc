"""
A live simulator for tests: a process of its own on a free port, spoken to over HTTP like any other gateway.

    def test_…(simulator):
        merchant = simulator.register_merchant()
        …
        simulator.pay("2018061530000035_1")

The process serves the whole session; every test finds an empty book.
"""

import dataclasses
import datetime
import functools
import itertools
import os
import signal
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

from tests.web_process import START_WITHIN_S, STOP_WITHIN_S, held_port

ROOT = Path(__file__).resolve().parent.parent
SETTLED_WITHIN_S = 60
SOON = datetime.timedelta(milliseconds=500)


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimulatedWechatMerchant:
    """A merchant of WeChat Pay, good for v2 and APIv3 alike, and the private key that only the merchant has."""

    app_id: str
    mch_id: str
    mode: str  # what APIv3 is signed with for it: public_key, certificate, grey (either)
    base_url: str  # of /pay/…, /secapi/pay/… and /v3/…
    oauth_authorize_url: str
    oauth_token_url: str
    api_key: str
    api_v3_key: str
    app_secret: str
    app_private_key: str
    app_public_key: str
    app_certificate: str
    app_cert_sn: str
    platform_public_key_id: str
    platform_public_key: str
    platform_certificates: list[str]  # PEM, the oldest first
    platform_certificate_serials: list[str]


class Simulator:
    """The control API, as methods."""

    def __init__(self, url: str) -> None:
        self.url, self.control = url, f"{url}/control/"
        # Plain HTTP: nothing to verify, and loading the machine's certificates is slow.
        self._http = httpx.Client(base_url=self.control, timeout=30, trust_env=False, verify=False)
        self._app_ids = itertools.count(2021_0000_0000_0001)
        self._mch_ids = itertools.count(1_900_000_001)

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

    def register_wechat_merchant(self, *, mch_id: str = "", **fields: str | int) -> SimulatedWechatMerchant:
        """
        A new merchant of WeChat Pay. `mode` is `public_key` (unless told otherwise), `certificate` or `grey`;
        `closable_after_s` how old an order must be to be closed, 300 as WeChat has it; also `app_id`, `api_key`,
        `api_v3_key`, `app_secret`.
        """
        mch_id = mch_id or str(next(self._mch_ids))
        asked = {
            "gateway": "wechat",
            "app_id": f"wx{mch_id:0>16}",
            "mch_id": mch_id,
            "app_public_key": _app_key()[1],
            **fields,
        }
        made = self.call("POST", "merchants/", asked)
        names = {field.name for field in dataclasses.fields(SimulatedWechatMerchant)}
        known = {name: value for name, value in made.items() if name in names}
        return SimulatedWechatMerchant(app_private_key=_app_key()[0], **known)

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

    def refund(self, out_trade_no: str, amount_fen: int, *, request_no: str = "") -> dict[str, Any]:
        """The merchant's staff give back at the gateway's console; the newest refund, as the gateway has it."""
        asked = {"amount_fen": amount_fen, "request_no": request_no}
        return self.call("POST", f"trades/{out_trade_no}/refund", asked)["refunds"][-1]

    def spoil_bill(self, app_id: str, **counts: Any) -> list[dict[str, Any]]:
        """Let a bill (of today, unless a `day` is named) differ from the book: which rows do, and how."""
        return self.call("POST", "bills/", {"app_id": app_id, **counts})["differences"]

    def close(self, out_trade_no: str) -> dict[str, Any]:
        return self.call("POST", f"trades/{out_trade_no}/close")

    def finish(self, out_trade_no: str) -> dict[str, Any]:
        return self.call("POST", f"trades/{out_trade_no}/finish")

    def use_app(self, order_string: str, *, pay: bool = True) -> dict[str, Any]:
        """What the Alipay app answers to the merchant's app that handed it `order_string`."""
        return self.call("POST", "app/", {"order_string": order_string, "pay": pay})

    def age(self, out_trade_no: str, *, seconds: int = 300) -> dict[str, Any]:
        """Let it have been asked for so much earlier; its limits stay."""
        return self.call("POST", f"trades/{out_trade_no}/age", {"seconds": seconds})

    def scan_code(self, code_url: str) -> dict[str, Any]:
        """Be WeChat before a `weixin://` code: the trade, waiting for its payer."""
        return self.call("POST", "wechat/scan/", {"code_url": code_url})

    def use_wechat(self, parameters: Mapping[str, str], *, pay: bool = True) -> dict[str, Any]:
        """
        Be WeChat called by a page (JSAPI) or an app with `parameters`, whose signature it verifies: pay, or step back.

        `result` is what WeChat tells the caller: `ok`, `cancel`, or `fail` with a `refusal`; beside it the `trade`.
        """
        return self.call("POST", "wechat/call/", {"parameters": dict(parameters), "pay": pay})

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

    def settle(self) -> None:
        """
        Let the notifications that are on their way arrive and forget the rest: nobody is told after this.

        On their way are also those that could set out between the look and the forgetting.
        """
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while any(_is_on_its_way(told) for told in self.call("GET", "notifications/")["notifications"]):
            assert time.monotonic() < deadline, f"after {SETTLED_WITHIN_S} s a notification is still on its way"
            time.sleep(0.02)
        self.clear()

    def call(self, method: str, path: str, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
        response = self._http.request(method, path, json=fields)
        assert response.status_code == 200, f"{method} {path}: {response.status_code} {response.text}"
        return response.json()


def _is_on_its_way(told: Mapping[str, Any]) -> bool:
    soon = datetime.datetime.now(datetime.UTC) + SOON
    return told["state"] == "sending" or (told["due_at"] and datetime.datetime.fromisoformat(told["due_at"]) < soon)


class SimulatorProcess:
    """A simulator on a free port. `stop()` ends it; its book stays in `home`."""

    def __init__(self, home: Path, *, time_scale: int) -> None:
        self.home = home
        with held_port() as held:
            self.url = "http://{}:{}".format(*held.getsockname())
            self._process = self._start(held.fileno(), time_scale=time_scale)
        self._wait()

    def _start(self, listener: int, *, time_scale: int) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "ONETILL_ENV": "test",
            "SIMULATOR_DIR": str(self.home),
            "SIMULATOR_URL": self.url,
            "SIMULATOR_TIME_SCALE": str(time_scale),
        }
        command = [sys.executable, "-m", "gunicorn", "payments.simulator.wsgi:application", "--workers", "1"]
        command += ["--threads", "16", "-b", f"fd://{listener}", "--log-level", "warning"]
        command += ["--no-control-socket", "--graceful-timeout", "8"]
        # As the gateways do, keep an idle connection longer than our client: it never meets one that is closing.
        command += ["--keep-alive", "75"]
        return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, pass_fds=[listener])

    def stop(self, *, with_signal: int = signal.SIGTERM) -> None:
        os.killpg(self._process.pid, with_signal)  # the group is its own: nobody else is in it
        self._process.wait(timeout=STOP_WITHIN_S)

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
        simulator.settle()


@functools.cache
def _app_key() -> tuple[str, str]:
    """One key pair (private, public) for all merchants of the session."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()
