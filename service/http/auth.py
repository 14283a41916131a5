"""Who may do what: bearer keys with scopes. Without keys, only this machine may ask.

scope   allows
-----   --------------------------------
read    look at queues, jobs and workers
write   read, and send or retry jobs
admin   write, and steer queues
"""

from __future__ import annotations

import hmac
import logging
import math
import re
import socket
from collections.abc import Callable
from enum import IntEnum
from hashlib import sha256
from time import monotonic
from typing import Final, NamedTuple, Protocol

from aiohttp import web

from streamq import ConfigurationError, Settings, is_loopback

from .failures import Guard
from .marks import add
from .narrowed import HOLDS_FOR, QUEUES, others
from .problems import INSUFFICIENT_SCOPE, KEY_RATE, UNAUTHORIZED, Problem


class Scope(IntEnum):
    """A scope allows all that lower ones allow."""

    READ = 1
    WRITE = 2
    ADMIN = 3


log = logging.getLogger("streamq.api")

_SCOPES: Final = {scope.name.lower(): scope for scope in Scope}


_KEY: Final = re.compile(r"[!-+\--~]{16,}")
"""Sixteen characters or more of ASCII that can be seen: what a header carries, without the comma that ends a key."""
_HOW: Final = "write KEY=read, KEY=write or KEY=admin, with KEYs from `openssl rand -hex 24`"
_LOOK: Final = 1.0
"""Seconds between two looks at a file of keys."""


SCOPE: Final = web.RequestKey("scope", Scope)
"""What a caller may do who was let in by a key, or by a proxy."""


class User(bytes):
    """A caller whom a trusted proxy has named: a digest of its ``name``, which the audit trail tells."""

    name: str
    scope: Scope


class Holder(NamedTuple):
    """Who has a key: its scope, the queues that it is for (empty for all), and what takes one of its requests."""

    scope: Scope
    queues: tuple[str, ...] = ()
    wait: Callable[[], float] | None = None
    """Seconds until there is one, where there is none now."""
    told: Callable[[], dict[str, str]] | None = None
    """What its answers say of its rate, as headers."""


class Ring(Protocol):
    """All keys that a process knows."""

    def __bool__(self) -> bool: ...

    def holder(self, token: str) -> Holder | None:
        """Who has that key; None for one that is not ours."""
        ...

    def user(self, request: web.Request) -> User | None:
        """Whom a trusted proxy has named; None for anybody else."""
        ...


class Keys:
    """The API keys of the settings, kept as digests, from ``key=scope[+scope],…``; a line ends a key as well. Empty
    when none are set.

    The last ``=`` of each is the one before its scopes. Raises ``ConfigurationError`` for a key that is short, has no
    scope or an unknown one, or comes twice: it tells the number of the key and no part of it.
    """

    def __init__(self, text: str, reread: Callable[[], str] | None = None) -> None:
        self._digests = _digests(text)
        self._seen, self._reread, self._next_look = _digest(text), reread, monotonic() + _LOOK

    def __bool__(self) -> bool:
        return bool(self._digests)

    @classmethod
    def of(cls, settings: Settings) -> Keys:
        """Those of the settings. A file of keys is read again when it changes."""
        of_file = settings.secret_file("api_keys") is not None
        return cls(settings.secret("api_keys"), (lambda: settings.secret("api_keys")) if of_file else None)

    def scope(self, token: str) -> Scope | None:
        """The scope of a key, compared in constant time; None for a key that is not ours."""
        if self._reread is not None and monotonic() >= self._next_look:
            self._look_again(self._reread)
        digest = _digest(token)
        found = [scope for known, scope in self._digests if hmac.compare_digest(known, digest)]
        return found[0] if found else None

    def _look_again(self, reread: Callable[[], str]) -> None:
        """Take the keys that the file has now. Those before stay in force where it has none that can be read."""
        self._next_look = monotonic() + _LOOK
        text = reread()
        if _digest(text) == self._seen:
            return
        self._seen = _digest(text)
        try:
            self._digests = _digests(text)
            log.info("the file of API keys has changed: there are %d keys now", len(self._digests))
        except ConfigurationError as error:
            log.error("the API keys stay as they were: %s", error)


def actor_of(caller: bytes) -> str:
    """A caller as the audit trail names it: a key by the first eight digits of its SHA-256."""
    return f"key-{caller.hex()[:8]}" if caller else "anonymous"


def _digests(text: str) -> list[tuple[bytes, Scope]]:
    return [(_digest(key), scope) for key, scope in _keys(text).items()]


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "surrogateescape")).digest()


