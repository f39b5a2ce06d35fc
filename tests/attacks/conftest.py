"""
A site to attack: gunicorn with the settings of `deploy/`, on the database of the running test, its log kept.

One process serves the whole session; every test finds an empty book.
"""

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth import get_user_model
from django.core.cache import cache

from payments.models import GatewayAccount
from tests.attacks.canaries import Canaries
from tests.calls import body, signed
from tests.stillness import wait_until_all_have_left, wait_until_it_has_left
from tests.web_process import ROOT, START_WITHIN_S, STOP_WITHIN_S, _test_database_url, held_port
from tests.world import make_client, make_customer

PERMISSIONS = ("point_pay", "grant_value", "ship_partnerorder")
FAMILIES = ["checkout", "english_app", "partner_orders", "payments"]
CAGED_PHONE, CAGED_NAME = "13912345678", "秘密客户甲"
PATIENCE_S = 60  # no test is about how long an answer takes, unless it says so


class Site:
    """`url`, a client that keeps its connections, raw sockets, and everything it ever logged."""

    def __init__(self, *, home, **environment):
        self._log = home / "site.log"
        with held_port() as held:
            self.port = held.getsockname()[1]
            self.url = f"http://127.0.0.1:{self.port}"
            self._process = self._start(held.fileno(), environment)
        self.http = self._client()
        self._wait()

    def _start(self, listener, environment):
        given = {
            "ONETILL_ENV": "test", "DATABASE_URL": _test_database_url(), "BASE_URL": self.url, "LOG_LEVEL": "DEBUG",
            "WEB_BIND": f"fd://{listener}", "WEB_CONCURRENCY": "2", "WEB_THREADS": "8",
            "STATEMENT_TIMEOUT_MS": "5000", "PROCESS_NAME": "attacked",
        }  # fmt: skip
        command = [sys.executable, "-m", "gunicorn", "-c", "deploy/gunicorn.conf.py", "--log-level", "debug"]
        with self._log.open("wb") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=os.environ | given | environment, stdout=log,
                stderr=subprocess.STDOUT, pass_fds=[listener],
            )  # fmt: skip

    def _client(self, **kwargs):
        return httpx.Client(base_url=self.url, timeout=PATIENCE_S, trust_env=False, verify=False, **kwargs)

    def at_once(self, calls):
        """Make all `calls` (method, path, what httpx takes) at the same moment and return their responses."""
        barrier = threading.Barrier(len(calls))
        limits = httpx.Limits(max_connections=len(calls))
        with (
            self._client(limits=limits) as http,
            ThreadPoolExecutor(len(calls)) as threads,
        ):

            def make(call):
                method, path, kwargs = call
                barrier.wait()
                return http.request(method, path, **kwargs)

            return list(threads.map(make, calls))

    def log(self):
        return self._log.read_text(errors="replace")

    def api(self, path, params, *, token="shop-token", **kwargs):
        """POST signed JSON and return status and answer."""
        content = params if isinstance(params, str | bytes) else body(signed(params))
        headers = {"authorization": f"Token {token}", "content-type": "application/json"}
        response = self.http.post(path, content=content, headers=headers, **kwargs)
        return response.status_code, response.json()

    def raw(self, *parts, silence_s=PATIENCE_S):
        """
        Send bytes as they are, and return what came back until the end or silence.

        Whatever the site makes of them it has made by then: the books may be looked at.
        """
        with self.dial() as connection:
            caller, received = connection.getsockname()[1], b""
            with contextlib.suppress(OSError):  # the other side has heard enough: it may have said why
                for part in parts:
                    connection.sendall(part)
            connection.settimeout(silence_s)
            with contextlib.suppress(OSError):  # silence, or the other side hung up: what it said before is the answer
                while chunk := connection.recv(65_536):
                    received += chunk
        wait_until_it_has_left(caller, self.port)
        return received

    def dial(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def see_everybody_off(self):
        """Hang up, and wait until nothing that anybody has asked for is still being done."""
        self.http.close()
        wait_until_all_have_left(self.port)
        self.http = self._client()

    def stop(self):
        self.http.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=STOP_WITHIN_S)

    def _wait(self):
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self.log()
            try:
                if httpx.get(f"{self.url}/healthz", trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        self.stop()
        raise AssertionError("the site does not answer")


@pytest.fixture(scope="session")
def site_process(django_db_setup, django_db_blocker, tmp_path_factory):
    with django_db_blocker.unblock():
        site = Site(home=tmp_path_factory.mktemp("site"))
    yield site
    site.stop()


@pytest.fixture
def site(transactional_db, site_process):
    """It is quiet before the tables are cleared: this fixture asks for the database, so it ends first."""
    cache.clear()  # nobody has asked too often yet
    yield site_process
    site_process.see_everybody_off()


@pytest.fixture
def shop(db):
    """The documents' client, which may do everything, and their customer."""
    shop = make_client(permissions=PERMISSIONS, families=FAMILIES, app_id=1)
    shop.customer = make_customer(client=shop, points_fen=13_128)
    return shop


@pytest.fixture
def rival(db):
    """Another client, with a customer of the same name."""
    rival = make_client(name="rival", secret="rival-secret", permissions=PERMISSIONS, families=FAMILIES, app_id=2)
    rival.customer = make_customer(client=rival, points_fen=13_128)
    return rival


@pytest.fixture
def alipay(db):
    """An Alipay account that nobody answers for: enough to refuse notices."""
    return make_alipay_account()


def make_alipay_account(*, private_key="", base_url="http://127.0.0.1:9/gateway.do", **fields):
    ours, theirs = _keys()
    public = theirs.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    account = GatewayAccount(
        kind="alipay", name="attacked", app_id="2021000000000009", merchant_id="2088000000000009", base_url=base_url,
        options={"alipay_public_key": public.decode()}, **fields,
    )  # fmt: skip
    account.set_credentials({"private_key": private_key or pem(ours)})
    account.save()
    return account


@functools.cache
def _keys():
    return [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture
def canaries(settings):
    canaries = Canaries()
    settings.SECRET_KEY = canaries.secret_key
    settings.ENCRYPTION_KEYS = [f"canary:{canaries.encryption_key}"]
    return canaries


@pytest.fixture(params=[False, True], ids=["DEBUG off", "DEBUG on"])
def caged(request, canaries, transactional_db, tmp_path):
    """A site whose every secret is a canary. `environment` is what tells it, for a worker to be told the same."""
    environment = {
        "SECRET_KEY": canaries.secret_key, "ENCRYPTION_KEYS": f"canary:{canaries.encryption_key}",
        "DEBUG": str(request.param),
    }  # fmt: skip
    site = Site(home=tmp_path, WEB_CONCURRENCY="1", **environment)
    site.environment = environment
    client = make_client(token=canaries.token, secret=canaries.secret, permissions=("point_pay", "grant_value"))
    make_customer(client=client, points_fen=13_128, phone=CAGED_PHONE, real_name=CAGED_NAME)
    get_user_model().objects.create_superuser(username="boss", password=canaries.password)
    site.heard = []
    site.http.event_hooks["response"].append(lambda response: site.heard.append(_as_text(response)))
    yield site
    site.stop()


def _as_text(response):
    response.read()
    return f"{response.url} {response.status_code} {response.headers.multi_items()}\n{response.text}"
