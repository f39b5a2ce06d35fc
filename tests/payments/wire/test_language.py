"""A family whose document shows a language speaks it to everyone, in every answer; the others follow the caller."""

import re

import pytest
from django.utils import translation

from payments.wire import unknown_path
from tests.payments.wire.urls import PartnerPlainViewSet
from tests.world import TOKEN, make_client

pytestmark = [pytest.mark.urls("tests.payments.wire.urls"), pytest.mark.django_db]

CHINESE = re.compile(r"[\u4e00-\u9fff]")
FORM = "application/x-www-form-urlencoded"
TOKENED = {405: {"HTTP_AUTHORIZATION": f"Token {TOKEN}"}}


@pytest.fixture(params=["en", "fr, en;q=0.5", "zh-hans", None])
def accepts(request):
    return {} if request.param is None else {"HTTP_ACCEPT_LANGUAGE": request.param}


@pytest.mark.parametrize(
    ("status", "path", "method", "body"),
    [
        (400, "/partner/echo", "POST", b""),
        (400, "/partner/echo", "POST", b"total_amount=-1"),
        (400, "/partner/echo", "POST", b"{"),
        (401, "/partner/look", "POST", b""),
        (404, "/partner/nothing", "POST", b""),
        (405, "/partner/echo", "GET", b""),
        (405, "/partner/echo", "OPTIONS", b""),
        (429, "/partner/trouble/throttled", "POST", b""),
        (404, "/partner/trouble/not_found", "POST", b""),
        (500, "/partner/trouble/canary", "POST", b""),
        (400, "/partner/rows?page_size=0", "GET", b""),
    ],
)
def test_every_refusal_is_in_the_familys_language(client, accepts, status, path, method, body):
    content_type = "application/json" if body == b"{" else FORM
    answer = client.generic(method, path, body, content_type=content_type, **accepts)

    told = answer.json()
    assert answer.status_code == status
    assert CHINESE.search(told["msg"])
    assert all(CHINESE.search(sentence) for sentences in told["errors"].values() for sentence in sentences)
    assert answer["Content-Language"] == "zh-hans"


@pytest.mark.parametrize(
    ("status", "path", "method"),
    [
        (400, "/english/look", "POST"),
        (404, "/english/nothing", "POST"),
        (405, "/english/look", "PUT"),
        (500, "/english/trouble/canary", "POST"),
    ],
)
def test_document_004s_family_has_its_language_too(client, accepts, status, path, method):
    make_client(families=["english_app"], app_id=1)

    answer = client.generic(method, path, b"{}", content_type="application/json", **accepts, **TOKENED.get(status, {}))

    assert (answer.status_code, answer.json()["code"]) == (status, status)
    assert CHINESE.search(answer.json()["msg"])
    assert answer["Content-Language"] == "zh-hans"


def test_a_lazy_sentence_in_an_answer_is_in_the_familys_language(client, accepts):
    answer = client.get("/partner/lazy", **accepts)

    assert CHINESE.search(answer.json()["result"]["said"])
    assert answer["Content-Language"] == "zh-hans"


def test_a_family_without_a_language_answers_in_the_callers(client):
    def messages(path):
        return [client.post(path, HTTP_ACCEPT_LANGUAGE=language).json()["result_message"] for language in ("en", "zh")]

    for path in ("/plain/trouble/not_found", "/shop/nothing"):
        english, chinese = messages(path)
        assert not CHINESE.search(english)
        assert CHINESE.search(chinese)


def test_the_language_is_the_callers_again_after_the_call(rf):
    with translation.override("en"):
        PartnerPlainViewSet.as_view({"post": "echo"})(rf.post("/partner/echo"))
        unknown_path(rf.post("/partner/nothing"), family="partner_orders")

        assert translation.get_language() == "en"


def test_a_call_that_proves_nothing_is_told_so_in_the_familys_language(client):
    make_client(families=["partner_orders"], default_of="partner_orders")

    answer = client.post("/partner/pay", "total_amount=1&sign=x", content_type=FORM, HTTP_ACCEPT_LANGUAGE="en")

    assert (answer.status_code, answer.json()["error_code"]) == (401, "sign_wrong")
    assert CHINESE.search(answer.json()["msg"])
