"""
One file, filled from the environment.

`make run` writes var/onetill.env, so that `manage.py` in another shell talks to the running system.
ONETILL_ENV is `sandbox` (the demo), `test` or `production`, which is the default and refuses the demo's secrets.
"""

import datetime
import os
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _
from environs import Env

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
if "ONETILL_ENV" not in os.environ:  # whoever names a mode names the rest too
    env.read_env(str(BASE_DIR / "var" / "onetill.env"), recurse=False)

ONETILL_ENV = env.str("ONETILL_ENV", "production")
if ONETILL_ENV not in {"sandbox", "test", "production"}:
    raise ImproperlyConfigured(f"ONETILL_ENV is {ONETILL_ENV!r}: use sandbox, test or production")
SANDBOX = ONETILL_ENV in {"sandbox", "test"}

# Constants of the demonstration. `manage.py check` refuses them in production.
SANDBOX_SECRET_KEY = "the-sandbox-has-no-secrets-this-key-is-public-and-refused-in-production"  # noqa: S105
SANDBOX_ENCRYPTION_KEY = "sandbox:c2FuZGJveC1lbmNyeXB0aW9uLWtleS1wdWJsaWMtMzI="

SECRET_KEY = env.str("SECRET_KEY", SANDBOX_SECRET_KEY if SANDBOX else "")
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS", [SANDBOX_ENCRYPTION_KEY] if SANDBOX else [])  # id:base64, first writes
DEBUG = env.bool("DEBUG", False)
DEFAULT_EXCEPTION_REPORTER = "config.fault_pages.SilentReporter"
BASE_URL = env.str("BASE_URL", "http://localhost:8000").rstrip("/")
SIMULATOR_URL = env.str("SIMULATOR_URL", "").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["*"] if SANDBOX else [])
TRUSTED_PROXIES: list[str] = env.list("TRUSTED_PROXIES", [])  # networks whose X-Forwarded-For is believed

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_static",
    "axes",
    "config",
    "payments",
    "checkout",
    "partner_orders",
    "english_app",
]

# A family's room for the order book: fulfil, release, take_back, describe, look_up, audit. Checked at start-up.
ORDER_FAMILIES = {
    "checkout": "checkout.fulfilment",
    "partner_orders": "partner_orders.fulfilment",
    "english_app": "english_app.fulfilment",
    "payments": "payments.direct.fulfilment",
}

# Rights of the families' own that move value: who holds one proves who they are by a second factor.
FAMILIES_MONEY_PERMISSIONS = (
    "partner_orders.add_customercoupon",
    "english_app.decide_return",
    "english_app.deliver_again",
)

# Families whose apps take WeChat's app payment as WeChat Pay v2 under MD5, and no other (document 004).
WECHAT_V2_FAMILIES = ("english_app",)

MIDDLEWARE = [
    "config.logging.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "config.lanes.CallLane",  # what follows is for pages alone
    "config.planning.PlannedByValue",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "payments.admin.gate.StaffGate",
    "axes.middleware.AxesMiddleware",
    "config.lanes.LaneEnd",
]
CALL_PATHS = ("/api/", "/rest/", "/app/partner/", "/english/")
ROOT_URLCONF = "config.urls"
APPEND_SLASH = False  # a redirected POST loses its body: every path answers with and without its last slash
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# A statement may run 5 s in a web process, 60 s in a worker, without end in a command; a lock is waited for 3 s.
STATEMENT_TIMEOUT_MS = env.int("STATEMENT_TIMEOUT_MS", 0)
LOCK_TIMEOUT_MS = 3_000
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **env.dj_db_url("DATABASE_URL", "postgresql://localhost/onetill"),
        "ENGINE": "config.postgres",
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }
}
DATABASES["default"].setdefault("OPTIONS", {}).update(
    {
        "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS} -c timezone=UTC",
        "application_name": env.str("PROCESS_NAME", "onetill"),
        "server_side_binding": True,
        "prepare_threshold": 3,
    }
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", "redis://localhost:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL.replace("redis+socket://", "unix://"),
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "payments.staff.backend.StaffBackend"]

