"""
One JSON object per line on stderr: what happened, for which request or task, without secrets.

Whoever knows the client or the order of a request says so with `structlog.contextvars.bind_contextvars(client=…,
order=…)`; it is on every later line and on the access line. The request id travels with every task it wakes.
"""

import logging.config
import re
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from celery.signals import before_task_publish, setup_logging, task_postrun, task_prerun
from django.core.cache import cache
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.encoding import escape_uri_path
from prometheus_client import Histogram
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from payments.redaction import redact

REQUEST_ID = re.compile(r"[0-9A-Za-z_-]{8,36}")
REQUEST_ID_HEADER = "onetill_request_id"
QUIET_PATHS = ("/healthz", "/readyz", "/metrics", "/static/")
# Libraries that say too much: whole URLs with their signs, or what our own line says already.
LEVELS = {
    "axes": "ERROR",
    "django.request": "ERROR",
    "httpx": "WARNING",
    "httpcore": "WARNING",
    "celery.worker.strategy": "WARNING",
    "celery.app.trace": "ERROR",
    "celery.beat": "WARNING",
}
LAST_RUN_KEY = "last_run:{}"

log = structlog.get_logger("onetill")
REQUEST_SECONDS = Histogram(
    "onetill_http_request_seconds",
    "Seconds from request to answer.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


# One list for good: a logger that was used once holds on to the list that it found.
_PROCESSORS: list[structlog.typing.Processor] = []


def configure(options: dict[str, Any]) -> None:
    """Set up structlog and the standard library alike. `options`: level, and json (else coloured, for people)."""
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    _PROCESSORS[:] = [
        structlog.stdlib.filter_by_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        *before,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ]
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": before,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, _renderer(options["json"])],
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": formatter},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": options["level"]},
            "loggers": {
                **{name: {"level": level} for name, level in LEVELS.items()},
                "django": {"handlers": [], "propagate": True},
                "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            },
        }
    )


def _renderer(json: bool) -> structlog.typing.Processor:  # noqa: FBT001
    if json:
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


class RequestIdMiddleware:
    """Gives every request an id, one line and one measurement. Outermost, so that it sees the final answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        given = request.headers.get("X-Request-ID", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = request_id
            self._leave_trace(request, response, seconds=time.perf_counter() - started)
        finally:
            clear_contextvars()
        return response

    @staticmethod
    def _leave_trace(request: HttpRequest, response: HttpResponseBase, *, seconds: float) -> None:
        route = request.resolver_match.route if request.resolver_match else ""
        REQUEST_SECONDS.labels(_method(request), route, response.status_code).observe(seconds)
        write = log.debug if request.path.startswith(QUIET_PATHS) else log.info
        # Never the query string: login codes and signs stand in it.
        path = escape_uri_path(request.path)
        write("request", method=request.method, path=path, status=response.status_code, ms=round(seconds * 1000, 1))


def _method(request: HttpRequest) -> str:
    """A caller may invent methods; a metric may not have endless labels."""
    return request.method if request.method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"


@setup_logging.connect
def leave_logging_alone(**_kwargs: Any) -> None:
    """Celery sets up no logging of its own when somebody answers this signal."""


@before_task_publish.connect
def send_request_id(headers: dict[str, Any], **_kwargs: Any) -> None:
    if request_id := get_contextvars().get("request_id"):
        headers[REQUEST_ID_HEADER] = request_id


@task_prerun.connect
def name_the_task(task_id: str, task: Any, **_kwargs: Any) -> None:
    clear_contextvars()
    request_id = getattr(task.request, REQUEST_ID_HEADER, None)
    bind_contextvars(task=task.name, task_id=task_id, **({"request_id": request_id} if request_id else {}))
    task.request.started_at = time.perf_counter()


@task_postrun.connect
def close_the_task(task: Any, state: str | None = None, **_kwargs: Any) -> None:
    ms = round((time.perf_counter() - task.request.started_at) * 1000, 1)
    log.info("task", state=state, ms=ms)
    if state == "SUCCESS":
        _remember_run(task.name)
    clear_contextvars()


def _remember_run(task: str) -> None:
    """Leave the time for /metrics. A cache that is down costs the metric, never the task."""
    try:
        cache.set(LAST_RUN_KEY.format(task), int(time.time()), timeout=None)
    except Exception as error:  # noqa: BLE001
        log.debug("last_run_not_kept", error=type(error).__name__)
