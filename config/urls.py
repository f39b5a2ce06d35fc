"""Every address. Paths of the API answer with and without their last slash: a redirected POST would lose its body."""

from typing import Any

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from config import health, schema  # noqa: F401  importing schema registers what the families say of their calls
from config.start_page import StartView
from payments.admin.urls import urlpatterns as own_admin_patterns

# What unfold's Alpine and Swagger UI need beyond the strict policy, on their own pages alone.
ADMIN_POLICY = {"script-src": ["'unsafe-eval'"], "style-src": ["'unsafe-inline'"]}
DOCS_POLICY = {"style-src": ["'unsafe-inline'"]}


def relaxed(patterns: list[URLPattern | URLResolver], policy: dict[str, Any]) -> list[URLPattern | URLResolver]:
    """Return the patterns with `policy` added to the Content-Security-Policy of every page under them."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            relaxed(pattern.url_patterns, policy)
        else:
            pattern.callback = csp_update(policy)(pattern.callback)
    return patterns


admin_patterns, admin_app, admin_namespace = admin.site.urls
admin_patterns = [*own_admin_patterns, *admin_patterns]  # ours come first: they take the place of Django's

urlpatterns: list[URLPattern | URLResolver] = [
    path("", StartView.as_view(), name="start"),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}onetill/mark.svg")),
    path("", include("checkout.urls")),
    path("", include("partner_orders.urls")),
    path("", include("english_app.urls")),
    path("", include("payments.api.urls")),
    re_path(r"^healthz/?$", health.healthz, name="healthz"),
    re_path(r"^readyz/?$", health.readyz, name="readyz"),
    re_path(r"^metrics/?$", health.metrics, name="metrics"),
    re_path(r"^schema/?$", SpectacularAPIView.as_view(), name="schema"),
    re_path(r"^docs/?$", csp_update(DOCS_POLICY)(SpectacularSwaggerSplitView.as_view()), name="docs"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", (relaxed(admin_patterns, ADMIN_POLICY), admin_app, admin_namespace)),
]
