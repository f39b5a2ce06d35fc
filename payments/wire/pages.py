"""Lists by cursor: page 10,000 costs what page 1 costs."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DataError
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor
from rest_framework.pagination import CursorPagination as RestCursorPagination
from rest_framework.request import Request

from payments.errors import Malformed


class UnreadableCursor(Malformed):
    code = "unreadable_cursor"
    message = _("This is no cursor of ours. Follow `next` and `previous` as they are given.")


class CursorPagination(RestCursorPagination):
    """Newest first, by a column that is unique: a view may set another ordering."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            return super().decode_cursor(request)
        except NotFound:
            raise UnreadableCursor(field=self.cursor_query_param) from None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        try:
            page: list[Any] | None = super().paginate_queryset(queryset, request, view)
        except (ValueError, ValidationError, DataError):  # a position that is none, in a cursor that somebody made up
            raise UnreadableCursor(field=self.cursor_query_param) from None
        self.base_url = settings.BASE_URL + request.get_full_path()  # the Host is whatever the caller says it is
        return page

    def links_and(self, results: list[Any]) -> dict[str, Any]:
        return {
            "results": results,
            "next": _unsigned(self.get_next_link()),
            "previous": _unsigned(self.get_previous_link()),
        }


def _unsigned(link: str | None) -> str | None:
    """Take this call's time and sign off a link: the next call has its own."""
    if link is None:
        return None
    parts = urlsplit(link)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in {"timestamp", "sign"}]
    return urlunsplit(parts._replace(query=urlencode(query)))
