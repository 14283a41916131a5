"""Those whom a proxy has let in: it names them in a header, and only proxies at named addresses are believed.

The proxy must take that header out of what its callers send. Whoever asks without a proxy, or by one at another
address, needs a key, whatever the header says.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp import web

from .auth import Scope, User
from .problems import CROSS_SITE, Problem

LONGEST: Final = 200
"""Characters of a name: as many as an actor has in the audit trail."""
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS: Final = ("same-origin", "none")

Networks = Sequence[IPv4Network | IPv6Network]


class TrustedProxy:
    """Proxies at these addresses or networks, which name in ``header`` who asks, and what those may do."""

    def __init__(self, addresses: Sequence[str], header: str, scope: Scope) -> None:
        networks: Networks = [ip_network(each) for each in addresses]
        self._header, self._scope = header, scope
        self._trusts = lru_cache(256)(lambda remote: _is_in(remote, networks))

    def user(self, request: web.Request) -> User | None:
        """Whom the proxy has named; None where no such proxy asks, or names nobody, or more than one.

        Raises ``Problem`` 403 where another web page asks for a change: the proxy knows browsers by their cookies.
        """
        named = request.headers.getall(self._header, [])
        if len(named) != 1 or not self._trusts(request.remote or ""):
            return None
        name = named[0].strip()
        if not (name and name.isprintable() and len(name) <= LONGEST):
            return None
        if request.method not in _READS and request.headers.get("Sec-Fetch-Site", "none") not in _OURS:
            raise Problem(CROSS_SITE, "No other web page may change anything here.")
        user = User(sha256(f"proxy {name}".encode()).digest())
        user.name, user.scope = name, self._scope
        return user


def _is_in(remote: str, networks: Networks) -> bool:
    try:
        address = ip_address(remote.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network for network in networks)
