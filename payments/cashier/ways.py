"""Ways to pay: which app, and how the person is led to it from the device in their hand."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.gateways.base import Mode
from payments.gateways.models import Channel

_WECHAT = re.compile(r"MicroMessenger/", re.IGNORECASE)
# The last three: the libraries with which apps on phones call, where they name no device.
_PHONE = re.compile(r"Mobi|Android|iPhone|HarmonyOS|okhttp/|CFNetwork/|Dart/", re.IGNORECASE)


class Device(enum.StrEnum):
    DESKTOP = "desktop"
    PHONE = "phone"
    WECHAT = "wechat"  # WeChat's own browser, which lets no other app open


# The first is what a device of that sort is offered first; a person may know better and take the other.
_BY_DEVICE: dict[Channel, dict[Device, tuple[Mode, ...]]] = {
    Channel.WECHAT: {Device.DESKTOP: (Mode.QR,), Device.PHONE: (Mode.WAP, Mode.QR), Device.WECHAT: (Mode.JSAPI,)},
    Channel.ALIPAY: {Device.DESKTOP: (Mode.QR, Mode.PAGE), Device.PHONE: (Mode.WAP, Mode.QR), Device.WECHAT: ()},
    Channel.MEMORY: {Device.DESKTOP: (Mode.QR, Mode.PAGE), Device.PHONE: (Mode.WAP, Mode.QR), Device.WECHAT: ()},
}
_HINTS: dict[Mode, str | Promise] = {
    Mode.QR: _("Scan a code with your phone"),
    Mode.PAGE: _("Log in on this computer"),
    Mode.WAP: _("Opens on this phone"),
    Mode.JSAPI: _("Pay here in WeChat"),
}


@dataclass(frozen=True, kw_only=True)
class Way:
    channel: Channel
    mode: Mode

    @property
    def value(self) -> str:
        """How a form names this way."""
        return f"{self.channel}:{self.mode}"

    @property
    def label(self) -> str:
        return str(self.channel.label)

    @property
    def hint(self) -> str:
        return str(_HINTS[self.mode])


def device_of(request: HttpRequest) -> Device:
    agent = request.headers.get("User-Agent", "")
    if _WECHAT.search(agent):
        return Device.WECHAT
    return Device.PHONE if _PHONE.search(agent) else Device.DESKTOP


def offered(*, open_to: Mapping[str, set[str]], device: Device) -> list[Way]:
    """
    Return the ways on offer: each channel's first mode for the device, then the others.

    `open_to` are the channels and modes that the client's gateway accounts allow.
    """
    modes = {
        channel: [mode for mode in by_device[device] if mode in open_to.get(channel, ())]
        for channel, by_device in _BY_DEVICE.items()
    }
    firsts = [Way(channel=channel, mode=mode) for channel, found in modes.items() for mode in found[:1]]
    others = [Way(channel=channel, mode=mode) for channel, found in modes.items() for mode in found[1:]]
    return firsts + others
