"""API keys that ``streamq key create`` makes: digests in the server, each with a scope, an end, and bounds of its own.

Once one was made the API is open to nobody without a key, also after the last one was revoked.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic
from typing import Any, Final, NamedTuple

from aiohttp import web

from streamq import App, ConfigurationError, Entry, Limit, Rate, Records, StreamqError, UsageError
from streamq.durations import Duration, seconds_of
from streamq.times import rfc3339

from ..access_settings import AccessSettings
from ..clock import now
from .auth import Holder, Keys, Scope, User, actor_of, check_binding
from .trusted_proxy import PROXY, TrustedProxy

log = logging.getLogger("streamq.api")

RECORDS: Final = "api-keys"
MOST: Final = 10_000
"""Keys that may be kept."""
_EVER: Final = "ever"
"""The entry that says that a key was ever made."""
FOR_EVER: Final = 3_650 * 86_400
"""Seconds: ten years, where a key has no end of its own."""
LOOK: Final = 2.0
"""Seconds between two looks of an API process: so soon a new key is known, and a revoked one refused."""
PATIENCE: Final = 2.0
"""Seconds that a look may take: at the start, requests wait for the first one."""
NAME: Final = 150
"""Characters of the name of a key: an actor, of which it is a part, has 200."""
_ID: Final = 4
"""Bytes of an id."""


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key as it is kept: never itself, only its digest."""

    id: str
    digest: bytes
    name: str
    scope: Scope
    queues: tuple[str, ...]
    """Those that it is for; empty for all."""
    rate: str | None
    created: str
    expires: datetime | None

    def asdict(self) -> dict[str, Any]:
        """As JSON tells it."""
        return {
            "id": self.id, "name": self.name, "scope": self.scope.name.lower(), "queues": list(self.queues),
            "rate": self.rate, "created": self.created, "expires": rfc3339(self.expires, "seconds"),
        }  # fmt: skip


class MadeKeys:
    """Those of an app. Every method raises ``Unavailable`` when the server cannot be reached."""

    def __init__(self, app: App) -> None:
        self._app = app

    @property
    def _records(self) -> Records:
        """They are there once the app is open."""
        return self._app.records(RECORDS, limit=MOST)

    async def create(
        self, scope: Scope, *, name: str = "", expires: Duration | None = None, queues: Sequence[str] = (),
        rate: str | None = None,
    ) -> tuple[MadeKey, str]:  # fmt: skip
        """Make a key, and return it with its text, which nobody can tell again.

        ``expires`` is a duration from now; ``rate`` is how many requests each API process takes of it, as ``10/s``.
        Raises ``UsageError`` for what is none. The audit trail tells of it, and never the text.
        """
        if len(name) > NAME or not name.isprintable():
            raise UsageError(f"name={name[:NAME]!r} is not possible: use up to {NAME} characters on one line")
        seconds = _lifetime(expires)
        _bucket(rate)
        key_id, end = secrets.token_hex(_ID), None if expires is None else now() + timedelta(seconds=seconds)
        text = f"sq_{key_id}_{secrets.token_hex(24)}"
        made = MadeKey(
            key_id, _digest(text), name, scope, tuple(queues), rate, rfc3339(now(), "seconds") or "", end
        )
        await self._records.put(_EVER, True, lifetime=FOR_EVER)
        await self._records.put(key_id, _packed(made), lifetime=seconds)
        told = {name: value for name, value in made.asdict().items() if name not in ("id", "created")}
        await self._app.note_act("key.create", key_id, **told)
        return made, text

    async def all(self) -> list[MadeKey]:
        """All that are in force, those that end first in front."""
        found: list[MadeKey] = []
        page = await self._records.list(limit=1_000)
        while page:
            found += [_made(entry) for entry in page if entry.key != _EVER]
            page = await self._records.list(page[-1], limit=1_000)
        return found

    async def ever(self) -> bool:
        """Whether a key was ever made."""
        return await self._records.get(_EVER) is not None

    async def revoke(self, key_id: str) -> bool:
        """Refuse a key from now on. Returns whether it was in force."""
        found = key_id != _EVER and await self._records.delete(key_id)
        if found:
            await self._app.note_act("key.revoke", key_id)
        return found


