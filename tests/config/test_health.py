import json

import pytest
from django.core.cache import cache
from django.db import connection
from django.db.utils import OperationalError
from django.test import Client

pytestmark = pytest.mark.django_db

NOWHERE = "redis://127.0.0.1:1/0"  # nothing listens on port 1


@pytest.fixture
def redis_down(settings):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": NOWHERE}}


@pytest.fixture
def database_down(monkeypatch):
    def refuse(*args, **kwargs):
        raise OperationalError("connection refused to host db.internal, user till")

    monkeypatch.setattr(connection, "cursor", refuse)


def ready():
    response = Client().get("/readyz")
    return response.status_code, json.loads(response.content)


@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
def test_alive_asks_nobody(path, redis_down, database_down):
    response = Client().get(path)

    assert response.status_code == 200
    assert json.loads(response.content) == {"status": "ok"}
    assert "no-store" in response["Cache-Control"]


def test_ready_when_everything_answers():
    assert ready() == (200, {"status": "ready", "checks": {"database": "ok", "migrations": "ok", "redis": "ok"}})


def test_without_redis_degraded_but_ready(redis_down):
    status, body = ready()

    assert status == 200
    assert body == {"status": "degraded", "checks": {"database": "ok", "migrations": "ok", "redis": "unreachable"}}


def test_without_the_database_not_ready_and_nothing_told(database_down):
    status, body = ready()

    assert status == 503
    assert body["status"] == "not_ready"
    assert body["checks"]["database"] == "unreachable"
    assert "db.internal" not in json.dumps(body)


def test_a_missing_migration_is_not_ready():
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'checkout'")

    assert ready() == (
        503,
        {"status": "not_ready", "checks": {"database": "ok", "migrations": "1 to apply", "redis": "ok"}},
    )


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_cannot_be_posted_to(path):
    assert Client().post(path).status_code == 405


def test_the_cache_is_the_real_one():
    cache.set("probe", "1", timeout=5)

    assert cache.get("probe") == "1"
