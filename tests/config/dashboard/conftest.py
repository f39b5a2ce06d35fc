"""Nobody else's numbers in the cache, and a house without Redis."""

import pytest
from django.core.cache import cache

from payments.gateways import calls, memory


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    memory.forget_everything()
    cache.clear()
    monkeypatch.setattr(calls, "_resumes_at", 0.0)


@pytest.fixture
def redis_down(settings):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
