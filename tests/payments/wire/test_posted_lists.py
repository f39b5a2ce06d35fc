"""A list that answers GET and POST alike takes cursor and page size where the other parameters are."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from payments import audit
from payments.transactions import transaction

pytestmark = [pytest.mark.urls("tests.payments.wire.urls"), pytest.mark.django_db]

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def rows():
    with transaction():
        for number in range(5):
            audit.record(actor="system", action="test", subject=f"row:{number}")


def posted(client, params, path="/partner/rows"):
    return client.post(path, json.dumps(params), content_type="application/json").json()


def subjects(result):
    return [row["subject"] for row in result["results"]]


def cursor_of(link):
    return parse_qs(urlsplit(link).query)["cursor"][0]


@pytest.mark.parametrize("size", [2, "2"])
def test_pages_are_asked_for_in_the_body(client, size):
    first = posted(client, {"page_size": size})["result"]
    second = posted(client, {"page_size": size, "cursor": cursor_of(first["next"])})["result"]
    back = posted(client, {"page_size": size, "cursor": cursor_of(second["previous"])})["result"]

    assert [subjects(page) for page in (first, second, back)] == [
        ["row:4", "row:3"],
        ["row:2", "row:1"],
        ["row:4", "row:3"],
    ]


def test_a_form_asks_for_pages_too(client):
    first = client.post("/partner/rows", "page_size=4", content_type=FORM).json()["result"]
    body = f"page_size=4&cursor={cursor_of(first['next']).replace('=', '%3D')}"

    second = client.post("/partner/rows", body, content_type=FORM).json()["result"]

    assert [subjects(first), subjects(second)] == [["row:4", "row:3", "row:2", "row:1"], ["row:0"]]


def test_a_link_leads_on_by_get_with_what_the_body_said(client, settings):
    sent = {"page_size": 2, "note": "刘 &", "flag": True, "none": None, "timestamp": 1529035200, "sign": "x"}

    link = posted(client, sent, path="/partner/rows/?page_size=3&cursor=%FF")["result"]["next"]

    assert link.startswith(f"{settings.BASE_URL}/partner/rows/?")
    assert parse_qs(urlsplit(link).query) | {"cursor": []} == {
        "page_size": ["2"], "note": ["刘 &"], "flag": ["true"], "cursor": []
    }  # fmt: skip
    assert subjects(client.get(link).json()["result"]) == ["row:2", "row:1"]


@pytest.mark.parametrize("size", [0, 201, "x", "", True, [2], {"a": 1}, 2.0])
def test_a_page_size_that_is_none_is_refused(client, size):
    answer = posted(client, {"page_size": size})

    assert (answer["error_code"], list(answer["errors"])) == ("invalid_field", ["page_size"])


@pytest.mark.parametrize("cursor", ["x", "刘", "cj14", 5, True, ["a"], {}])
def test_a_cursor_that_is_none_is_refused(client, cursor):
    answer = posted(client, {"cursor": cursor})

    assert (answer["error_code"], list(answer["errors"])) == ("unreadable_cursor", ["cursor"])


def test_null_and_nothing_are_the_first_page(client):
    answers = [posted(client, params) for params in ({}, {"cursor": None, "page_size": None}, {"cursor": ""})]

    assert [len(answer["result"]["results"]) for answer in answers] == [5, 5, 5]


def test_a_get_reads_its_query_string(client):
    link = client.get("/partner/rows?page_size=2&a=b").json()["result"]["next"]

    assert parse_qs(urlsplit(link).query).keys() == {"page_size", "a", "cursor"}
    assert subjects(client.get(link).json()["result"]) == ["row:2", "row:1"]
