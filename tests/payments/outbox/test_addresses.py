"""Nobody has us call into our own network: not by any spelling, not by a name, not by a name that changes its mind."""

import ipaddress
import threading
import time

import pytest
import structlog
from django.utils import translation

from payments.outbox import addresses
from payments.outbox import sender as sender_module
from payments.outbox.addresses import UnfitAddress
from payments.outbox.sender import Sender
from tests.payments.outbox.shop import Listener

FORBIDDEN = "the address is not public"
PRIVATE = [
    "127.0.0.1", "127.1", "127.8.9.10", "0.0.0.0", "0", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "0x7f000001", "0x7f.1", "2130706433",
    "0177.0.0.1", "017700000001", "0xa9fea9fe", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]", "[fc00::1]", "[fd12:3456::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[2002:a00:1::1]", "[2001:db8::1]",
]  # fmt: skip


@pytest.fixture
def fortress(settings):
    """Production: no private network is allowed."""
    settings.WEBHOOK_PRIVATE_NETWORKS = []


@pytest.fixture
def inside():
    """A server in our own network that hears nothing as long as we are careful."""
    with Listener() as listener:
        yield listener


def port_of(listener):
    return listener.url.rpartition(":")[2].partition("/")[0]


@pytest.mark.parametrize("host", PRIVATE)
def test_a_literal_address_of_a_private_network_is_not_stored(fortress, host):
    for scheme in ("http", "https"):
        for port in ("", ":8443"):
            with translation.override("en"), pytest.raises(UnfitAddress, match="private"):
                addresses.check(f"{scheme}://{host}{port}/hook")


@pytest.mark.parametrize(
    "url",
    [
        "", "hook", "//www.example.com/", "ftp://www.example.com/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_x",
        "https://user:pass@www.example.com/", "https://user@www.example.com/", "https://", "https:///x",
        "https://www.example.com:x/", "https://www.example.com\\@127.0.0.1/", "https://www.exa mple.com/",
        "https://１２７.0.0.1/", "https://例子.中国/", "http://www.example.com\r\nHost: x/",
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_not_stored(fortress, url):
    with pytest.raises(UnfitAddress):
        addresses.check(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.example.com/hook", "http://www.example.com:8080/a?b=c", "https://8.8.8.8/", "https://[2a00::1]/",
        "https://xn--fsqu00a.xn--fiqs8s/", "http://localhost/",
    ],
)  # fmt: skip
def test_others_are_and_a_name_is_judged_when_it_is_called(fortress, url):
    addresses.check(url)


def test_the_networks_of_the_setting_are_allowed(settings):
    settings.WEBHOOK_PRIVATE_NETWORKS = ["10.1.0.0/16"]

    addresses.check("http://10.1.2.3/")
    with pytest.raises(UnfitAddress):
        addresses.check("http://10.2.2.3/")


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f000001", "2130706433", "127.1", "localhost", "0.0.0.0"])
def test_at_every_connect_the_address_itself_is_judged(fortress, inside, host):
    """Whatever was stored: the resolver's answer is what counts."""
    with Sender() as sender:
        result = sender.post(f"http://{host}:{port_of(inside)}/", headers={}, body=b"{}")

    assert result.status is None
    assert result.error == FORBIDDEN
    assert inside.received == []


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"], ["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["fe80::1%eth0"],
        ["fd00::1"],
    ],
    ids=str,
)  # fmt: skip
def test_a_name_with_one_private_address_among_its_addresses_is_not_called(fortress, inside, found):
    with Sender(lookup=lambda host, port: found) as sender:
        result = sender.post(f"http://www.example.com:{port_of(inside)}/", headers={}, body=b"{}")

    assert result.error == FORBIDDEN
    assert inside.received == []


