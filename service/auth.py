"""Who may do what: bearer keys with scopes. Without keys, only this machine may ask.

scope   allows
-----   --------------------------------
read    look at queues, jobs and workers
write   read, and send or retry jobs
admin   write, and steer queues
"""

from __future__ import annotations

import hmac
import socket
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import lru_cache, wraps
from hashlib import sha256
from ipaddress import ip_address
from typing import Final

from aiohttp import web

from streamq import ConfigurationError

from .problems import Handler, Problem
from .requests import require_json

CALLER: Final = web.RequestKey("caller", bytes)
"""Who asks: the digest of the key; empty without keys."""

Check = Callable[[web.Request, "Scope"], bytes]
"""Lets a request of a caller with this scope pass and says who it is, or raises ``Problem``."""

_READS: Final = frozenset({"GET", "HEAD"})


class Scope(IntEnum):
    """A scope allows all that lower ones allow."""

    READ = 1
    WRITE = 2
    ADMIN = 3


_SCOPES: Final = {scope.name.lower(): scope for scope in Scope}


class Keys:
    """The API keys, kept as digests. Empty when none are set."""

    def __init__(self, keys: Mapping[str, Scope]) -> None:
        self._digests = [(_digest(key), scope) for key, scope in keys.items()]

    def __bool__(self) -> bool:
        return bool(self._digests)

    @classmethod
    def parse(cls, text: str) -> Keys:
        """From ``key=scope[+scope],…``; a key without a scope has all.

        Raises ``ConfigurationError`` for an unknown scope or an empty key; the key itself is not told.
        """
        entries = [entry.strip() for entry in text.split(",") if entry.strip()]
        return cls(dict(_entry(number, entry) for number, entry in enumerate(entries, start=1)))

    def scope(self, token: str) -> Scope | None:
        """The scope of a key, compared in constant time; None for a key that is not ours."""
        digest = _digest(token)
        found = [scope for known, scope in self._digests if hmac.compare_digest(known, digest)]
        return found[0] if found else None


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()


def _entry(number: int, entry: str) -> tuple[str, Scope]:
    key, _, scopes = entry.partition("=")
    names = scopes.split("+") if scopes else ["admin"]
    unknown = [name for name in names if name not in _SCOPES]
    if unknown or not key:
        wrong = f"has the unknown scope {unknown[0]!r}" if unknown else "is empty"
        raise ConfigurationError(
            f"STREAMQ_API_KEYS: key number {number} {wrong}; write key=scope, with read, write or admin"
        )
    return key, max(_SCOPES[name] for name in names)


@lru_cache(64)  # asked twice for each request without keys
def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine alone."""
    name = host.strip("[]").lower()
    try:
        address = ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def check_binding(keys: Keys, host: str) -> None:
    """Raise ``ConfigurationError`` when the API would be open to others without a key."""
    if not keys and not (is_loopback(host) and all(map(is_loopback, _addresses(host)))):
        raise ConfigurationError(
            f"refusing to listen on {host or 'all addresses'} without API keys: anyone could send messages. "
            "Set STREAMQ_API_KEYS (key=scope, separated by commas), or bind to 127.0.0.1"
        )


def _addresses(host: str) -> list[str]:
    """What a name stands for here: a file or a name server may say anything. Nothing can listen on one unknown."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(address[4][0]) for address in found]


def guarded(handler: Handler, scope: Scope, check: Check) -> Handler:
    """The handler behind a check of its caller.

    What changes something must say that it is JSON, even with an empty body: a form of a web page cannot.
    """

    @wraps(handler)
    async def guard(request: web.Request) -> web.StreamResponse:
        request[CALLER] = check(request, scope)
        if request.method not in _READS:
            require_json(request)
        return await handler(request)

    return guard


def keyed(keys: Keys) -> Check:
    """A check for a bearer key: 401 without a valid one, 403 when its scope is too low."""

    def check(request: web.Request, needed: Scope) -> bytes:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        token = token.strip()
        have = keys.scope(token) if kind.lower() == "bearer" else None
        if have is None:
            detail = "A valid API key is needed: send `Authorization: Bearer KEY`."
            raise Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})
        if have < needed:
            need, has = needed.name.lower(), have.name.lower()
            raise Problem(403, "insufficient-scope", f"This needs the scope {need}.", needed=need, have=has)
        return _digest(token)

    return check
