"""HTTP spoken badly, over a real socket: every answer is a clean one, and nothing is booked that was not sent whole."""

import contextlib
import http.client
import json
import time

import pytest

from payments.models import Order
from tests.attacks.test_routes import GRANT
from tests.calls import body, signed
from tests.checkout.test_documents import PAY
from tests.world import points_fen

pytestmark = pytest.mark.django_db(transaction=True)

HEAD = b"Host: x\r\nAuthorization: Token shop-token\r\nContent-Type: application/json\r\n"


def request(*, method=b"POST", path=b"/api/checkout/pay/", headers=(), content=b"", length=None):
    length = len(content) if length is None else length
    lines = [HEAD.rstrip(b"\r\n"), *headers, b"Connection: close"]
    if length is not False:
        lines.append(b"Content-Length: %d" % length)
    return b"%s %s HTTP/1.1\r\n" % (method, path) + b"\r\n".join(lines) + b"\r\n\r\n" + content


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer else 0


def payload(answer):
    return json.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.fixture
def pay(shop):
    return body(signed(PAY)).encode()


def test_control_the_plain_call_is_taken(site, pay):
    assert status(site.raw(request(content=pay))) == 200
    assert Order.objects.count() == 1


def test_a_chunked_body_is_asked_for_in_one_piece(site, pay):
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(pay), pay)

    answer = site.raw(request(headers=[b"Transfer-Encoding: chunked"], length=False, content=chunked))

    assert (status(answer), payload(answer)["result_code"]) == (411, "length_required")
    assert Order.objects.count() == 0


def test_no_length_is_an_empty_body(site, pay):
    answer = site.raw(request(length=False, content=pay))

    assert 400 <= status(answer) < 500
    assert Order.objects.count() == 0


