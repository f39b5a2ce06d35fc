"""Lists by cursor: page 10,000 costs what page 1 costs."""

import base64
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DataError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from rest_framework.pagination import Cursor
from rest_framework.pagination import CursorPagination as RestCursorPagination
from rest_framework.request import Request

from payments.errors import Malformed
from payments.wire.encoding import encode
from payments.wire.forms import parameters

_SIZE = re.compile(r"[0-9]{1,4}")


class UnreadableCursor(Malformed):
    code = "unreadable_cursor"
    message = _("This is no cursor of ours. Follow `next` and `previous` as they are given.")


class UnreadablePageSize(Malformed):
    code = "invalid_field"
    message = _("Send a whole number from 1 to %(most)s.")


class CursorPagination(RestCursorPagination):
    """
    Newest first, by a column that is unique: a view may set another ordering, which must be unique as a whole.

    A cursor is a row, told by all columns of the ordering, and a page is what lies beyond it. rest_framework's own
    tells the first column alone and counts off rows that are equal in it, so that an insert can shift its pages.
    """

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    _next: str | None  # positions
    _previous: str | None

    def get_page_size(self, request: Request) -> int:
        given = parameters(request).get(self.page_size_query_param)
        if given is None:
            return self.page_size
        if not isinstance(given, str) or not _SIZE.fullmatch(given) or not 1 <= int(given) <= self.max_page_size:
            raise UnreadablePageSize(field=self.page_size_query_param, most=self.max_page_size)
        return int(given)

    def decode_cursor(self, request: Request) -> Cursor | None:
        given = parameters(request).get(self.cursor_query_param)
        if given is None:
            return None
        try:
            told = parse_qs(base64.b64decode(given.encode("ascii")).decode("ascii"), keep_blank_values=True)
            is_reverse = bool(int(told.get("r", ["0"])[0]))
            position: Any = told.get("p", [None])[0]  # text; the stubs say a number
        except (AttributeError, ValueError):  # the first, where the body of a POST has no text there
            raise UnreadableCursor(field=self.cursor_query_param) from None
        return Cursor(offset=0, reverse=is_reverse, position=position)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        size = self.get_page_size(request)
        cursor = self.decode_cursor(request) or Cursor(offset=0, reverse=False, position=None)
        ordering = self.get_ordering(request, queryset, view)
        if cursor.reverse:
            ordering = tuple(_opposite(column) for column in ordering)
        position: Any = cursor.position
        try:
            if position is not None:
                queryset = queryset.filter(self.beyond(ordering, position.split(",")))
            rows = list(queryset.order_by(*ordering)[: size + 1])
        except (ValueError, ValidationError, DataError):  # a position that is none, in a cursor that somebody made up
            raise UnreadableCursor(field=self.cursor_query_param) from None
        self.base_url = settings.BASE_URL + _address_of(request)  # the Host is whatever the caller says it is
        page = rows[:size]
        onward = _position_of(page[-1], ordering) if len(rows) > size else None
        back = position if position is None or not page else _position_of(page[0], ordering)
        self._next, self._previous = (back, onward) if cursor.reverse else (onward, back)
        return page[::-1] if cursor.reverse else page

    def beyond(self, ordering: Sequence[str], position: Sequence[str]) -> Q:
        """
        Return the condition for rows that come after `position` in `ordering`.

        :raises ValueError: if the position is not one of this ordering
        """
        first = ordering[0]
        found, equal = Q(), Q()
        for column, value in zip(ordering, position, strict=True):
            name, comparison = column.lstrip("-"), "lt" if column.startswith("-") else "gt"
            found |= equal & Q(**{f"{name}__{comparison}": value})
            equal &= Q(**{name: value})
        bound = "lte" if first.startswith("-") else "gte"
        return Q(**{f"{first.lstrip('-')}__{bound}": position[0]}) & found  # the bound is what an index can take

    def _link(self, position: Any, *, reverse: bool) -> str | None:
        cursor = Cursor(offset=0, reverse=reverse, position=position)
        return None if position is None else _unsigned(self.encode_cursor(cursor))

    def links_and(self, results: list[Any]) -> dict[str, Any]:
        return {
            "results": results,
            "next": self._link(self._next, reverse=False),
            "previous": self._link(self._previous, reverse=True),
        }


def _address_of(request: Request) -> str:
    """Return the address that a GET with the same parameters has: links lead on from a POST by GET, too."""
    address: str = request.get_full_path()
    if request.method in {"GET", "HEAD"}:
        return address
    given = {name: value for name, value in parameters(request).items() if value is not None}
    texts = {name: value if isinstance(value, str) else encode(value) for name, value in given.items()}
    return f"{address.partition('?')[0]}?{urlencode(texts)}"


def _position_of(row: Any, ordering: Sequence[str]) -> str:
    """Return what a cursor says of a row."""
    return ",".join(str(getattr(row, column.lstrip("-"))) for column in ordering)


def _opposite(column: str) -> str:
    return column.removeprefix("-") if column.startswith("-") else f"-{column}"


def _unsigned(link: str) -> str:
    """Take this call's time and sign off a link: the next call has its own."""
    parts = urlsplit(link)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in {"timestamp", "sign"}]
    return urlunsplit(parts._replace(query=urlencode(query)))
