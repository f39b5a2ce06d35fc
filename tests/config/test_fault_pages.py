import pytest
from django.test import Client

from config import health
from config.fault_pages import SENTENCE

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("accept", "page"),
    [("text/html", f"<!doctype html>\n<title>500</title>\n<p>{SENTENCE}</p>\n"), ("", f"{SENTENCE}\n")],
)
def test_with_debug_on_a_fault_tells_the_log_alone(settings, monkeypatch, caplog, accept, page):
    def fail():
        raise RuntimeError("a canary died")

    settings.DEBUG = True
    monkeypatch.setattr(health, "_redis", fail)

    response = Client(raise_request_exception=False).get("/readyz", headers={"accept": accept, "x-canary": "sings"})

    assert (response.status_code, response.content.decode()) == (500, page)
    assert response["X-Request-ID"]
    assert "RuntimeError: a canary died" in caplog.text
