"""Calling document 002's addresses as the app does: a form, or JSON, signed and without a token; those around it."""

import urllib.parse

from payments.clients import signing
from tests.calls import body
from tests.calls import signed as stamped
from tests.world import SECRET, TOKEN

PAY_PATH = "/app/partner/order/pay"
WAYS = ("GET", "json", "form")


def signed(params, *, secret=SECRET):
    """Return `params` with the sign of document 002, which knows no timestamp."""
    texts = {name: str(value) if type(value) is int else value for name, value in params.items()}
    return {**params, "sign": signing.sign(params=texts, secret=secret, sign_type="MD5")}


def post(client, path, params, *, form=False, token="", **extra):
    """POST `params` as they are and return status and JSON."""
    headers = {"authorization": f"Token {token}"} if token else {}
    data = urllib.parse.urlencode(params) if form else body(params)
    content_type = "application/x-www-form-urlencoded" if form else "application/json"
    response = client.post(
        path, data=data, content_type=content_type, headers=headers | extra.pop("headers", {}), **extra
    )
    return response.status_code, response.json()


def get(client, path, params, *, token=TOKEN):
    """GET with `params` as they are and return status and JSON."""
    response = client.get(path, params, headers={"authorization": f"Token {token}"} if token else {})
    return response.status_code, response.json()


def call(client, path, params, *, way="json", token=TOKEN, secret=SECRET, **extra):
    """Call one of the addresses around document 002's: token, timestamp and sign."""
    sent = stamped(params, secret=secret)
    if way == "GET":
        return get(client, path, sent, token=token)
    return post(client, path, sent, form=way == "form", token=token, **extra)


def result(client, path, params, **how):
    """Make a call that must be answered, and return its result."""
    status, answer = call(client, path, params, **how)
    assert (status, {**answer, "result": {}}) == (200, {"code": 1, "errors": {}, "msg": "操作成功", "result": {}}), (
        answer
    )
    return answer["result"]
