"""JSON with exact numbers, out and for the sign: yuan are Decimals or the caller's own text, never floats."""

from collections.abc import Mapping
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from django.utils.functional import Promise


class WireNumber(str):
    """A number as it stood in the JSON: `5.00` stays `5.00`, for the sign and for whoever reads an amount."""

    __slots__ = ()


def encode(value: Any, *, sort_keys: bool = False) -> str:
    """
    Return compact JSON, Chinese unescaped.

    :raises TypeError: for anything else than JSON's own types, Decimal and lazy text; a float is refused
    """
    if isinstance(value, Mapping):
        items = sorted(value.items()) if sort_keys else value.items()
        return "{" + ",".join(f"{encode_basestring(k)}:{encode(v, sort_keys=sort_keys)}" for k, v in items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(encode(item, sort_keys=sort_keys) for item in value) + "]"
    return _encode_scalar(value)


def _encode_scalar(value: Any) -> str:
    match value:
        case WireNumber():
            return str(value)
        case str() | Promise():
            return encode_basestring(str(value))
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case int():
            return int.__repr__(value)
        case Decimal():
            return format(value, "f")
    raise TypeError(f"{type(value).__name__} has no place on the wire")
