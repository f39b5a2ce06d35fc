"""OpenAPI: what each family says of its calls is in its own `schema` module; here is what they share."""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.utils.module_loading import module_has_submodule
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension

from payments.wire.views import FamilyViewSet


class ClientToken(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "payments.clients.authentication.ClientAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": _("The client's token, as Authorization: Token …, Bearer …, or bare."),
        }


def of_families(endpoints: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Keep the calls of clients; what gateways and monitors call is no API of ours."""
    return [entry for entry in endpoints if issubclass(entry[3].cls, FamilyViewSet)]


def register() -> None:
    """Import the `schema` module of every family that has one: importing it registers what it describes."""
    for path in settings.ORDER_FAMILIES.values():
        package = import_module(path.rpartition(".")[0].partition(".")[0])
        if module_has_submodule(package, "schema"):
            import_module(f"{package.__name__}.schema")


register()