# Whoever has a right of money (payments.staff.rights) needs a second factor. The environment may ask for it, not waive.
REQUIRE_TOTP = env.bool("REQUIRE_TOTP", False) or not SANDBOX
OTP_TOTP_ISSUER = "Onetill"
SESSION_ENGINE = "payments.staff.sessions"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
STAFF_IDLE_MINUTES = env.int("STAFF_IDLE_MINUTES", 30)
STAFF_SESSION_HOURS = 12

# Lock-out: axes asks, payments.staff.lock_out counts and says when.
AXES_HANDLER = "payments.staff.lock_out.LockOut"
AXES_CLIENT_IP_CALLABLE = "payments.staff.lock_out.address_of"
AXES_LOCKOUT_CALLABLE = "payments.admin.log_in.locked_out"
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]
AXES_FAILURE_LIMIT = 5  # of an account; LockOut has the address's
AXES_COOLOFF_TIME = datetime.timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # audit rows tell who logged in
AXES_ENABLE_ADMIN = AXES_VERBOSE = False

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Asia/Shanghai"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = env.path("STATIC_ROOT", None if SANDBOX else BASE_DIR / "var" / "static")
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = SANDBOX  # the sandbox serves from where the files are; production collects them
if not SANDBOX:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TIMEZONE = TIME_ZONE
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 1_800,  # longer than any task, the audit included: due times are rows, never countdowns
    "socket_connect_timeout": 1,
    "socket_timeout": 1,
    "max_retries": 0,
}
# Beat entries are safe to run twice at once: each takes its rows with SKIP LOCKED.
CELERY_BEAT_SCHEDULE = {
    name: {"task": task, "schedule": seconds, "options": {"expires": seconds}}
    for name, task, seconds in (
        ("query charges that are due", "payments.reconcile_due_charges", 5.0),
        ("tell and ask gateways about refunds that are due", "payments.sweep_due_refunds", 5.0),
        ("ask for the refunds of many orders at once", "payments.refund_batches_due", 30.0),
        ("close orders whose time has run out", "payments.close_stale_orders", 10.0),
        ("give back money that came late or twice", "payments.refund_late_money", 30.0),
        ("process notifications that were left", "payments.process_due_notifications", 30.0),
        ("send webhooks that are due", "payments.send_due_webhooks", 5.0),
        ("fulfil orders whose fulfilment failed", "payments.fulfil_due_orders", 60.0),
        ("add up the day's figures", "payments.add_up_figures", 60.0),
        ("receive partner orders that were shipped long ago", "partner_orders.receive_due", 3600.0),
        ("deliver English orders that are due", "english_app.deliver_due", 5.0),
        ("settle returns of English orders", "english_app.settle_due_returns", 30.0),
        ("compare the gateways' bills that are due", "payments.reconcile_bills", 3600.0),
        ("audit the books", "payments.audit", 3600.0),
        ("prune refused notifications", "payments.prune_refused_notifications", 3600.0),
        ("clear sessions that have ended", "payments.clear_ended_sessions", 3600.0),
        ("write exports that wait", "payments.write_due_exports", 30.0),
        ("delete files of exports that are a week old", "payments.prune_exports", 3600.0),
    )
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["payments.clients.authentication.ClientAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["payments.clients.permissions.IsClient"],
    "DEFAULT_PARSER_CLASSES": ["payments.wire.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["payments.wire.EnvelopeRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "payments.wire.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "UNICODE_JSON": True,
}

# Security of pages. The admin alone is relaxed (unfold's Alpine evaluates expressions): see config/urls.py.
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
HTTPS = BASE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SILENCED_SYSTEM_CHECKS = ["security.W008"]  # the proxy in front redirects to https: deploy/nginx.conf
CSRF_TRUSTED_ORIGINS = [BASE_URL]
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# The rules of the wire (CONTRACTS): numbers a deployment may tune.
WIRE_BODY_BYTES_MAX = 256 * 1024
WIRE_DEPTH_MAX = 20
WIRE_FORM_FIELDS_MAX = 1_000
SIGN_WINDOW_SECONDS = 300
LOGIN_CODE_SECONDS = 600
PARTNER_REPLAY_SECONDS = env.int("PARTNER_REPLAY_SECONDS", 120)  # the same call within it is the same order
PARTNER_RECEIVE_AFTER_DAYS = env.int("PARTNER_RECEIVE_AFTER_DAYS", 15)  # what was shipped so long ago has arrived
ENGLISH_RETURN_DAYS = env.int("ENGLISH_RETURN_DAYS", 7)  # a return can be asked for so long after the payment
POINT_FEN = 1  # what one point of an `order_score` is worth
WEBHOOK_PRIVATE_NETWORKS: list[str] = env.list(  # in which receivers may be although they are private
    "WEBHOOK_PRIVATE_NETWORKS", ["127.0.0.0/8", "::1/128"] if SANDBOX else []
)
WEB_THREADS = env.int("WEB_THREADS", 8)  # of one web process; at most half of them may be inside gateway calls

DATA_UPLOAD_MAX_MEMORY_SIZE = WIRE_BODY_BYTES_MAX
DATA_UPLOAD_MAX_NUMBER_FIELDS = WIRE_FORM_FIELDS_MAX
LOGGING_CONFIG = "config.logging.configure"
LOGGING: dict[str, Any] = {"level": env.str("LOG_LEVEL", "INFO"), "json": env.bool("LOG_JSON", True)}
METRICS_NETWORKS = env.list(  # who may read /metrics: this host and private networks
    "METRICS_NETWORKS", ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]
)
UNFOLD = {
    "SITE_TITLE": "一柜通 Onetill",
    "SITE_HEADER": "一柜通 Onetill",
    "SITE_SYMBOL": "point_of_sale",
    "SHOW_LANGUAGES": True,
    "STYLES": [lambda _request: static("back_office/look_up.css"), lambda _request: static("back_office/access.css")],
    "SCRIPTS": [lambda _request: static("back_office/look_up.js"), lambda _request: static("back_office/access.js")],
    "DASHBOARD_CALLBACK": "config.dashboard.dashboard",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "#eef6ff", "100": "#d9ebff", "200": "#bcdcff", "300": "#8ec6ff", "400": "#59a5ff", "500": "#3182f6",
            "600": "#1b63d8", "700": "#174fae", "800": "#19448c", "900": "#1a3b74", "950": "#142547",
        }
    },
    "ACCOUNT": {"navigation": "config.admin_site.own_account"},
    "SIDEBAR": {"show_search": False, "navigation": "config.admin_site.menu"},
}  # fmt: skip
SPECTACULAR_SETTINGS = {
    "TITLE": "Onetill 一柜通",
    "VERSION": "1.0.0",
    "DESCRIPTION": _(
        "Calls carry the client's token. Two families need none: `pay` of document 002 is proven by its `sign` alone, "
        "and a call of document 004 by `timestamp` and `sign` of the client that its `app_id` names. With a token, "
        "the calls of documents 003 and 004 and the look-ups carry nothing more; all others carry a `timestamp` "
        "within five minutes of now and a `sign` as well, `pay` of document 002 its `sign`. The sign: all other "
        "parameters but the empty ones, sorted by name, joined as `name=value` with `&`, then `&key=<secret>`; MD5, or "
        "HMAC-SHA256 under the secret, hexadecimal. A number counts as the text that stands in the JSON."
    ),
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "PREPROCESSING_HOOKS": ["config.schema.of_families"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"validatorUrl": None, "deepLinking": True},
}
