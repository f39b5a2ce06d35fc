"""
Statements of the back-office are planned for what is asked each time.

What our processes ask again and again they prepare, and PostgreSQL then plans for any value. For a queue of five orders
among ten million that is the plan of a common status: it walks through the table, hoping to meet one soon.
"""

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase

BACK_OFFICE = "/admin/"


class PlannedByValue:
    """Prepares nothing for the pages of the back-office, whose values are few and far from alike."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(BACK_OFFICE):
            return self.get_response(request)
        with connection.execute_wrapper(_unprepared):
            return self.get_response(request)


def _unprepared(execute: Callable[..., Any], sql: str, parameters: Any, many: bool, context: dict[str, Any]) -> Any:  # noqa: FBT001  as Django calls it
    psycopg_connection = context["connection"].connection
    threshold, psycopg_connection.prepare_threshold = psycopg_connection.prepare_threshold, None
    try:
        return execute(sql, parameters, many, context)
    finally:
        psycopg_connection.prepare_threshold = threshold
