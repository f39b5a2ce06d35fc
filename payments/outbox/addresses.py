"""
Which addresses a webhook may go to.

A client names the URL that we call, so it could name one of our own network. A URL is judged when it is stored, as far
as it can be read, and each address that its name resolves to is judged at every connect (`sender`).
"""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments.wire.fields import web_host

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class UnfitAddress(ValueError):
    """The text is no address that a webhook may go to. `sentence` says why."""

    def __init__(self, sentence: Promise) -> None:
        self.sentence = sentence
        super().__init__(sentence)


def private_networks() -> list[Network]:
    """Return the networks that receivers may be in although they are private: WEBHOOK_PRIVATE_NETWORKS."""
    return [ipaddress.ip_network(text) for text in settings.WEBHOOK_PRIVATE_NETWORKS]


def is_allowed(address: Address, *, allowed: Iterable[Network]) -> bool:
    """
    Whether to connect to `address`: it is anybody's on the Internet, or in one of the networks `allowed`.

    An IPv6 address that stands for an IPv4 one is judged as that.
    """
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    if any(address in network for network in allowed if network.version == address.version):
        return True
    unusual = address.is_multicast or address.is_reserved or getattr(address, "is_site_local", False)
    return address.is_global and not unusual


def check(url: str) -> None:
    """
    Judge a URL before it is stored.

    :raises UnfitAddress: if it is no plain http(s) URL in ASCII, or if its host is an address, in whatever spelling,
        of a network that is not allowed
    """
    host = web_host(url)
    if not host or not url.isascii():
        raise UnfitAddress(_("Must be an http or https address, without user or password."))
    address = _literal(host)
    if address and not is_allowed(address, allowed=private_networks()):
        raise UnfitAddress(_("Must not lead into a private network."))


def origin(url: str) -> str:
    """Return scheme, host and port of a URL: what fails and is parked together."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _literal(host: str) -> Address | None:
    """Return the address that `host` spells: `127.0.0.1`, `::1`, but also `0x7f000001`, `2130706433`, `0177.1`."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))  # what the resolver makes of it as well
    except OSError:
        return None
