"""Whether a name or an address means this machine alone."""

from __future__ import annotations

import socket
from functools import lru_cache
from ipaddress import ip_address


@lru_cache(64)  # asked twice for each request without keys
def is_loopback(host: str) -> bool:
    """Whether a host name or address is one of this machine alone, by what is written there."""
    name = host.strip("[]").lower()
    try:
        address = ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def leads_to_loopback(host: str) -> bool:
    """The same, also by all that the name stands for here: a file or a name server may say anything."""
    return is_loopback(host) and all(map(is_loopback, _addresses(host)))


def _addresses(host: str) -> list[str]:
    """Nothing can listen on a name that is unknown."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(address[4][0]) for address in found]
