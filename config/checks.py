"""What `manage.py check` refuses before a process starts."""

import ipaddress
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Error, Tags, register

FAMILY_FUNCTIONS = ("fulfil", "release", "take_back", "describe", "look_up", "audit")
FAMILY_WORDS = ("LABELS", "PERSONAL")


@register()
def families_are_complete(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[Error]:
    """Each module of ORDER_FAMILIES imports and exports what the order book calls."""
    problems = []
    for family, path in settings.ORDER_FAMILIES.items():
        try:
            module = import_module(path)
        except ImportError as error:
            problems.append(Error(f"ORDER_FAMILIES[{family!r}]: {path} does not import: {error}", id="onetill.E001"))
            continue
        missing = [name for name in FAMILY_FUNCTIONS if not callable(getattr(module, name, None))]
        missing += [name for name in FAMILY_WORDS if not hasattr(module, name)]
        if missing:
            problems.append(Error(f"{path} lacks {', '.join(missing)}", id="onetill.E002"))
    return problems


@register()
def webhook_networks_can_be_read(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[Error]:
    """A network that cannot be read would be found out by a webhook."""
    problems = []
    for text in settings.WEBHOOK_PRIVATE_NETWORKS:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            problems.append(Error(f"WEBHOOK_PRIVATE_NETWORKS: {error}", id="onetill.E003"))
    return problems


@register()
def sessions_of_staff_last(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[Error]:
    """With nothing to idle in, nobody could log in; beyond a session's whole time it would mean nothing."""
    longest = settings.STAFF_SESSION_HOURS * 60
    if 1 <= settings.STAFF_IDLE_MINUTES <= longest:
        return []
    return [Error(f"STAFF_IDLE_MINUTES is {settings.STAFF_IDLE_MINUTES}: use 1 to {longest}", id="onetill.E004")]


@register(Tags.security)
def production_has_its_own_secrets(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[Error]:
    """Outside the sandbox neither DEBUG nor a demonstration secret may be in use."""
    if settings.ONETILL_ENV != "production":
        return []
    problems = []
    if settings.DEBUG:
        problems.append(Error("DEBUG is on in production", id="onetill.E010"))
    if settings.SECRET_KEY == settings.SANDBOX_SECRET_KEY:
        problems.append(Error("SECRET_KEY is the sandbox's: set SECRET_KEY", id="onetill.E011"))
    if settings.SANDBOX_ENCRYPTION_KEY in settings.ENCRYPTION_KEYS:
        problems.append(Error("ENCRYPTION_KEYS holds the sandbox's key: set your own", id="onetill.E012"))
    if settings.SIMULATOR_URL:
        problems.append(Error("SIMULATOR_URL is set: production has no simulator", id="onetill.E013"))
    return problems