@pytest.mark.parametrize(
    "headers",
    [
        [b"Content-Length: 0"],
        [b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding : chunked"],
        [b"Transfer-Encoding: xchunked"],
        [b"Content-Length : 5"],
    ],
)
def test_two_readings_of_the_length_are_refused(site, pay, headers):
    """What a proxy and we could read differently smuggles a second call."""
    answer = site.raw(request(headers=headers, content=pay))

    assert 400 <= status(answer) < 500 or status(answer) == 501
    assert Order.objects.count() == 0


def test_a_length_that_is_none_is_refused(site, pay):
    for length in (b"-1", b"+5", b"0x10", b"5, 5", b"1_0", b"\xb2", b"", b"99999999999999999999"):
        call = request(headers=[b"Content-Length: " + length], length=False, content=pay)
        answer = site.raw(call, silence_s=0.5)

        assert status(answer) == 0 or 400 <= status(answer) < 500, length
        assert Order.objects.count() == 0


def test_a_length_that_is_too_short_books_nothing(site, pay):
    answer = site.raw(request(content=pay, length=len(pay) - 10))

    assert (status(answer), payload(answer)["result_code"]) == (400, "malformed_json")
    assert Order.objects.count() == 0


def test_a_body_that_breaks_off_books_nothing_and_leaves_the_site_alive(site, pay):
    site.raw(request(content=pay[:-1], length=len(pay)), silence_s=0.5)

    assert Order.objects.count() == 0
    assert site.http.get("/healthz").status_code == 200


def test_a_whole_object_in_a_body_that_breaks_off_books_nothing(site, shop, pay):
    """What came is JSON and signed, and yet not all that the caller meant to say."""
    before = points_fen(shop.customer)

    site.raw(request(content=pay, length=len(pay) + 1), silence_s=0.5)

    assert Order.objects.count() == 0
    assert points_fen(shop.customer) == before == 13_128
    assert status(site.raw(request(content=pay))) == 200


def test_slow_bodies_do_not_stop_the_others(site, pay):
    """Four callers, on sixteen threads, that do not go on before the others have their answers."""
    whole = request(content=pay)
    cut = len(whole) - len(pay) // 2
    with contextlib.ExitStack() as connections:
        slow = [connections.enter_context(site.dial()) for _ in range(4)]
        for connection in slow:
            connection.sendall(whole[:cut])

        quick = [site.http.get("/healthz").status_code for _ in range(10)]
        for connection in slow:
            connection.sendall(whole[cut:])
        answers = [connection.recv(65_536) for connection in slow]

    assert quick == [200] * 10
    assert [status(answer) for answer in answers] == [200] * 4
    assert Order.objects.count() == 1


HEADERS = [
    b"X-Long: " + b"a" * 70_000, b"\r\n".join(b"X-%d: a" % n for n in range(150)), b"X-Bad\x00: 1", b"X-Nul: a\x00b",
    b"No colon here", b"X-Folded: a\r\n b", b"X-Latin: \xe9\xff",
]  # fmt: skip


def test_headers_out_of_measure_are_refused_or_ignored(site, pay):
    for header in HEADERS:
        before = Order.objects.count()
        answer = site.raw(request(headers=[header], content=pay))

        assert status(answer) == 200 or 400 <= status(answer) < 500, header
        assert Order.objects.count() == (1 if status(answer) == 200 else before)
    assert site.http.get("/healthz").status_code == 200


def test_ten_thousand_query_parameters_are_nothing_to_us(site, pay):
    query = b"&".join(b"a%d=1" % n for n in range(10_000))

    assert status(site.raw(request(path=b"/api/checkout/pay/?" + query[:4_000], content=pay))) == 200
    assert status(site.raw(request(path=b"/api/checkout/pay/?" + query, content=pay))) == 414


def test_ten_thousand_parameters_in_a_body_are_read_in_no_time(site, shop):
    params = PAY | {f"x{n}": "1" for n in range(10_000)}

    started = time.monotonic()
    code, _answer = site.api("/api/checkout/pay/", params)

    assert code == 200
    assert time.monotonic() - started < 15, "a twentieth of a second, on a machine that does nothing else"


def test_pipelined_calls_are_answered_each_for_itself(site, pay, shop):
    first = request(content=pay).replace(b"Connection: close\r\n", b"")
    detail = body(signed({"out_trade_no": PAY["out_trade_no"]})).encode()
    second = request(path=b"/api/checkout/pay-detail/", content=detail)

    answer = site.raw(first + second)

    assert answer.count(b"HTTP/1.1 200") == 2
    assert b"pay_order_created" in answer
    assert b"out_trade_detail" in answer


METHODS = [b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"FOO", b"post"]


@pytest.mark.parametrize("path", [b"/api/checkout/pay/", b"/rest/pub/ali/pay_notify", b"/api_login/", b"/healthz"])
def test_a_method_that_an_address_does_not_know_is_refused(site, pay, path):
    for method in METHODS:
        answer = site.raw(request(method=method, path=path, content=pay))

        assert 0 < status(answer) < 500, method
        assert not path.startswith(b"/api/") or status(answer) >= 400, method
        assert Order.objects.count() == 0


# WSGI knows no difference between `/` and `%2f`, nor whose server an absolute address names.
THE_SAME = [b"/api/checkout%2fpay/", b"http://evil.example/api/checkout/pay/"]
ODD = [
    b"//evil.example/api/checkout/pay/", b"/api/checkout/pay/%00", b"/api/checkout/pay/%2e%2e/pay/",
    b"/api/checkout/pay/\xff", b"/api/checkout/p%FFay/", "/api/checkout/支付/".encode(), b"/checkout/pay/%00/",
    b"/checkout/pay/%ED%A0%80/", b"/api/customers/%ED%A0%80/", b"/api/customers/a%00b/", b"/api/customers/%E2%80%AE/",
    b"/api/customers/..%2f..%2fadmin/", b"/static/../manage.py", b"/static/%2e%2e/manage.py", b"/static/..%2fmanage.py",
    b"/static//etc/passwd", b"*", b"/\\evil.example/", b"/admin/login/?next=//evil.example", b"/i18n/setlang/",
]  # fmt: skip


def test_an_odd_address_is_refused_cleanly(site, pay):
    for path in (*ODD, *THE_SAME):
        answer = site.raw(request(path=path, content=pay))

        head = answer.lower().partition(b"\r\n\r\n")[0]
        assert 0 < status(answer) < 500, path
        assert b"Traceback" not in answer
        assert b"evil.example" not in head
        assert b"SECRET_KEY" not in answer
        assert (Order.objects.count() == 0) == (path not in THE_SAME)


POISON = [
    b"Host: evil.example", b"X-Forwarded-Host: evil.example", b"X-Forwarded-Proto: https",
    b"Forwarded: host=evil.example", b"X-Original-URL: /admin/", b"X-Rewrite-URL: /admin/",
    b"X-HTTP-Method-Override: DELETE",
]  # fmt: skip


def test_a_poisoned_host_appears_in_no_link(site, pay):
    for poison in POISON:
        call = request(headers=[poison], content=pay)
        answer = site.raw(call.replace(b"Host: x\r\n", b"") if poison.startswith(b"Host") else call)

        assert status(answer) == 200
        assert payload(answer)["result"]["cash_pay_url"].startswith(f"{site.url}/api_login/?code=")
        assert b"evil" not in answer


def test_a_poisoned_host_appears_on_no_page(site):
    for host in ("evil.example", "evil.example:80", "a.b", "[::1]"):
        for path in ("/api_login/", "/admin/login/", "/docs/", "/schema/", "/healthz", "/nowhere"):
            response = site.http.get(path, headers={"host": host, "x-forwarded-host": host})

            assert response.status_code < 500
            assert host not in response.text + str(response.headers)


SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Smuggled: 1\r\n\r\n"


UNREAD = [
    (b"/api/checkout/pay/", []), (b"/api/checkout/pay/", [b"Authorization: Token shop-token"]),
    (b"/api/checkout/nothing/", []), (b"/rest/pub/ali/pay_notify", []), (b"/healthz", []), (b"/api_login/", []),
    (b"/nowhere", []),
]  # fmt: skip


@pytest.mark.parametrize("size", [0, 70_000, 600_000])
def test_what_we_did_not_read_of_a_body_is_no_call(site, shop, size):
    """A refusal before the body's end leaves the rest on the line: it must not be taken for the next call."""
    content = b"x" * size + SMUGGLED * 2
    for path, headers in UNREAD:
        lines = [b"Host: x", b"Content-Type: application/json", b"Content-Length: %d" % len(content), *headers]

        call = b"POST %s HTTP/1.1\r\n%s\r\n\r\n" % (path, b"\r\n".join(lines))
        answer = site.raw(call, content, silence_s=0.3)

        assert answer.count(b"HTTP/1.1 ") <= 1, path
        assert b'"ok"' not in answer


@pytest.mark.parametrize("path", ["/api/checkout/pay/", "/rest/pub/wx/pay_notify", "/nowhere"])
def test_after_a_body_that_nobody_reads_the_next_call_on_the_connection_is_answered(site, path):
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST", path, body=b" " * 1_000_000, headers={"Content-Type": "application/json"})
        refused = connection.getresponse()
        refused.read()
        kept = connection.sock

        connection.request("GET", "/healthz")
        answer = connection.getresponse()

        assert (refused.status >= 400, answer.status) == (True, 200)
        assert connection.sock is kept, "it was the same connection"


def test_the_next_page_of_a_statement_is_ours_whatever_host_was_asked(site, shop):
    for number in range(3):
        site.api("/api/customers/442090/grants/", GRANT | {"grant_no": f"g{number}"})
    query = signed({"page_size": "1"})

    headers = {"host": "evil.example", "authorization": "Token shop-token"}
    response = site.http.get("/api/customers/442090/statement/", params=query, headers=headers)

    assert response.status_code == 200
    assert "evil.example" not in response.text
