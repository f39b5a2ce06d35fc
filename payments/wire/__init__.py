"""
The edge of every API: what comes in is read strictly, what goes out is enveloped, every error has one way out.

Views have their own door, `payments.wire.views`: rest_framework's views import this module for their settings.
"""

from payments.wire.encoding import WireNumber, encode
from payments.wire.envelopes import ENVELOPES, Envelope, EnvelopeRenderer, Refusal, unknown_path
from payments.wire.fields import IdField, TextField, TimestampField, UnreadableTimestamp, YuanField, read_timestamp
from payments.wire.pages import CursorPagination
from payments.wire.parsers import StrictJSONParser, parameters
from payments.wire.refusals import exception_handler

__all__ = [
    "ENVELOPES",
    "CursorPagination",
    "Envelope",
    "EnvelopeRenderer",
    "IdField",
    "Refusal",
    "StrictJSONParser",
    "TextField",
    "TimestampField",
    "UnreadableTimestamp",
    "WireNumber",
    "YuanField",
    "encode",
    "exception_handler",
    "parameters",
    "read_timestamp",
    "unknown_path",
]
