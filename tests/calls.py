"""Calling our API as a client's engineer would: JSON text, signed over the text that is sent."""

import json
import time

from payments.clients import signing
from tests.world import SECRET, TOKEN


class Text(str):
    """A JSON number as it stands on the wire: `Text("5.00")`."""

    __slots__ = ()


def body(params):
    """Return the JSON text of flat `params`, numbers as they are written."""
    pairs = ", ".join(
        f"{json.dumps(name)}: {value if isinstance(value, Text) else json.dumps(value, ensure_ascii=False)}"
        for name, value in params.items()
    )
    return f"{{{pairs}}}"


def signed(params, *, secret=SECRET, sign_type="MD5", timestamp=None):
    """Return `params` with timestamp and sign."""
    params = {**params, "timestamp": str(int(time.time())) if timestamp is None else timestamp}
    texts = {
        name: str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in params.items()
    }
    return {**params, "sign": signing.sign(params=texts, secret=secret, sign_type=sign_type)}


def post(client, path, params, *, token=TOKEN, **extra):
    """POST `params` as they are (sign them first) and return status and JSON."""
    headers = {"authorization": f"Token {token}"} if token else {}
    data = params if isinstance(params, str | bytes) else body(params)
    response = client.post(path, data=data, content_type="application/json", headers=headers, **extra)
    return response.status_code, response.json()
