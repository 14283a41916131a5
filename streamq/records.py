"""Records: what a service remembers beside its jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from streamq.client.client import Client
from streamq.durations import Duration, seconds_of
from streamq.errors import UsageError
from streamq.model import codec
from streamq.model.clock import from_ms
from streamq.model.names import checked_queue
from streamq.model.shown import as_given
from streamq.model.values import Unfit, write_untyped
from streamq.noun_errors import RecordConflict, RecordsFull
from streamq.store.records import Kept

LIMIT: Final = 100_000
"""Entries under one name, where the caller names no other bound: with their keys some 20 MB, where each is short."""
HIGHEST_LIMIT: Final = 10_000_000
"""Entries that a caller may ask for: with their keys two gigabytes."""
VALUE_BYTES: Final = 65_536
"""Bytes of a value: what is larger belongs into a database."""
KEY_LENGTH: Final = 500
"""Characters of a key, as many as of a unique key."""
LIFETIME: Final = 86_400.0
"""Seconds that an entry is kept where nothing else is said: a day."""
LONGEST: Final = 3_660 * 86_400.0
"""Seconds that one may be kept: ten years. What is to stay for ever belongs into a database."""
PAGE: Final = 1_000
"""Entries that are listed at once."""
SHORTEST: Final = 0.001
"""Seconds: the server counts in milliseconds."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of records at one moment."""

    key: str
    value: Any
    version: int
    """Higher after each change, and never used again."""
    until: datetime
    """When it is forgotten, by the server's clock."""


class Records:
    """Made by ``app.records(name)``: small entries under keys, each with a lifetime, in Redis and not beside it.

    Every method raises ``Unavailable`` when the server cannot be reached, and ``UsageError`` for a key that is not
    1 to 500 characters.
    """

    def __init__(self, name: str, client: Client, limit: int) -> None:
        client.store.keys(checked_queue(name))  # raises also when the app is not open
        if type(limit) is not int or not 1 <= limit <= HIGHEST_LIMIT:
            raise UsageError(
                f"limit={as_given(limit)} is not a number of entries: use 1 to {HIGHEST_LIMIT:,}"
            )
        self.name, self.limit, self._client = name, limit, client

    def __repr__(self) -> str:
        return f"<Records {self.name!r}>"

    async def get(self, key: str) -> Entry | None:
        """The entry under a key; ``None`` where there is none, its lifetime is over, or another program wrote there."""
        found = await self._client.store.records.get(self.name, _key(key))
        try:
            return None if found is None else _entry(key, found)
        except codec.JSONDecodeError:
            return None

    async def get_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """The same of several entries, in one round trip."""
        found = await self._client.store.records.get_many(self.name, [_key(key) for key in keys])
        return [
            _entry(key, kept) if kept is not None and _is_readable(kept) else None
            for key, kept in zip(keys, found, strict=True)
        ]

    async def list(self, after: Entry | None = None, *, limit: int = 100) -> list[Entry]:
        """At most ``limit`` entries, up to 1,000, those that end first in front; where they are large, fewer.

        All of them are read page by page: each call names the last entry of the one before, and an empty page is the
        end. What is written meanwhile may come too. Raises ``UsageError``.
        """
        if type(limit) is not int or not 1 <= limit <= PAGE:
            raise UsageError(f"limit={as_given(limit)} is not possible: use 1 to {PAGE:,}")
        last = None if after is None else (round(after.until.timestamp() * 1000), after.key)
        found = await self._client.store.records.listed(self.name, limit, last)
        return [_entry(key, kept) for key, kept in found if _is_readable(kept)]

    async def size(self) -> int:
        """How many entries there are, counts among them, and those whose time is just over."""
        return await self._client.store.records.size(self.name)

    async def put(
        self, key: str, value: Any, *, lifetime: Duration = LIFETIME, version: int | None = None
    ) -> Entry:
        """Write an entry, whatever was there; its ``lifetime`` (a day) begins anew. Returns it.

        ``value`` is whatever has a JSON form of 64 KB at most. With ``version``, as an entry told it, nothing is
        written where it was changed since: ``RecordConflict``; 0 says that there must be none. Raises ``RecordsFull``
        for one more than ``limit``, and ``UsageError``.
        """
        said = await self._client.store.records.put(
            self.name, _key(key), _encoded(value), _ms("lifetime", lifetime), self.limit, _version(version)
        )
        if said is None:
            raise RecordsFull(self.name, self.limit)
        if isinstance(said, int):
            raise RecordConflict(self.name, key, version or 0, said)
        return _entry(key, said)

    async def add(self, key: str, value: Any = None, *, lifetime: Duration = LIFETIME) -> bool:
        """Write an entry where there is none. Returns whether that was so: of many callers one is told ``True``."""
        try:
            await self.put(key, value, lifetime=lifetime, version=0)
        except RecordConflict:
            return False
        return True

    async def delete(self, key: str, *, version: int | None = None) -> bool:
        """Forget an entry, and what was counted under its key. Returns whether there was anything.

        Raises ``RecordConflict`` where it has another ``version``.
        """
        was_there, other = await self._client.store.records.delete(self.name, _key(key), _version(version))
        if other is not None:
            raise RecordConflict(self.name, key, version or 0, other)
        return was_there

    async def count(self, key: str, window: Duration, *, by: int = 1) -> int:
        """Count something that happens now. Returns how often it has in the last ``window``, with this.

        ``by=0`` only looks. A window slides: it is counted in twentieths, of which the oldest counts as a whole, so
        the number is never too low. Another window under the same key begins a new count. Raises ``RecordsFull``.
        """
        if type(by) is not int or not 0 <= by <= 10**9:
            raise UsageError(
                f"by={as_given(by)} cannot be counted: use a whole number from 0 to 1,000,000,000"
            )
        counted = await self._client.store.records.count(
            self.name, _key(key), _ms("window", window), by, self.limit
        )
        if counted is None:
            raise RecordsFull(self.name, self.limit)
        return counted


