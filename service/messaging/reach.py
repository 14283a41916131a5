"""Which addresses a callback may reach: by default none that leads into our own network.

The address is looked at when the socket is made, so a name that leads elsewhere by then (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

_COMPATIBLE: Final = IPv6Network("::/96")
"""RFC 4291, 2.5.5.1: an address of IPv4, as it was written long ago."""
_NAT64: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052: its last 32 bits are an address of IPv4."""
_OPEN: Final = IPv6Network("2000::/3")
"""All that IANA gives out of IPv6; whatever else there is, or comes to be, leads into some network of its own."""
_CLOSED: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/3",
            "168.63.129.16/32",  # of no registry: the inside of a large cloud
        ),
    )
)  # fmt: skip
_CLOSED_6: Final = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
"""IANA's registries of special-purpose addresses (RFC 6890), as the library's own list differs from version to version
of Python."""
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
        return found in _OPEN and not any(found in network for network in _CLOSED_6)
    return not any(found in network for network in _CLOSED)


def is_odd(host: str) -> bool:
    """Whether a host is an address of IPv4 in a spelling that systems know and nobody needs, as 127.1 or 0x7f000001."""
    plain = host.rstrip(".")
    try:
        found = socket.inet_aton(plain)
    except OSError:
        return False
    return socket.inet_ntoa(found) != host


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
