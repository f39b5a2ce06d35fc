"""The docs say what the code does: what can be recomputed is, and every name that the code gives out is explained."""

import ast
import json
import pathlib
import re
import time
from urllib.parse import urlencode

import pytest
from django.conf import settings as house

from config import demo, launcher
from payments.clients import signing
from payments.clients.models import new_webhook_secret
from payments.outbox import signing as webhooks
from payments.wire.parsers import parse_object

ROOT = pathlib.Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DOCS = "\n".join(page.read_text() for page in (ROOT / "docs").rglob("*.md"))
PARTNER_ORDERS = (ROOT / "docs" / "api" / "partner_orders.md").read_text()
CHECKOUT = (ROOT / "docs" / "api" / "checkout.md").read_text()
WEBHOOKS = (ROOT / "docs" / "api" / "webhooks.md").read_text()
SECRET = demo.CLIENTS["checkout"].secret
ROOMS = ("payments", "checkout", "partner_orders", "english_app")
ENGLISH_APP = (ROOT / "docs" / "api" / "english_app.md").read_text()
RETURNED = {
    "out_trade_no": "20111111111",
    "client_pay_id": "",
    "bb_trade_no": "2018061530000035",
    "status": "pay_finished",
    "total_amount": "2144.00",
}


def name(page):
    return str(page.relative_to(ROOT))


def fences(text, language=""):
    """Return the contents of the fenced blocks of `language`."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for of, block in blocks if of == language]


def pictures(text):
    return re.findall(r"docs/images/[\w.-]+\.png", text)


def prose(page):
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def error_codes():
    """Return every code that an error class has or that the exception handler gives to others' errors."""
    sources = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    ours = "\n".join(path.read_text() for path in sources if "simulator" not in path.parts)
    handler = (ROOT / "payments" / "wire" / "refusals.py").read_text()
    handler += (ROOT / "payments" / "wire" / "envelopes.py").read_text()
    return {
        *re.findall(r'^    code = "(\w+)"$', ours, re.MULTILINE),
        *re.findall(r'code, message = "(\w+)"', handler),
        *re.findall(r'code="(\w+)"', handler),
        *re.findall(r'else "(\w+_field)"', handler),
    }