def _is_readable(kept: Kept) -> bool:
    """Whether it was not another program that wrote it."""
    try:
        codec.all_of(kept.value)
    except codec.JSONDecodeError:
        return False
    return True


def _entry(key: str, kept: Kept) -> Entry:
    return Entry(key, codec.all_of(kept.value), kept.version, from_ms(kept.until))


def _key(key: object) -> str:
    if isinstance(key, str) and 1 <= len(key) <= KEY_LENGTH and key.isprintable():
        return key
    raise UsageError(f"{as_given(key)} cannot be a key: use 1 to {KEY_LENGTH} characters on one line")


def _version(version: object) -> int | None:
    if version is None or (type(version) is int and 0 <= version < 2**53):
        return version
    raise UsageError(f"version={as_given(version)} is not a version: use that of the entry, or 0 for none")


def _ms(name: str, duration: Duration) -> int:
    try:
        seconds = seconds_of(duration)
    except ValueError as error:
        raise UsageError(f"{name}={error}") from None
    if not SHORTEST <= seconds <= LONGEST:
        raise UsageError(
            f"{name}={as_given(duration)} is not possible: use 1 ms to {LONGEST / 86_400:.0f} days"
        )
    return int(seconds * 1000)


def _encoded(value: Any) -> bytes:
    try:
        encoded = write_untyped(value)
    except Unfit as error:
        raise UsageError(f"the value has no JSON form: {error.errors[0].message}") from None
    if problem := codec.unreadable(encoded):
        raise UsageError(f"the value cannot be read again: {problem}")
    if len(encoded) > VALUE_BYTES:
        raise UsageError(
            f"the value has {len(encoded):,} bytes, at most {VALUE_BYTES:,} are allowed: keep it elsewhere, and a "
            "reference to it here"
        )
    return encoded
