"""
Form bodies, for the documents that name no format, and query strings: read as strictly as JSON, into texts.

What browsers, curl, Postman and Apifox send is read. What lenient readers would each read in their own way (a stray
percent sign, a part without a name, a transfer encoding) is refused, as in `payments.wire.parsers`.
"""

import io
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any, NoReturn, cast
from urllib.parse import unquote_plus

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler
from django.http import QueryDict
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.http import parse_header_parameters
from django.utils.translation import gettext_lazy as _
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from payments.errors import Malformed
from payments.wire.parsers import LengthMissing, NotUTF8, body_of, flat, shown, text_of

UTF8 = {"utf-8", "utf8"}
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_TRANSFER_ENCODED = re.compile(
    rb"^\s*content-transfer-encoding:\s*+(?!(?:7bit|8bit|binary)\s)", re.IGNORECASE | re.MULTILINE
)


class MalformedForm(Malformed):
    code = "malformed_form"
    message = _("The form cannot be read. Send name=value pairs joined by &, with % and & in them percent-encoded.")


class MalformedParts(Malformed):
    code = "malformed_form"
    message = _("The form cannot be read. Send named parts from the first boundary to the last, none of them encoded.")


class TooManyFields(Malformed):
    code = "too_many_fields"
    message = _("There are more than %(limit)s fields in the form. Send fewer.")


class FileRefused(Malformed):
    code = "file_refused"
    message = _("No files are taken here. Send the field as text.")


class StrictFormParser(BaseParser):
    media_type = "application/x-www-form-urlencoded"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, str]:
        _options(media_type)
        return parse_form(body_of(stream, parser_context))


class StrictMultipartParser(BaseParser):
    media_type = "multipart/form-data"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, str]:
        boundary = _options(media_type).get("boundary", "")
        return parse_parts(body_of(stream, parser_context), boundary=boundary)


FORM_PARSERS = (StrictFormParser, StrictMultipartParser)


def parameters(request: Request) -> Mapping[str, Any]:
    """
    Return what the caller sent: the body or, where the method has none, the query string, which is a form.

    :raises Malformed: for what cannot be read in one way alone
    """
    if request.method not in {"GET", "HEAD"}:
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            raise LengthMissing
        return cast("Mapping[str, Any]", request.data or {})  # no body of a form is an empty QueryDict
    return parse_form(request.META.get("QUERY_STRING", "").encode("latin-1"))  # as WSGI has bytes


def parse_form(body: bytes) -> dict[str, str]:
    """
    Read `name=value` pairs. `+` is a space; `;` separates nothing; a name without `=` has the value "".

    :raises Malformed: one of this module's errors or of `payments.wire.parsers`, with the field where one is to blame
    """
    pieces = [piece for piece in text_of(body).split("&") if piece]
    _check_number(len(pieces))
    return flat(_pair(piece) for piece in pieces)


def _pair(piece: str) -> tuple[str, str]:
    written, _equals, value = piece.partition("=")
    if _STRAY_PERCENT.search(piece):
        raise MalformedForm(field=shown(written))
    try:
        return unquote_plus(written, errors="strict"), unquote_plus(value, errors="strict")
    except UnicodeDecodeError:
        raise NotUTF8(field=shown(written)) from None


def parse_parts(body: bytes, *, boundary: str) -> dict[str, str]:
    """
    Read the parts of `multipart/form-data`: the work is Django's, which skips what it cannot read, and we do not.

    :raises Malformed: one of this module's errors or of `payments.wire.parsers`, with the field where one is to blame
    """
    text_of(body)  # Django would put U+FFFD where it cannot decode
    separator = b"--" + boundary.encode(errors="replace")
    parts = body.strip(b"\r\n")
    number = parts.count(separator) - 1
    if not (boundary and parts.startswith(separator) and parts.endswith(separator + b"--")):
        raise MalformedParts
    _check_number(number)
    if _TRANSFER_ENCODED.search(parts):
        raise MalformedParts
    pairs = list(_parts(parts, boundary=boundary))
    if len(pairs) != number:
        raise MalformedParts
    return flat(pairs)


def _parts(body: bytes, *, boundary: str) -> Iterator[tuple[str, str]]:
    meta = {"CONTENT_TYPE": f'multipart/form-data; boundary="{boundary}"', "CONTENT_LENGTH": str(len(body))}
    try:
        fields: QueryDict = MultiPartParser(meta, io.BytesIO(body), [_NoFiles()]).parse()[0]
    except MultiPartParserError:
        raise MalformedParts from None
    return ((name, value) for name, values in fields.lists() for value in values)


class _NoFiles(FileUploadHandler):
    def new_file(self, field_name: str, *args: Any, **kwargs: Any) -> NoReturn:
        """:raises FileRefused: before a byte of the file is kept"""
        raise FileRefused(field=shown(field_name))

    def receive_data_chunk(self, raw_data: bytes, start: int) -> NoReturn:
        raise NotImplementedError

    def file_complete(self, file_size: int) -> NoReturn:
        raise NotImplementedError


def _check_number(number: int) -> None:
    limit = settings.WIRE_FORM_FIELDS_MAX
    if number > limit:
        raise TooManyFields(limit=limit)


def _options(media_type: str | None) -> dict[str, str]:
    """Return what stands beside the media type in a Content-Type."""
    try:
        options: dict[str, str] = parse_header_parameters(media_type or "")[1]
    except ValueError:
        raise MalformedParts from None
    if options.get("charset", "utf-8").lower() not in UTF8:
        raise NotUTF8
    return options
