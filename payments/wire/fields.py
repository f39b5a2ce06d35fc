"""Fields of what comes in. A number on the wire is text (`WireNumber`), so that nothing is lost before it is judged."""

import datetime
import re
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.settings import api_settings

from payments.errors import Malformed
from payments.money import NotAnAmount, fen_from_yuan, yuan_text
from payments.wire.encoding import WireNumber
from payments.wire.parsers import MalformedJSON, parse_json

SHANGHAI = ZoneInfo("Asia/Shanghai")
ID_LENGTH_MAX = 64
OBJECTS_MAX = 100
_DIGITS = re.compile(r"[0-9]+")
_SECONDS = re.compile(r"[0-9]{9,10}")
_MILLISECONDS = re.compile(r"[0-9]{12,13}")
_WHOLE = re.compile(r"[0-9]{1,9}")
_OFF_THE_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
_CLOCK = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


class TextField(serializers.CharField):
    """
    Text as it was sent, nothing trimmed. A plain whole number counts as its text; no other type does.

    With a `default` it may also be empty or null, which both mean "".
    """

    def __init__(self, **kwargs: Any) -> None:
        self.empty_is_fine = "default" in kwargs
        if self.empty_is_fine:
            kwargs.setdefault("allow_blank", True)
            kwargs.setdefault("allow_null", True)
        super().__init__(trim_whitespace=False, **kwargs)

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation("" if data is None and self.empty_is_fine else data)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or (isinstance(data, WireNumber) and not _DIGITS.fullmatch(data)):
            self.fail("invalid")
        return str(data)


class IdField(TextField):
    """An id documented as int: `442090` and `"442090"` alike, as text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": ID_LENGTH_MAX, **kwargs})


class LineField(TextField):
    """Text that people read: one line, not blank, no control characters."""

    default_error_messages = {"off_the_line": _("Send one line of text without control characters.")}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not text.strip():
            self.fail("blank")
        if _OFF_THE_LINE.search(text):
            self.fail("off_the_line")
        return text


class WholeNumberField(serializers.IntegerField):
    """A whole number or its plain digits as text: no sign, no fraction, no digits of other scripts."""

    default_error_messages = {"invalid": _("Send a whole number of at most 9 digits, without a sign.")}

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, str) or not _WHOLE.fullmatch(data):
            self.fail("invalid")
        return int(data)


@extend_schema_field({"type": "number", "minimum": 0, "multipleOf": 0.01, "maximum": 999_999_999_999})
class YuanField(serializers.Field[int, Any, str, int]):
    """Yuan, a number or a numeric string, as fen. The rule is `payments.money.fen_from_yuan`'s."""

    default_error_messages = {
        "invalid": _("Send yuan as a number of at most 12 digits, two of them decimals; no sign, no exponent.")
    }

    def to_internal_value(self, data: Any) -> int:
        try:
            return fen_from_yuan(data if isinstance(data, str) else "")
        except NotAnAmount:
            self.fail("invalid")

    def to_representation(self, value: int) -> str:
        return yuan_text(value)


class ObjectListField(serializers.ListField):
    """
    A list of objects, at least one and at most 100, each read by the serializer `child`.

    Forms and query strings have texts alone: the text of the same JSON, read as strictly, counts as the list.
    """

    default_error_messages = {
        "not_a_list": _("Send a list of objects, as JSON."),
        "empty": _("Send at least one entry."),
        "max_length": _("Send at most {max_length} entries."),
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_empty=False, max_length=OBJECTS_MAX, **kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, str):
            data = self._read(data) if data else []
        if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
            self.fail("not_a_list")
        if len(data) > OBJECTS_MAX:  # before thousands of entries are each told what they lack
            self.fail("max_length", max_length=OBJECTS_MAX)
        entries: list[Any] = super().to_internal_value(data)
        return entries

    def _read(self, text: str) -> Any:
        try:
            return parse_json(text)
        except MalformedJSON:
            self.fail("not_a_list")
        except Malformed as error:
            path = error.field or api_settings.NON_FIELD_ERRORS_KEY
            raise serializers.ValidationError({path: [error.sentence()]}) from None


class UnreadableTimestamp(ValueError):
    """The value is none of the three forms of CONTRACTS."""


def read_timestamp(value: Any) -> datetime.datetime:
    """
    Read Unix seconds, Unix milliseconds, or `YYYY-MM-DD HH:MM:SS` in Asia/Shanghai, number or text.

    :raises UnreadableTimestamp: for anything else
    """
    text = value if isinstance(value, str) else ""
    if _CLOCK.fullmatch(text):
        try:
            return datetime.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
        except ValueError:
            raise UnreadableTimestamp(text) from None
    if _SECONDS.fullmatch(text):
        return datetime.datetime.fromtimestamp(int(text), datetime.UTC)
    if _MILLISECONDS.fullmatch(text):
        return datetime.datetime.fromtimestamp(int(text) // 1000, datetime.UTC)
    raise UnreadableTimestamp(text)


@extend_schema_field({"type": "string", "example": "2018-06-15 12:00:00"})
class TimestampField(serializers.Field[datetime.datetime, Any, str, datetime.datetime]):
    default_error_messages = {
        "invalid": _("Send Unix seconds, Unix milliseconds, or YYYY-MM-DD HH:MM:SS in Asia/Shanghai.")
    }

    def to_internal_value(self, data: Any) -> datetime.datetime:
        try:
            return read_timestamp(data)
        except UnreadableTimestamp:
            self.fail("invalid")

    def to_representation(self, value: datetime.datetime) -> str:
        return value.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def clock(at: datetime.datetime | None) -> str:
    """Return a time as the documents show it; an empty string where nothing has happened."""
    return TimestampField().to_representation(at) if at else ""


def web_host(url: str) -> str | None:
    """Return the host of an absolute http(s) URL; None where there is a user or password, or two readings."""
    if not url.isprintable() or "\\" in url or " " in url:
        return None
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises for a port that is none
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or parts.username is not None or parts.password is not None:
        return None
    return parts.hostname if url.startswith(f"{parts.scheme}://") else None
