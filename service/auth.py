"""Who may do what: bearer keys with scopes. Without keys, only this machine may ask.

scope   allows
-----   --------------------------------
read    look at queues, jobs and workers
write   read, and send or retry jobs
admin   write, and steer queues
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import wraps
from hashlib import sha256
from ipaddress import ip_address
from typing import Final

from aiohttp import web

from streamq import ConfigurationError

from .problems import Handler, Problem


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


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine alone."""
    name = host.strip("[]").lower()
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def check_binding(keys: Keys, host: str) -> None:
    """Raise ``ConfigurationError`` when the API would be open to others without a key."""
    if not keys and not is_loopback(host):
        raise ConfigurationError(
            f"refusing to listen on {host} without API keys: anyone could send messages. "
            "Set STREAMQ_API_KEYS (key=scope, separated by commas), or bind to 127.0.0.1"
        )


def guarded(handler: Handler, scope: Scope, keys: Keys) -> Handler:
    """The handler behind a check of its caller."""
    check: Callable[[web.Request, Scope], None] = keyed(keys) if keys else _local

    @wraps(handler)
    async def guard(request: web.Request) -> web.StreamResponse:
        check(request, scope)
        return await handler(request)

    return guard


def keyed(keys: Keys) -> Callable[[web.Request, Scope], None]:
    """A check for a bearer key: 401 without a valid one, 403 when its scope is too low."""

    def check(request: web.Request, needed: Scope) -> None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        have = keys.scope(token.strip()) if kind.lower() == "bearer" else None
        if have is None:
            detail = "A valid API key is needed: send `Authorization: Bearer KEY`."
            raise Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})
        if have < needed:
            need, has = needed.name.lower(), have.name.lower()
            raise Problem(403, "insufficient-scope", f"This needs the scope {need}.", needed=need, have=has)

    return check


def _local(request: web.Request, _needed: Scope) -> None:
    """Without keys, refuse what a foreign web page makes a browser on this machine send."""
    if not is_loopback(request.url.host or ""):
        detail = "Without API keys only loopback names such as 127.0.0.1 or localhost are answered."
        raise Problem(403, "foreign-host", detail)
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Problem(403, "cross-site", "Another web site may not call this API.")
