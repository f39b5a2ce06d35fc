"""Is it alive, is it ready, how is it doing: for load balancers and Prometheus."""

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from config import metrics as house_metrics
from payments.clients.networks import caller

log = structlog.get_logger(__name__)


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process lives. Asks nobody: a database that is down is no reason to restart us."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """
    Whether this process can do its work: 200 or 503.

    Redis only makes things sooner (every due time is a row), so that without it we are degraded but ready.
    """
    checks = {"database": _database(), "migrations": _migrations(), "redis": _redis()}
    ready = checks["database"] == checks["migrations"] == "ok"
    status = "not_ready" if not ready else "ready" if checks["redis"] == "ok" else "degraded"
    return JsonResponse({"status": status, "checks": checks}, status=200 if ready else 503)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """
    Prometheus' text, for callers from METRICS_NETWORKS; to others there is no such page.

    Behind a proxy that TRUSTED_PROXIES does not name nobody can tell who asks: the proxy's own network is no answer.
    """
    asking = caller(request.META)
    if not (asking.is_plain and asking.is_in(settings.METRICS_NETWORKS)):
        raise Http404
    return HttpResponse(house_metrics.exposition(), content_type=CONTENT_TYPE_LATEST)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        log.warning("database_unreachable", error=type(error).__name__)
        return "unreachable"
    return "ok"


def _migrations() -> str:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return "unknown"
    return f"{len(missing)} to apply" if missing else "ok"


def _redis() -> str:
    try:
        cache.get("readyz")
    except Exception as error:  # noqa: BLE001  down, mute or refusing: the answer is the same
        log.warning("redis_unreachable", error=type(error).__name__)
        return "unreachable"
    return "ok"
