"""
The simulator's own settings, filled from the environment.

SIMULATOR_DIR is where its book and its keys live; SIMULATOR_URL how browsers reach it (by default, as they came);
SIMULATOR_TIME_SCALE how many times faster than the real gateways it repeats notifications and moves refunds.
"""

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

if os.environ.get("ONETILL_ENV") not in {"sandbox", "test"}:
    raise ImproperlyConfigured(
        "The simulator pays with money that does not exist, so it runs only with ONETILL_ENV=sandbox or test."
    )
if not os.environ.get("SIMULATOR_DIR"):
    raise ImproperlyConfigured("SIMULATOR_DIR must name a directory for the simulator's book and keys.")

HOME = Path(os.environ["SIMULATOR_DIR"]).resolve()
HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
PUBLIC_URL = os.environ.get("SIMULATOR_URL", "").rstrip("/")
TIME_SCALE = int(os.environ.get("SIMULATOR_TIME_SCALE", "60"))
if TIME_SCALE < 1:
    raise ImproperlyConfigured("SIMULATOR_TIME_SCALE must be 1 (real time) or more.")


def _secret_key(path: Path) -> str:
    """The key in `path`, made on the first start."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    return path.read_text()


SECRET_KEY = _secret_key(HOME / "secret_key")
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", *filter(None, [urlsplit(PUBLIC_URL).hostname])]

INSTALLED_APPS = ["django.contrib.staticfiles", "payments.simulator"]
MIDDLEWARE = [
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "payments.simulator.language.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "payments.simulator.urls"
APPEND_SLASH = False
WSGI_APPLICATION = "payments.simulator.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
            ],
        },
    }
]

# One writer at a time, decided when a transaction begins; readers never wait (WAL).
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": HOME / "book.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
# Cookies know no port: the shop next door has its own under the usual names.
LANGUAGE_COOKIE_NAME = "simulator_language"
CSRF_COOKIE_NAME = "simulator_csrf"
CSRF_COOKIE_SAMESITE = "Strict"
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "simulator %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
