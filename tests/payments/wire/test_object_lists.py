"""A parameter that is a list of objects: as JSON, or as the text of the same JSON in forms and query strings."""

import json
from urllib.parse import urlencode

import pytest

pytestmark = pytest.mark.urls("tests.payments.wire.urls")

PATH = "/english/goods"
LINES = '[{"good_id": 442090, "num": 2}, {"num": "3", "good_id": "m-1", "extra": [1.50]}]'
READ = [{"good_id": "442090", "num": 2}, {"good_id": "m-1", "num": 3}]


def as_json(client, text):
    return client.post(PATH, f'{{"goods_list": {text}}}', content_type="application/json")


def as_text_in_json(client, text):
    return as_json(client, json.dumps(text))


def as_form(client, text):
    return client.post(PATH, urlencode({"goods_list": text}), content_type="application/x-www-form-urlencoded")


def as_query(client, text):
    return client.get(PATH, {"goods_list": text})


texts = pytest.mark.parametrize("send", [as_text_in_json, as_form, as_query])
all_ways = pytest.mark.parametrize("send", [as_json, as_text_in_json, as_form, as_query])


def refused(answer):
    told = answer.json()
    assert (answer.status_code, told["code"], told["data"]) == (400, 400, None)
    return told["error_code"], told["msg"].partition(": ")[0]


@all_ways
def test_the_entries_are_read_one_by_one(client, send):
    assert send(client, LINES).json() == {"code": 0, "msg": "ok", "data": READ}


@all_ways
@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ('[{"good_id": 1, "num": "x"}]', "invalid_field", "goods_list.0.num"),
        ('[{"good_id": 1, "num": 1}, {"good_id": 1, "num": 1.0}]', "invalid_field", "goods_list.1.num"),
        ('[{"good_id": 1, "num": 1}, {"good_id": 1}]', "missing_field", "goods_list.1.num"),
        ('[{"good_id": true, "num": 1}]', "invalid_field", "goods_list.0.good_id"),
        ("[]", "missing_field", "goods_list"),
        ("{}", "invalid_field", "goods_list"),
        ("5", "invalid_field", "goods_list"),
        ("true", "invalid_field", "goods_list"),
        ("[[]]", "invalid_field", "goods_list"),
        ('[{"good_id": 1, "num": 1}, null]', "invalid_field", "goods_list"),
        ("[1.5]", "invalid_field", "goods_list"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(client, send, text, code, field):
    assert refused(send(client, text)) == (code, field)


@texts
@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("x", "goods_list"),
        ("[", "goods_list"),
        ("[] x", "goods_list"),
        ("[{'num': 1}]", "goods_list"),
        ('"[]"', "goods_list"),
        ("[" * 5_000, "goods_list"),
        ('[{"num": 1, "num": 2}]', "goods_list.num"),
        ('[{"num": 1, "\\u006eum": 2}]', "goods_list.num"),
        ('[{"num": NaN}]', "goods_list.0.num"),
        ('[{"good_id": "\\u0000"}]', "goods_list.0.good_id"),
        ('[{"good_id": "\\ud800"}]', "goods_list.0.good_id"),
        ('[{"deep": ' + "[" * 19 + "]" * 19 + "}]", "goods_list.0.deep" + ".0" * 18),
    ],
)
def test_a_text_is_read_as_strictly_as_a_body(client, send, text, field):
    assert refused(send(client, text)) == ("invalid_field", field)


@texts
def test_an_empty_text_is_an_empty_list(client, send):
    assert refused(send(client, "")) == ("missing_field", "goods_list")
    assert send(client, "").json() == send(client, "[]").json()


def test_a_list_that_is_not_sent_is_asked_for(client):
    assert refused(as_json(client, "null")) == ("missing_field", "goods_list")
    assert refused(client.get(PATH)) == ("missing_field", "goods_list")


@all_ways
def test_a_hundred_entries_are_read_and_one_more_is_refused_before_any_is_looked_at(client, send):
    entry = '{"good_id":1,"num":1}'

    assert len(send(client, f"[{','.join([entry] * 100)}]").json()["data"]) == 100
    assert refused(send(client, f"[{','.join(['{}'] * 101)}]")) == ("invalid_field", "goods_list")
