"""Calls of the API pass by what only pages need; pages keep all of it."""

import json

import pytest

pytestmark = pytest.mark.django_db


def test_a_call_is_answered_in_the_language_it_accepts(client):
    answers = [
        client.post(
            "/api/checkout/pay/", data="{}", content_type="application/json", headers={"accept-language": language}
        )
        for language in ("en", "zh-CN", "")
    ]

    sentences = [json.loads(answer.content)["result_message"] for answer in answers]
    assert sentences[0] == "Send your token as Authorization: Token <token>."
    assert sentences[1] == sentences[2] != sentences[0]


def test_the_language_of_one_call_is_not_that_of_the_next(client):
    client.get("/healthz", headers={"accept-language": "en"})

    answer = client.post("/api/checkout/pay/", data="{}", content_type="application/json")

    assert "Send your token" not in answer.json()["result_message"]


def test_a_call_sets_no_cookie_and_asks_for_no_page_to_be_shown(client):
    answer = client.post("/api/checkout/pay/", data="{}", content_type="application/json")

    assert not answer.cookies
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_a_page_has_its_session_and_policies(client):
    answer = client.get("/admin/login/")

    assert "csrftoken" in answer.cookies
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.wsgi_request.session is not None
