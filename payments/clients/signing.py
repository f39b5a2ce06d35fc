"""
The `sign` of our APIs (CONTRACTS, "Who calls"). Pure.

Every parameter but `sign` itself and empty values (null and ""; 0, false, [] and {} are not empty), sorted by name
and joined `name=value` with `&`, then `&key=<secret>`; of that the MD5 or, under the secret, the HMAC-SHA256, in hex.
A number counts as the text that stood in the JSON; a nested value as its JSON with sorted keys and no spaces.

Nothing is escaped, so that a name with `=` or `&` in it could stand for parameters that somebody else signed: no sign
fits such a name.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from payments.wire.encoding import encode

HMAC_SHA256 = "HMAC-SHA256"
SEPARATORS = frozenset("=&")


def canonical(*, params: Mapping[str, Any], secret: str) -> str:
    """Return the text that is digested. It ends with the secret: never log it."""
    # Code points sort as their UTF-8 bytes do.
    pairs = [
        f"{name}={_text(value)}"
        for name, value in sorted(params.items())
        if name != "sign" and value is not None and value != ""
    ]
    return "&".join([*pairs, f"key={secret}"])


def splittable(params: Mapping[str, Any]) -> str | None:
    """
    Return the name of a parameter whose value holds `&`; None if there is none.

    Such a value could be split into parameters that nobody signed, or have swallowed one that was, such as a timestamp:
    one sign fits both calls.
    """
    return next((name for name, value in params.items() if name != "sign" and "&" in _text(value)), None)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else encode(value, sort_keys=True)


def sign(*, params: Mapping[str, Any], secret: str, sign_type: str) -> str:
    """Return the sign in lower-case hex. `sign_type` is a client's: `MD5` or `HMAC-SHA256`."""
    text = canonical(params=params, secret=secret).encode()
    if sign_type == HMAC_SHA256:
        return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return hashlib.md5(text, usedforsecurity=False).hexdigest()  # what documents 000-002 ask for


def matches(*, given: Any, params: Mapping[str, Any], secret: str, sign_type: str) -> bool:
    """Whether `given` is the sign of `params`, in upper or lower case. Takes the same time wherever it differs."""
    if any(SEPARATORS.intersection(name) for name in params):
        return False
    expected = sign(params=params, secret=secret, sign_type=sign_type)
    return isinstance(given, str) and hmac.compare_digest(given.lower().encode(), expected.encode())
