"""Which addresses a callback may reach: by default none that leads into our own network.

The address is looked at when the socket is made, so a name that leads elsewhere by then (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

_COMPATIBLE: Final = IPv6Network("::/96")
"""RFC 4291, 2.5.5.1: the same, as it was written long ago."""
_NAT64: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052: its last 32 bits are an address of IPv4."""
AddrInfo = tuple[Any, ...]
"""As ``socket.getaddrinfo`` tells it: family, type, protocol, name, and the address."""


class Forbidden(OSError):
    """A callback leads to an address that is not to be reached."""


def is_public(text: str) -> bool:
    """Whether an address is one of the open internet, whatever form it is written in."""
    found = ip_address(text.partition("%")[0])
    if isinstance(found, IPv6Address):
        inner = _inner(found)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def _inner(found: IPv6Address) -> IPv4Address | None:
    """The address of IPv4 within one of IPv6, where it is but a form of that."""
    if found in _NAT64 or found in _COMPATIBLE:
        return IPv4Address(int(found) & 0xFFFF_FFFF)
    if found.teredo is not None:
        return found.teredo[1]
    return found.ipv4_mapped or found.sixtofour


def public_only(info: AddrInfo) -> socket.socket:
    """A socket to an address of the open internet. Raises ``Forbidden`` for any other."""
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise Forbidden(f"{address[0]} is no public address")
    return socket.socket(family, kind, protocol)