def test_what_a_name_inside_leads_to_is_for_our_log_alone(fortress):
    with structlog.testing.capture_logs() as logs, Sender(lookup=lambda host, port: ["10.2.3.4"]) as sender:
        result = sender.post("http://redis.internal/", headers={}, body=b"{}")

    assert result.error == result.complaint == FORBIDDEN
    assert logs == [
        {"log_level": "warning", "event": "webhook_forbidden", "host": "redis.internal", "address": "10.2.3.4"}
    ]


@pytest.fixture
def mute():
    """A resolver that does not answer until the test is over."""
    released = threading.Event()

    def lookup(host, port):
        released.wait(60)
        return ["127.0.0.1"]

    yield lookup
    released.set()


def test_a_resolver_that_hangs_is_given_no_more_time_than_the_attempt_has(mute):
    started = time.monotonic()

    with Sender(lookup=mute, total_s=0.3) as sender:
        result = sender.post("http://www.example.com/", headers={}, body=b"{}")

    assert result.error == "ConnectTimeout the name was not looked up in time"
    assert 0.3 <= time.monotonic() - started < 5
    assert result.elapsed_ms < 5_000


def test_resolvers_that_hang_are_left_behind_in_a_bounded_number(mute, monkeypatch):
    monkeypatch.setattr(sender_module, "_lookups", threading.BoundedSemaphore(2))
    asked = []

    def lookup(host, port):
        asked.append(host)
        return mute(host, port)

    with Sender(lookup=lookup, total_s=0.1) as sender:
        errors = {sender.post(f"http://n{n}.example/", headers={}, body=b"{}").error for n in range(4)}

    assert errors == {"ConnectTimeout the name was not looked up in time"}
    assert asked == ["n0.example", "n1.example"]


def test_the_address_that_was_judged_is_the_one_that_is_called(settings, inside):
    """DNS rebinding: a second look-up would lead elsewhere, so there is none."""
    settings.WEBHOOK_PRIVATE_NETWORKS = ["127.0.0.1/32"]
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    asked = []

    def lookup(host, port):
        asked.append(host)
        return next(answers)

    with Sender(lookup=lookup) as sender:
        first = sender.post(f"http://www.example.com:{port_of(inside)}/hook", headers={}, body=b"{}")

    assert (first.status, asked) == (200, ["www.example.com"])
    [(headers, _body)] = inside.received
    assert headers["host"] == f"www.example.com:{port_of(inside)}"


def test_a_name_that_changes_its_mind_is_judged_anew(settings, inside):
    settings.WEBHOOK_PRIVATE_NETWORKS = ["127.0.0.1/32"]
    url, statuses = f"http://www.example.com:{port_of(inside)}/", []

    for found in ("127.0.0.1", "127.0.0.2"):
        with Sender(lookup=lambda host, port, found=found: [found]) as sender:
            statuses.append(sender.post(url, headers={}, body=b"{}").status)

    assert statuses == [200, None]
    assert len(inside.received) == 1


def test_an_address_that_does_not_answer_leads_to_the_next(settings, inside):
    settings.WEBHOOK_PRIVATE_NETWORKS = ["127.0.0.0/8"]

    with Sender(lookup=lambda host, port: ["127.0.0.9", "127.0.0.1"]) as sender:
        result = sender.post(f"http://www.example.com:{port_of(inside)}/", headers={}, body=b"{}")

    assert result.status == 200


def test_a_name_that_is_none_is_an_error_and_no_fault():
    with Sender() as sender:
        result = sender.post("http://no-such-name.invalid/", headers={}, body=b"{}")

    assert result.status is None
    assert "gaierror" in result.error


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_of_the_environment_is_asked(monkeypatch, inside, name):
    monkeypatch.setenv(name, "http://127.0.0.1:9")

    with Sender() as sender:
        assert sender.post(inside.url, headers={}, body=b"{}").status == 200


def test_every_address_of_the_internet_is_fine():
    for text in ("8.8.8.8", "1.1.1.1", "2a00:1450:4001:80b::200e", "::ffff:8.8.8.8"):
        assert addresses.is_allowed(ipaddress.ip_address(text), allowed=[])