def environment(path):
    """Return the variables that a settings module reads through `env`."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    of_env = [call for call in calls if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "env"]
    return {call.args[0].value for call in of_env if call.func.attr != "read_env"}


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_readme_prints_the_snippet_that_demo_data_prints(readme, settings):
    settings.BASE_URL = f"http://127.0.0.1:{launcher.WEB_PORT}"

    assert f"{demo.first_order_curl()}\n" in fences((ROOT / readme).read_text(), "sh")


def test_both_readmes_show_the_same_commands_and_pictures():
    english, chinese = ((ROOT / readme).read_text() for readme in ("README.md", "README.zh-CN.md"))

    assert fences(english, "sh") == fences(chinese, "sh")
    assert pictures(english) == [picture.replace(".zh-CN", "") for picture in pictures(chinese)]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if link.startswith(("http://", "https://")):
            continue
        path, _hash, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)

    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages_are_short(page):
    assert page.read_text().count("\n") <= 200, "a page over 200 lines is two pages"


def test_pictures_are_small():
    sizes = {picture.name: picture.stat().st_size for picture in (ROOT / "docs" / "images").glob("*.png")}

    assert sizes
    assert not {picture: size for picture, size in sizes.items() if size > 200_000}


@pytest.mark.parametrize(
    ("page", "holds", "family"),
    [
        (CHECKOUT, '"timestamp": "1529035200"', "checkout"),
        (PARTNER_ORDERS, '"coupon_id": "", ', "partner_orders"),
        (ENGLISH_APP, '"timestamp": "1529035200"', "english_app"),
    ],
    ids=["checkout", "partner orders", "english app"],
)
def test_the_sign_example_is_what_the_code_computes(page, holds, family):
    example = next(block for block in fences(page, "json") if holds in block)
    params, secret = parse_object(example.encode()), demo.CLIENTS[family].secret

    assert f"{signing.canonical(params=params, secret=secret)}\n" in fences(page)
    for sign_type in ("MD5", "HMAC-SHA256"):
        assert f"| `{sign_type}` | `{signing.sign(params=params, secret=secret, sign_type=sign_type)}` |" in page


SIGNED_CURLS = [block for page in PAGES for block in fences(page.read_text(), "sh") if "sign=$(" in block]


@pytest.mark.parametrize("curl", sorted(set(SIGNED_CURLS)), ids=lambda curl: re.search(r"8000(\S+)", curl)[1])
def test_a_curl_signs_what_it_sends(curl):
    shell = {"$no": "T1529035200", "$now": "1529035200", "$sign": "{sign}"}

    def filled(text):
        return re.sub(r"\$(?:now|no|sign)", lambda found: shell[found[0]], text.replace("'", ""))

    text = filled(re.search(r'printf %s "(.*?)"', curl)[1])
    whole = re.search(r"-d '({.*})'$", curl, re.MULTILINE)
    form = dict(field.split("=", 1) for field in re.findall(r"-d (\w+=\S*)", curl))
    params = parse_object(filled(whole[1]).encode()) if whole else form

    assert text == signing.canonical(params=params, secret=text.rpartition("&key=")[2])
    assert text.rpartition("&key=")[2] in {client.secret for client in demo.CLIENTS.values()}


@pytest.mark.parametrize(
    ("changes", "seconds_ago", "proven"),
    [({}, 0, True), ({"total_amount": "2145.00"}, 0, False), ({"sign": ""}, 0, False), ({}, 600, False)],
)
def test_the_return_snippet_believes_a_fresh_right_sign_alone(changes, seconds_ago, proven):
    scope = {}
    exec(fences(CHECKOUT, "python")[0], scope)
    told = {**RETURNED, "timestamp": str(int(time.time()) - seconds_ago)}
    told["sign"] = signing.sign(params=told, secret=SECRET, sign_type="MD5")

    url = f"https://www.example.com/?mine=1&{urlencode(told | changes)}"

    assert scope["proven"](url, SECRET) is proven


@pytest.mark.parametrize("snippet", fences(WEBHOOKS, "python"), ids=["hmac", "library"])
@pytest.mark.parametrize(
    ("change", "seconds_ago", "ours"),
    [("", 0, True), (" ", 0, False), ("", 600, False)],
)
def test_the_webhook_snippets_believe_a_fresh_right_signature_alone(snippet, change, seconds_ago, ours):
    scope = {}
    exec(snippet, scope)
    old, new, body = new_webhook_secret(), new_webhook_secret(), fences(WEBHOOKS, "json")[0].strip()

    headers = webhooks.headers(
        uid="evt_1", timestamp=int(time.time()) - seconds_ago, body=body, secrets=[new, old]
    )  # fmt: skip

    assert [scope["is_ours"](secret, headers, (body + change).encode()) for secret in (old, new)] == [ours, ours]
    assert not scope["is_ours"](new_webhook_secret(), headers, body.encode())


@pytest.mark.parametrize("example", fences(DOCS, "json"))
def test_json_examples_can_be_read(example):
    for line in [example] if example.startswith("{\n") or "\n " in example else example.splitlines():
        json.loads(line.replace("{…}", "{}"))


def test_every_error_code_is_explained():
    assert {code for code in error_codes() if f"`{code}`" not in DOCS} == set()


def test_error_codes_are_found_wherever_they_are_given():
    of_classes = {"number_reused", "sign_wrong", "grant_no_reused", "too_deep", "gateway_busy"}
    of_the_handler = {"slow_down", "internal_error", "missing_field", "invalid_field", "unknown_path", "try_again"}

    assert of_classes | of_the_handler <= error_codes()


def test_every_environment_variable_is_explained():
    explained = (ROOT / "docs" / "operations" / "environment.md").read_text()
    variables = environment(ROOT / "config" / "settings.py")

    assert {"DATABASE_URL", "ONETILL_ENV"} <= variables
    assert {variable for variable in variables if f"| `{variable}` |" not in explained} == set()


def test_the_table_of_jobs_is_the_schedule():
    operations = (ROOT / "docs" / "operations.md").read_text()
    written = re.findall(r"^\| `(\w+\.\w+)` \| (\d+) (s|h) \|", operations, re.MULTILINE)
    seconds = {"s": 1, "h": 3_600}

    assert {task: int(every) * seconds[unit] for task, every, unit in written} == {
        entry["task"]: entry["schedule"] for entry in house.CELERY_BEAT_SCHEDULE.values()
    }
