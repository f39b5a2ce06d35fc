"""What `manage.py check --database default` says about the clients."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import ProgrammingError

from payments.clients.models import ApiClient


@checks.register(checks.Tags.database)
def unsigned_calls_come_from_private_networks(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """A client whose calls need no sign must not be open to the internet."""
    if "default" not in (databases or ()):
        return []
    try:
        clients = list(ApiClient.objects.exclude(unsigned_from=[]).values_list("name", "unsigned_from"))
    except ProgrammingError:  # before the first migration
        return []
    return [
        checks.Warning(
            f"Client {name} may call unsigned from {network}, which is public.",
            hint="List private networks only in unsigned_from.",
            id="payments.W001",
        )
        for name, networks in clients
        for network in networks
        if not ipaddress.ip_network(network).is_private
    ]
