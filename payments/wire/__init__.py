"""
The edge of every API: what comes in is read strictly, what goes out is enveloped, every error has one way out.

Views have their own door, `payments.wire.views`: rest_framework's views import this module for their settings.
"""

from payments.wire.encoding import WireNumber, encode
from payments.wire.envelopes import ENVELOPES, Envelope, EnvelopeRenderer, Refusal, unknown_path
from payments.wire.fields import (
    IdField,
    LineField,
    ObjectListField,
    TextField,
    TimestampField,
    UnreadableTimestamp,
    WholeNumberField,
    YuanField,
    clock,
    read_timestamp,
    web_host,
)
from payments.wire.forms import FORM_PARSERS, parameters
from payments.wire.pages import CursorPagination
from payments.wire.parsers import StrictJSONParser
from payments.wire.refusals import exception_handler

__all__ = [
    "ENVELOPES",
    "FORM_PARSERS",
    "CursorPagination",
    "Envelope",
    "EnvelopeRenderer",
    "IdField",
    "LineField",
    "ObjectListField",
    "Refusal",
    "StrictJSONParser",
    "TextField",
    "TimestampField",
    "UnreadableTimestamp",
    "WholeNumberField",
    "WireNumber",
    "YuanField",
    "clock",
    "encode",
    "exception_handler",
    "parameters",
    "read_timestamp",
    "unknown_path",
    "web_host",
]
