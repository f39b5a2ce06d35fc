import io
import json
import logging
import re

import pytest
import structlog
from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory
from structlog.contextvars import bind_contextvars, get_contextvars
from structlog.testing import capture_logs

from config import logging as house_logging
from payments.redaction import redact_text, redacted

CANARY = "CANARY5c4e9a"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----"


@pytest.fixture
def lines(monkeypatch):
    """What the process would have written to stderr, as JSON objects."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    house_logging.configure({"level": "DEBUG", "json": True})
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    monkeypatch.undo()
    house_logging.configure(settings.LOGGING)


def answer(request, status=200):
    return HttpResponse(status=status)


def ask(path="/x/", *, view=answer, **headers):
    middleware = house_logging.RequestIdMiddleware(view)
    return middleware(RequestFactory().get(path, headers=headers))


class TestRedaction:
    @pytest.mark.parametrize(
        "name",
        [
            "sign", "paySign", "signature", "key", "app_private_key", "api-key", "secret", "signing_secret", "token",
            "password", "code", "login_code", "authorization", "Authorization", "cookie", "HTTP_COOKIE", "SECRET_KEY",
            "csrfmiddlewaretoken", "sessionid", "private_keys",
        ],
    )  # fmt: skip
    def test_a_secret_is_known_by_its_name_at_any_depth(self, lines, name):
        structlog.get_logger("t").info("x", a=[{"b": ({name: CANARY},)}])

        assert lines()[0]["a"] == [{"b": [{name: "***"}]}]

    @pytest.mark.parametrize("name", ["status_code", "error_code", "result_code", "status", "order", "path"])
    def test_what_is_no_secret_stays(self, lines, name):
        structlog.get_logger("t").info("x", **{name: "point_paid"})

        assert lines()[0][name] == "point_paid"

    @pytest.mark.parametrize(
        "text",
        [
            f"https://x.example/pay?a=1&sign={CANARY}&b=2",
            f"url=https://x.example/?code={CANARY}",
            f'{{"sign": "{CANARY}", "n": 1}}',
            f'{{\\"sign\\": \\"{CANARY}\\"}}',
            f"{{'password': 'correct {CANARY} horse'}}",
            f"Authorization: Token {CANARY}",
            f"got Bearer {CANARY}{CANARY}",
            f"<xml><sign><![CDATA[{CANARY}]]></sign></xml>",
            f"key=b'{CANARY}'",
            f"next=%2F%3Fcode%3D{CANARY}",
            f"redis://:{CANARY}@127.0.0.1:6379/0",
            f"postgresql://u:{CANARY}@h/db",
            PEM,
            PEM[:40] + CANARY,
            "MIIEvQ" + "A" * 200 + CANARY,
        ],
    )
    def test_free_text_keeps_no_secret(self, text):
        assert "CANARY" not in redact_text(text)

    def test_free_text_keeps_the_rest(self):
        assert redact_text("GET /pay?a=1&sign=abc&b=2 took 3 ms") == "GET /pay?a=1&sign=***&b=2 took 3 ms"

    def test_a_person_is_masked(self, lines):
        structlog.get_logger("t").info("手机13800138000", phone=13912345678, real_name="李雷", order="2018061530000035")

        line = lines()[0]
        assert line["event"] == "手机138****8000"
        assert line["phone"] == "139****5678"
        assert line["real_name"] == "李**"
        assert line["order"] == "2018061530000035"

    @pytest.mark.parametrize("text", ["/c/13800138000/", "13800138000", "a-13800138000", "电话：13800138000。"])
    def test_a_phone_number_is_masked_wherever_it_stands(self, text):
        assert redact_text(text) == text.replace("13800138000", "138****8000")

    @pytest.mark.parametrize("name", ["openid", "sub_openid", "buyer_logon_id", "buyer_user_id", "receive_name"])
    def test_the_payer_of_a_gateway_is_a_person_by_name_and_in_text(self, name):
        value = "oUpF8uMuAJO"

        assert redacted({"payer": {name: value}}) == {"payer": {name: "o**"}}
        for text in (f"a=1&{name}={value}", f"<{name}><![CDATA[{value}]]></{name}>", f'{{"{name}":"{value}"}}'):
            assert value not in redact_text(text)

    def test_persons_may_be_shown_secrets_never(self):
        told = {"openid": "oUpF8uMuAJO", "phone": "13800138000", "sign": CANARY, "text": f"13800138000 key={CANARY}"}

        shown = redacted(told, persons=True)

        assert shown == {"openid": "oUpF8uMuAJO", "phone": "13800138000", "sign": "***", "text": "13800138000 key=***"}

    def test_bytes_are_counted_not_shown(self, lines):
        structlog.get_logger("t").info("x", body=CANARY.encode())

        assert lines()[0]["body"] == "<12 bytes>"

    def test_an_object_is_shown_as_its_redacted_text(self, lines):
        structlog.get_logger("t").info("x", error=ValueError(f"token={CANARY}"))

        assert lines()[0]["error"] == "token=***"

    def test_hostile_text_takes_no_time(self):
        assert len(redact_text("keysigntoken" * 100_000)) == 16_384

    def test_a_traceback_keeps_neither_values_nor_locals(self, lines):
        def fail(value_of_it):
            try:
                raise KeyError(f"sign={value_of_it}")
            except KeyError as error:
                raise RuntimeError(f'{{"token": "{value_of_it}"}}') from error

        value = CANARY  # under another name, since tracebacks quote the source
        try:
            fail(value)
        except RuntimeError:
            structlog.get_logger("t").exception("failed")
            logging.getLogger("django.request").exception("failed %s", f"code={CANARY}")

        ours, foreign = lines()
        assert "RuntimeError" in ours["exception"]
        assert "KeyError" in foreign["exception"]
        assert "CANARY" not in json.dumps([ours, foreign])


class TestRequests:
    def test_a_well_formed_request_id_is_kept_and_returned(self, lines):
        response = ask(**{"X-Request-ID": "shop-20180615-0001"})

        assert response["X-Request-ID"] == "shop-20180615-0001"
        assert lines()[-1]["request_id"] == "shop-20180615-0001"

    @pytest.mark.parametrize("given", ["", "short", "x" * 37, "a b c d e f", "forged\nline-here", "<script>alert"])
    def test_any_other_request_id_is_replaced(self, given):
        response = ask(**{"X-Request-ID": given})

        assert re.fullmatch(r"[0-9a-f]{32}", response["X-Request-ID"])

    def test_one_line_per_request_without_its_query(self, lines):
        ask(f"/api_login/?code={CANARY}&next=/")

        [line] = lines()
        assert line.pop("ms") >= 0
        assert line.pop("timestamp").endswith("Z")
        assert len(line.pop("request_id")) == 32
        assert line == {
            "event": "request", "level": "info", "logger": "onetill",
            "method": "GET", "path": "/api_login/", "status": 200,
        }  # fmt: skip

    def test_the_line_says_which_client_and_order(self, lines):
        def view(request):
            bind_contextvars(client="shop", order="2018061530000035")
            return answer(request, status=409)

        ask(view=view)

        assert {name: lines()[0][name] for name in ("client", "order", "status")} == {
            "client": "shop", "order": "2018061530000035", "status": 409,
        }  # fmt: skip

    def test_nothing_of_one_request_is_said_of_the_next(self, lines):
        def view(request):
            bind_contextvars(client="shop")
            return answer(request)

        ask(view=view)
        ask()

        assert "client" not in lines()[1]
        assert get_contextvars() == {}

    def test_a_path_cannot_forge_a_line(self, lines):
        ask("/x%0a%1b[31m")

        assert lines()[0]["path"] == "/x%0A%1B%5B31m"

    def test_probes_and_assets_are_quiet(self, lines):
        for path in ("/healthz", "/readyz", "/metrics", "/static/x.css"):
            ask(path)

        assert {line["level"] for line in lines()} == {"debug"}


class TestTasks:
    class Task:
        name = "payments.audit"

        class Request:
            onetill_request_id = "shop-20180615-0001"

        request = Request()

    def test_a_task_carries_the_request_id_of_its_waker(self):
        bind_contextvars(request_id="shop-20180615-0001")
        headers = {}

        house_logging.send_request_id(headers=headers)

        structlog.contextvars.clear_contextvars()
        assert headers == {"onetill_request_id": "shop-20180615-0001"}

    def test_one_line_per_task(self, lines):
        house_logging.name_the_task(task_id="17", task=self.Task)
        house_logging.close_the_task(task=self.Task, state="FAILURE")

        [line] = lines()
        assert {name: line[name] for name in ("event", "task", "task_id", "request_id", "state")} == {
            "event": "task", "task": "payments.audit", "task_id": "17",
            "request_id": "shop-20180615-0001", "state": "FAILURE",
        }  # fmt: skip
        assert get_contextvars() == {}


def test_a_logger_that_was_used_before_is_heard_as_it_is_configured_now(lines):
    log = structlog.get_logger("used")
    log.info("before")
    house_logging.configure(settings.LOGGING)

    with capture_logs() as heard:
        log.info("now")

    assert [line["event"] for line in heard] == ["now"]
