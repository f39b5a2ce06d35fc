"""Ways to pay: which gateway, and how the person is led to it from the device in their hand."""

import re
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.gateways.base import Mode
from payments.gateways.models import GatewayKind

_PHONE = re.compile(r"Mobi|Android|iPhone|HarmonyOS", re.IGNORECASE)

# The first is what a device of that sort is offered first; a person may know better and take the other.
_BY_DEVICE: dict[str, dict[bool, tuple[Mode, ...]]] = {
    GatewayKind.ALIPAY: {False: (Mode.QR, Mode.PAGE), True: (Mode.WAP, Mode.QR)},
    GatewayKind.MEMORY: {False: (Mode.QR, Mode.PAGE), True: (Mode.WAP, Mode.QR)},
}
_HINTS: dict[Mode, str | Promise] = {
    Mode.QR: _("Scan a code with your phone"),
    Mode.PAGE: _("Log in on this computer"),
    Mode.WAP: _("Opens on this phone"),
}


@dataclass(frozen=True, kw_only=True)
class Way:
    kind: str
    mode: Mode

    @property
    def value(self) -> str:
        """How a form names this way."""
        return f"{self.kind}:{self.mode}"

    @property
    def label(self) -> str:
        return str(GatewayKind(self.kind).label)

    @property
    def hint(self) -> str:
        return str(_HINTS[self.mode])


def is_phone(request: HttpRequest) -> bool:
    return bool(_PHONE.search(request.headers.get("User-Agent", "")))


def offered(*, kinds: list[str], phone: bool) -> list[Way]:
    """Return the ways on offer: each gateway's first mode for the device, then the others."""
    modes = {kind: _BY_DEVICE[kind][phone] for kind in kinds if kind in _BY_DEVICE}
    firsts = [Way(kind=kind, mode=first) for kind, (first, *_rest) in modes.items()]
    others = [Way(kind=kind, mode=mode) for kind, (_first, *rest) in modes.items() for mode in rest]
    return firsts + others
