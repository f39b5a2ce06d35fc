"""
What comes in, read strictly: a body that two readers could read differently is refused.

A sign covers the parameters, so a name given twice, or a number that reads as another one, would be a way around it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework.parsers import BaseParser

from payments.errors import Malformed
from payments.wire.encoding import WireNumber

NAME_SHOWN_MAX = 64
# Only an escape can bring in a NUL or half a pair. A body with none of these, and with few brackets, needs no walk.
_SUSPECT = re.compile(r"\\u|NaN|Infinity")


class TooLarge(Malformed):
    code = "too_large"
    message = _("The body is larger than %(limit)s bytes. Send less.")


class CutShort(Malformed):
    """The connection broke off. What did come may be a whole body by chance, with less said than was meant."""

    code = "cut_short"
    message = _("The body is shorter than its Content-Length. Send it again, whole.")


class LengthMissing(Malformed):
    """WSGI hands over no body without a length, so a chunked one would silently read as empty."""

    status = 411
    code = "length_required"
    message = _("The body came in chunks. Send it in one piece, with a Content-Length.")


class NotUTF8(Malformed):
    code = "not_utf8"
    message = _("The body is not UTF-8. Send it encoded as UTF-8.")


class MalformedJSON(Malformed):
    code = "malformed_json"
    message = _("The body is not JSON (RFC 8259). Send one JSON object and nothing after it.")


class NotAnObject(Malformed):
    code = "not_an_object"
    message = _("The body is JSON but not an object. Send the parameters as one JSON object.")


class TooDeep(Malformed):
    code = "too_deep"
    message = _("Nested deeper than %(limit)s levels. Send it flatter.")


class DuplicateName(Malformed):
    code = "duplicate_name"
    message = _("The name stands twice in one object. Send it once.")


class NotANumber(Malformed):
    code = "not_a_number"
    message = _("NaN and Infinity are not JSON. Send a number.")


class UnusableText(Malformed):
    code = "unusable_text"
    message = _("The text holds a NUL or half a surrogate pair. Send whole characters.")


class StrictJSONParser(BaseParser):
    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        return parse_object(body_of(stream, parser_context))


def body_of(stream: IO[Any], parser_context: Mapping[str, Any] | None) -> bytes:
    """
    Return a body, whole.

    :raises TooLarge: past WIRE_BODY_BYTES_MAX
    :raises CutShort: where it ends before its Content-Length
    """
    limit = settings.WIRE_BODY_BYTES_MAX
    body: bytes = stream.read(limit + 1)  # Content-Length is the caller's word: the bytes are counted
    if len(body) > limit:
        raise TooLarge(limit=limit)
    if parser_context and len(body) < int(parser_context["request"].META.get("CONTENT_LENGTH") or 0):
        raise CutShort
    return body


def text_of(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise NotUTF8 from None


def parse_object(body: bytes) -> dict[str, Any]:
    """
    Read one JSON object. Numbers come out as `WireNumber`.

    :raises Malformed: one of this module's errors, with the field where one is to blame
    """
    value = parse_json(text_of(body))
    if not isinstance(value, dict):
        raise NotAnObject
    return value


def parse_json(text: str) -> Any:
    """
    Read one JSON value as `parse_object` does, of a parameter that holds JSON for example.

    :raises Malformed: one of this module's errors, with the path below the value where one is to blame
    """
    limit = settings.WIRE_DEPTH_MAX
    try:
        value = json.loads(
            text, parse_int=WireNumber, parse_float=WireNumber, parse_constant=_Constant, object_pairs_hook=unique
        )
    except RecursionError:
        raise TooDeep(limit=limit) from None
    except ValueError:
        raise MalformedJSON from None
    if _SUSPECT.search(text) or text.count("{") + text.count("[") > limit:
        _walk(value, limit=limit)
    return value


def flat(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """
    Return the pairs of a form or query string as a dict.

    :raises DuplicateName: for the first name that stands twice
    :raises UnusableText: for a name or value with a NUL in it
    """
    params = unique(pairs)
    _walk(params, limit=settings.WIRE_DEPTH_MAX)
    return params


def unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """
    Return the pairs as a dict.

    :raises DuplicateName: for the first name that stands twice
    """
    params: dict[str, Any] = {}
    for name, value in pairs:
        if name in params:
            raise DuplicateName(field=shown(name))
        params[name] = value
    return params


def shown(name: str) -> str:
    """Return a caller's name for a field, fit to be repeated in an answer."""
    return name[:NAME_SHOWN_MAX].encode(errors="replace").decode().replace("\0", "?")


class _Constant(str):
    """NaN or an Infinity, until the walk knows the field to blame."""

    __slots__ = ()


def _walk(value: Any, *, limit: int) -> None:
    """Look at every text and every depth, without recursion of our own."""
    rest: list[tuple[str, Any, int]] = [("", value, 1)]
    while rest:
        path, item, depth = rest.pop()
        if isinstance(item, _Constant):
            raise NotANumber(field=path)
        if isinstance(item, str):
            if not _is_usable(item):
                raise UnusableText(field=path)
            continue
        if not isinstance(item, dict | list):
            continue
        if depth > limit:
            raise TooDeep(field=path, limit=limit)
        pairs = item.items() if isinstance(item, dict) else enumerate(item)
        for name, child in pairs:
            below = f"{path}.{shown(str(name))}".lstrip(".")
            if not _is_usable(str(name)):
                raise UnusableText(field=below)
            rest.append((below, child, depth + 1))


def _is_usable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
