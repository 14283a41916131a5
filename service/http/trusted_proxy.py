"""Those whom a proxy has let in: it names them in a header, and only proxies at named addresses are believed.

Their groups, by which their scopes go, it may name in another. The proxy must take both out of what its
callers send. Whoever asks without a proxy, or by one at another address, needs a key, whatever the header says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp import web

from .auth import Scope, User
from .problems import CROSS_SITE, Problem

PROXY: Final = "proxy:"
"""Stands before the name in the audit trail: whatever it is, no key and nobody else is called so."""
LONGEST: Final = 200 - len(PROXY)
"""Characters of a name: with that, as many as an actor has in the audit trail."""
ALL: Final = "*"
"""Stands for whoever is in no other group."""
_BETWEEN: Final = re.compile(r"[,|]")
"""What parts groups: a comma, or as some proxies do it a bar."""
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_CROSS_SITE: Final = (
    "No other web page may change anything here. If it is our own: let the proxy pass on Host or X-Forwarded-Host as "
    "it was asked, or set STREAMQ_PUBLIC_URL."
)
_ASKED: Final = ("Host", "X-Forwarded-Host")
"""Headers that tell for which host the proxy was asked."""
_OURS: Final = ("same-origin", "none")

Networks = Sequence[IPv4Network | IPv6Network]


class TrustedProxy:
    """Proxies at these addresses or networks, which name in ``header`` who asks, and in ``groups_header`` their groups.

    ``scopes`` says what the members of a group may do, ``*`` what all others may. Without a header of groups, nobody is
    in any.
    """

    def __init__(
        self, addresses: Sequence[str], header: str, scopes: Mapping[str, Scope], groups_header: str = "",
        public_url: str = "",
    ) -> None:  # fmt: skip
        networks: Networks = [ip_network(each) for each in addresses]
        self._header, self._scopes, self._groups_header = header, scopes, groups_header
        self._public = _host(public_url)
        self._trusts = lru_cache(256)(lambda remote: _is_in(remote, networks))

    def user(self, request: web.Request) -> User | None:
        """Whom the proxy has named; None where no such proxy asks, or names nobody, or more than one, or somebody whose
        groups may do nothing.

        Raises ``Problem`` 403 where another web page asks for a change: the proxy knows browsers by their cookies.
        """
        named = request.headers.getall(self._header, [])
        if len(named) != 1 or not self._trusts(request.remote or ""):
            return None
        name = named[0].strip()
        scope = self._scope(request)
        if scope is None or not (name and name.isprintable() and len(name) <= LONGEST):
            return None
        if request.method not in _READS and not self._is_our_page(request):
            raise Problem(CROSS_SITE, _CROSS_SITE)
        user = User(sha256(f"proxy {name}".encode()).digest())
        user.name, user.scope = name, scope
        return user

    def _is_our_page(self, request: web.Request) -> bool:
        """Whether it is our own page that asks, or no page at all: as its browser says, else by its ``Origin``.

        Browsers tell plain ``http://`` hosts the origin alone.
        """
        sites = request.headers.getall("Sec-Fetch-Site", ())
        if sites:
            return all(site in _OURS for site in sites)
        own = {self._public, *(_host(request.headers.get(name, "")) for name in _ASKED)} - {""}
        return all(_host(origin) in own for origin in request.headers.getall("Origin", ()))

    def _scope(self, request: web.Request) -> Scope | None:
        """The highest of the groups that are named. Of two headers one may be the caller's own: neither counts."""
        named = request.headers.getall(self._groups_header, []) if self._groups_header else []
        groups = _BETWEEN.split(named[0]) if len(named) == 1 else []
        scopes = [
            self._scopes[group] for each in groups if (group := each.strip()) in self._scopes and group != ALL
        ]
        return max(scopes, default=self._scopes.get(ALL))


def _host(url: str) -> str:
    """Host and port of an address, or of what is one but for its scheme; of several, as proxies add them, the first."""
    host = url.partition(",")[0].rpartition("://")[2].partition("/")[0].strip().lower()
    return host.removesuffix(":80").removesuffix(":443")


def _is_in(remote: str, networks: Networks) -> bool:
    try:
        address = ip_address(remote.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network for network in networks)
