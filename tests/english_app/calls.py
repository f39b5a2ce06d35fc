"""Calling document 004's addresses as its app does: GET or POST, JSON or a form; with a token, or timed and signed."""

import json
import urllib.parse

from tests.calls import body, signed
from tests.world import SECRET

TOKEN = "english-token"
WAYS = ("GET", "json", "form", "multipart")
LISTS = ("payWay", "lists")
FORM = "application/x-www-form-urlencoded"


def path_of(name):
    return f"/english/order/{name}"


def flat(params):
    """Return `params` as a form or a query string has them: texts, a list as the text of its JSON."""
    return {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
        for name, value in params.items()
        if value is not None
    }


def stamped(params, *, way="json", secret=SECRET, **how):
    """Return `params` with timestamp and sign, signed as they are sent."""
    return signed(params if way == "json" else flat(params), secret=secret, **how)


def send(client, name, params, *, way="json", token=TOKEN, slash="", headers=None, **extra):
    """Send `params` as they are and return the response."""
    headers = ({"authorization": f"Token {token}"} if token else {}) | (headers or {})
    path, how = path_of(name) + slash, {"headers": headers, **extra}
    if way == "json":
        return client.post(path, body(params), content_type="application/json", **how)
    texts = flat(params)
    if way == "GET":
        return client.get(path, texts, **how)
    if way == "multipart":
        return client.post(path, texts, **how)
    return client.post(path, urllib.parse.urlencode(texts), content_type=FORM, **how)


def data(client, name, params, **how):
    """Make a call that must be answered and return its `data`."""
    response = send(client, name, params, **how)
    answer = response.json()
    assert (response.status_code, list(answer)) == (200, ["code", "msg", "data"]), answer
    assert (answer["code"], answer["msg"]) == (0, "ok")
    return answer["data"]
