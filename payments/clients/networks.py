"""Where a call came from."""

import functools
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Caller:
    """
    `address` is None where it cannot be read (a Unix socket, a garbled header): such a caller is in no network.

    `is_plain` is False when a peer that is not ours claims to forward for somebody.
    """

    address: IPv4Address | IPv6Address | None
    is_plain: bool

    def is_in(self, networks: Sequence[str]) -> bool:
        address = self.address
        return address is not None and any(address in network for network in _parsed(tuple(networks)))


def caller(meta: Mapping[str, str]) -> Caller:
    """Return who calls: the peer or, behind TRUSTED_PROXIES, the right-most X-Forwarded-For entry that is not one."""
    peer = Caller(_address(meta.get("REMOTE_ADDR", "")), is_plain=True)
    forwarded = meta.get("HTTP_X_FORWARDED_FOR")
    if forwarded is None:
        return peer
    if not peer.is_in(settings.TRUSTED_PROXIES):
        return Caller(peer.address, is_plain=False)
    hop = peer
    for entry in reversed(forwarded.split(",")):
        hop = Caller(_address(entry.strip()), is_plain=True)
        if not hop.is_in(settings.TRUSTED_PROXIES):
            break
    return hop


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@functools.lru_cache(maxsize=256)
def _parsed(networks: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ipaddress.ip_network(network) for network in networks)