class Bucket:
    """Requests of a key that one process takes in a time: so many at once, and as many again in each of these."""

    def __init__(self, rate: Rate) -> None:
        self._rate, self._left, self._at = rate, float(rate.starts), monotonic()

    def wait(self) -> float:
        """Take one. Seconds until there is one, where there is none now."""
        moment = monotonic()
        each = self._rate.seconds / self._rate.starts
        self._left = min(float(self._rate.starts), self._left + (moment - self._at) / each)
        self._at = moment
        if self._left < 1:
            return (1 - self._left) * each
        self._left -= 1
        return 0.0

    def told(self) -> dict[str, str]:
        """Its rate and what is left of it, as draft-ietf-httpapi-ratelimit-headers has them."""
        starts, seconds = self._rate.starts, self._rate.seconds
        refilled = math.ceil((starts - self._left) * seconds / starts)
        return {
            "RateLimit-Policy": f'"key";q={starts};w={max(1, math.ceil(seconds))}',
            "RateLimit": f'"key";r={max(0, int(self._left))};t={refilled}',
        }


class _Known(NamedTuple):
    key: MadeKey
    bucket: Bucket | None


class KeyRing:
    """The keys of the settings and those that were made, as a process knows them."""

    def __init__(self, keys: Keys, made: MadeKeys, proxy: TrustedProxy | None = None) -> None:
        self._keys, self._made, self._proxy = keys, made, proxy
        self._known: dict[bytes, _Known] = {}
        self._ever = False

    def __bool__(self) -> bool:
        return bool(self._keys) or self._ever or self._proxy is not None

    def holder(self, token: str) -> Holder | None:
        """Who has that key; None for one that is not ours, or is over."""
        if (scope := self._keys.scope(token)) is not None:
            return Holder(scope)
        found = self._known.get(_digest(token))
        if found is None or (found.key.expires is not None and found.key.expires <= now()):
            return None
        return Holder(found.key.scope, found.key.queues, *_taken(found.bucket))

    def user(self, request: web.Request) -> User | None:
        """Whom a trusted proxy has named; None for anybody else."""
        return None if self._proxy is None else self._proxy.user(request)

    def actor_of(self, caller: bytes) -> str:
        """A caller as the audit trail names it."""
        if isinstance(caller, User):
            return PROXY + caller.name
        found = self._known.get(caller)
        return f"key {found.key.name[:NAME] or found.key.id} ({found.key.id})" if found else actor_of(caller)

    async def look(self) -> None:
        """Learn which keys there are now."""
        made = await self._made.all()
        self._ever = bool(made) or await self._made.ever()
        before = self._known
        self._known = {
            key.digest: before[key.digest] if key.digest in before else _Known(key, _bucket(key.rate))
            for key in made
        }

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        """Look again and again within the block; what is known stays while the server is away."""
        await self._try()
        task = asyncio.create_task(self._run(), name="API keys")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            await self._try()

    async def _try(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self.look()
        except (StreamqError, TimeoutError) as error:
            log.debug("API keys were not looked up: %s", error)


async def check_open(settings: AccessSettings) -> None:
    """Raise ``ConfigurationError`` when the API would be open to others without a key: none is in the settings, and
    the server does not say that one was made."""
    try:
        check_binding(Keys.of(settings), settings.host)
    except ConfigurationError:
        if settings.trusted_proxy_addresses:  # all others are refused
            return
        with suppress(StreamqError):
            async with App(settings) as app:
                if await MadeKeys(app).ever():
                    return
        raise


def _taken(bucket: Bucket | None) -> tuple[Any, Any]:
    return (None, None) if bucket is None else (bucket.wait, bucket.told)


def _lifetime(expires: Duration | None) -> float:
    try:
        seconds = FOR_EVER if expires is None else seconds_of(expires)
    except ValueError as error:
        raise UsageError(f"expires={error}") from None
    if not 0 < seconds <= FOR_EVER:
        raise UsageError(f"expires={expires!r} is not possible: use up to ten years, as 30d")
    return seconds


def _bucket(rate: str | None) -> Bucket | None:
    """Raises ``InvalidLimit``."""
    if rate is None:
        return None
    found = Limit(rate=rate).rate
    return Bucket(found) if isinstance(found, Rate) and found.starts else None


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


def _packed(key: MadeKey) -> dict[str, Any]:
    return {
        "digest": key.digest.hex(), "name": key.name, "scope": key.scope.name.lower(), "queues": list(key.queues),
        "rate": key.rate, "created": key.created, "expires": key.expires is not None,
    }  # fmt: skip


def _made(entry: Entry) -> MadeKey:
    said = entry.value
    return MadeKey(
        entry.key, bytes.fromhex(said["digest"]), said["name"], Scope[said["scope"].upper()], tuple(said["queues"]),
        said["rate"], said["created"], entry.until if said["expires"] else None,
    )  # fmt: skip
