import pytest
from django.contrib.auth import get_user_model
from django.test import Client

pytestmark = pytest.mark.django_db

STRICT = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'",
    "connect-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
}  # fmt: skip
ADMIN = (STRICT - {"script-src 'self'", "style-src 'self'"}) | {
    "script-src 'self' 'unsafe-eval'", "style-src 'self' 'unsafe-inline'",
}  # fmt: skip
DOCS = (STRICT - {"style-src 'self'"}) | {"style-src 'self' 'unsafe-inline'"}


def policy(response):
    return set(response["Content-Security-Policy"].split("; "))


@pytest.mark.parametrize("path", ["/healthz", "/schema", "/nowhere", "/api_login/"])
def test_pages_are_strict(path):
    assert policy(Client().get(path)) == STRICT


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_the_api_pages_may_style_inline_and_no_more(path):
    response = Client().get(path)

    assert response.status_code == 200
    assert policy(response) == DOCS
    assert b"<script>" not in response.content


@pytest.mark.parametrize("path", ["/admin/login/", "/admin/", "/admin/payments/order/", "/admin/nowhere/"])
def test_the_admin_alone_may_evaluate(path):
    assert policy(Client().get(path)) == ADMIN


def test_the_admin_s_pages_too_once_logged_in(client):
    client.force_login(get_user_model().objects.create_superuser(username="boss"))

    response = client.get("/admin/payments/order/")

    assert response.status_code == 200
    assert policy(response) == ADMIN


def test_admin_without_its_slash_leads_there():
    assert Client().get("/admin")["Location"] == "/admin/"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/schema", "/docs"])
def test_a_path_answers_with_and_without_its_slash(path):
    assert Client().get(path).status_code == Client().get(f"{path}/").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/docs/", "/admin/login/", "/nowhere"])
def test_every_answer_names_its_request(path):
    assert len(Client().get(path)["X-Request-ID"]) == 32
