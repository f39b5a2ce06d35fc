"""Whatever a peer does, a call ends in time: with an answer, or as unknown."""

import gzip
import os
import ssl
import time

import pytest

from payments.gateways.base import GatewayUnavailable
from payments.gateways.http import HttpClient, Limits
from tests.payments.gateways import certificates, scripted

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


HASTE_S = 1
# The deadline is the promise; a busy machine is given time to notice it. The peer would go on for longer than that.
NOTICED_WITHIN_S = 8 * HASTE_S


@pytest.fixture
def client():
    return HttpClient(limits=Limits(total_seconds=30, connect_seconds=10, body_bytes=1000))


@pytest.fixture
def hasty():
    """For answers that do not come."""
    return HttpClient(limits=Limits(total_seconds=HASTE_S, connect_seconds=HASTE_S))


def post(client, server):
    return client.call("POST", server.url, headers=FORM, body=b"a=1")


def test_an_answer_comes_back_as_it_is(client, server):
    server.then(scripted.body(b'{"a": "\xe4\xb8\xad"}', X_Trace="7"))

    answer = post(client, server)

    assert (answer.status, answer.body, answer.headers["x-trace"]) == (200, b'{"a": "\xe4\xb8\xad"}', "7")
    assert server.forms == [{"a": "1"}]


def test_connections_are_used_again(client, server):
    server.then(*[scripted.body(b"ok")] * 5)

    for _ in range(5):
        post(client, server)

    assert server.connections == 1


@pytest.mark.parametrize("step", [scripted.silence, scripted.drip_body, scripted.drip_head])
def test_a_call_ends_at_its_deadline_however_the_peer_keeps_it_waiting(hasty, server, step):
    server.then(step)
    started = time.monotonic()

    with pytest.raises(GatewayUnavailable):
        post(hasty, server)

    assert 0.9 * HASTE_S < time.monotonic() - started < NOTICED_WITHIN_S


@pytest.mark.parametrize("step", [scripted.reset, scripted.hang_up, scripted.not_http])
def test_a_broken_connection_is_unavailable(client, server, step):
    server.then(step)

    with pytest.raises(GatewayUnavailable):
        post(client, server)


def test_after_a_failure_the_next_call_gets_a_fresh_connection(hasty, server):
    server.then(scripted.drip_body, scripted.body(b"ok"))

    with pytest.raises(GatewayUnavailable):
        post(hasty, server)

    assert post(hasty, server).body == b"ok"
    assert server.connections == 2


def test_an_answer_above_the_limit_is_unavailable(client, server):
    server.then(scripted.body(b"x" * 1000), scripted.body(b"x" * 1001))

    assert len(post(client, server).body) == 1000
    with pytest.raises(GatewayUnavailable, match="more than 1000 bytes"):
        post(client, server)


def test_a_compressed_answer_is_refused_unopened(client, server):
    bomb = gzip.compress(b"x" * 100_000)
    assert len(bomb) < 1000
    server.then(scripted.body(bomb, Content_Encoding="gzip"))

    with pytest.raises(GatewayUnavailable, match="encoded"):
        post(client, server)


def test_a_redirect_is_an_answer_and_is_not_followed(client, server):
    server.then(scripted.body(b"", status=302, Location=server.url))

    assert post(client, server).status == 302
    assert len(server.forms) == 1


def test_a_proxy_in_the_environment_is_not_used(client, server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    server.then(scripted.body(b"direct"))

    assert post(client, server).body == b"direct"


def test_nobody_listening_is_unavailable(client):
    server = scripted.ScriptedServer()
    server.stop()

    with pytest.raises(GatewayUnavailable, match="ConnectError"):
        post(client, server)


@pytest.fixture
def tls_server(tmp_path):
    key = scripted.rsa_key()
    own = certificates.certificate(key.public_key(), subject="127.0.0.1", issuer="127.0.0.1", issuer_key=key)
    (tmp_path / "both.pem").write_text(scripted.private_pem(key) + certificates.pem(own))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    server = scripted.ScriptedServer(ssl_context=context)
    yield server, certificates.pem(own)
    server.stop()


def test_over_tls_a_certificate_nobody_vouches_for_is_unavailable(client, tls_server):
    server, _ = tls_server

    with pytest.raises(GatewayUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        post(client, server)

    assert server.forms == []


@pytest.mark.parametrize("step", [scripted.silence, scripted.drip_body, scripted.drip_head])
def test_over_tls_answers_and_deadlines_are_the_same(tls_server, step):
    server, certificate = tls_server
    trusting = ssl.create_default_context(cadata=certificate)
    trusting.check_hostname = False
    client = HttpClient(limits=Limits(total_seconds=HASTE_S), ssl_context=trusting)
    server.then(scripted.body(b"ok"), step)

    assert post(client, server).body == b"ok"
    started = time.monotonic()
    with pytest.raises(GatewayUnavailable):
        post(client, server)

    assert 0.9 * HASTE_S < time.monotonic() - started < NOTICED_WITHIN_S


def test_a_forked_process_opens_connections_of_its_own(client, server, monkeypatch):
    server.then(scripted.body(b"1"), scripted.body(b"2"))
    post(client, server)

    monkeypatch.setattr(os, "getpid", lambda: -1)  # what a fork looks like from within
    post(client, server)

    assert server.connections == 2