def _keys(text: str) -> dict[str, Scope]:
    entries = [entry.strip() for entry in re.split(r"[,\r\n]", text) if entry.strip()]
    if text and not entries:
        raise ConfigurationError(f"STREAMQ_API_KEYS is set and has no key: {_HOW}")
    keys: dict[str, Scope] = {}
    for number, entry in enumerate(entries, start=1):
        key, scope = _entry(number, entry)
        if key in keys:
            first = [*keys].index(key) + 1
            raise ConfigurationError(
                f"STREAMQ_API_KEYS: key number {number} is the same as key number {first}: keep one of them"
            )
        keys[key] = scope
    return keys


def _entry(number: int, entry: str) -> tuple[str, Scope]:
    key, _, scopes = entry.rpartition("=")
    names = scopes.split("+")
    if not set(names) <= _SCOPES.keys():  # what stands there may be a piece of a key, so it is not told
        wrong = "has no scope, or an unknown one"
    elif not _KEY.fullmatch(key):
        wrong = "is shorter than 16 characters, or has others than letters, digits and signs of ASCII"
    else:
        return key, max(_SCOPES[name] for name in names)
    raise ConfigurationError(f"STREAMQ_API_KEYS: key number {number} {wrong}: {_HOW}")


def _queue_of(request: web.Request) -> str:
    """The queue that a path is about, empty for none: the id of an operation begins with that of its queue."""
    named = request.match_info
    return named.get("queue") or named.get("operation", "").rpartition(".")[0]


def _refuse_below(needed: Scope, has: Scope) -> None:
    if has < needed:
        names = needed.name.lower(), has.name.lower()
        raise Problem(INSUFFICIENT_SCOPE, f"This needs the scope {names[0]}.", needed=names[0], have=names[1])


def check_binding(keys: Keys, host: str) -> None:
    """Raise ``ConfigurationError`` when the API would be open to others without a key."""
    if not keys and not (is_loopback(host) and all(map(is_loopback, _addresses(host)))):
        raise ConfigurationError(
            f"refusing to listen on {host or 'all addresses'} without API keys: anyone could send messages. "
            "Make one by `streamq key create`, set STREAMQ_API_KEYS (key=scope, separated by commas), or bind to "
            "127.0.0.1"
        )


def _addresses(host: str) -> list[str]:
    """All that the name stands for here: a file or a name server may say anything. None where it is unknown."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError:
        return []  # nothing can listen on it
    return [str(address[4][0]) for address in found]


def still_holds(keys: Ring, request: web.Request) -> bool:
    """Whether whoever was let in would be now: a key may be revoked, or be over, while its stream is open.

    It counts for no rate.
    """
    return not keys or _who(keys, request)[0] is not None


def _who(keys: Ring, request: web.Request) -> tuple[Holder | User | None, str]:
    """Who has the bearer key of a request, with the key; without one, whom a trusted proxy has named.

    Credentials of another kind are the proxy's own, which has looked at them: they are no claim to a key.
    """
    for said in request.headers.getall("Authorization", ()):
        kind, _, token = said.partition(" ")
        if kind.lower() == "bearer":
            return keys.holder(token.strip()), token.strip()
    return keys.user(request), ""


def keyed(keys: Ring, needed: Scope, *, is_narrowed: bool = False) -> Guard:
    """A guard that asks for a bearer key: 401 without a valid one, 403 when it is not for that, 429 above its rate.

    It says whose a request is by the digest of the key. What ``is_narrowed`` is answered to a key for some queues, too,
    of these alone.
    """

    def check(request: web.Request) -> bytes:
        holder, token = _who(keys, request)
        if holder is None:
            detail = "A valid API key is needed: send `Authorization: Bearer KEY`."
            raise Problem(UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})
        request[SCOPE] = holder.scope
        _refuse_below(needed, holder.scope)
        if isinstance(holder, User):
            return holder
        if holder.queues:
            request[HOLDS_FOR] = frozenset(holder.queues)
        if holder.queues and _queue_of(request) not in holder.queues:
            request[QUEUES] = request[HOLDS_FOR]
            if not is_narrowed:
                raise others(request[QUEUES])
        wait = holder.wait() if holder.wait is not None else 0.0
        if holder.told is not None:
            add(request, holder.told())
        if wait:
            seconds = max(1, math.ceil(wait))
            detail = f"This key has had as many requests as it may: come back in {seconds} s."
            raise Problem(KEY_RATE, detail, headers={"Retry-After": str(seconds)})
        return _digest(token)

    return check
