"""Records: what services remember beside their jobs, as entries that end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from streamq.errors import StreamqError
from streamq.redis import scripts
from streamq.store.access import Access

SLICES = 20
"""Parts in which a window is counted: a count is at most a twentieth of the window older than it."""


class Kept(NamedTuple):
    """An entry as it is kept."""

    value: bytes
    version: int
    until: float
    """Ms since the epoch by the server's clock."""


class RecordsStore:
    """Commands: an entry is written, deleted, counted. Queries: one entry. ``name`` names the records as a queue."""

    def __init__(self, access: Access) -> None:
        self._access = access

    # -- commands -------------------------------------------------------------------------------------------

    async def put(
        self, name: str, key: str, value: bytes, lifetime: int, limit: int, version: int | None
    ) -> Kept | int | None:
        """Write an entry for ``lifetime`` ms: as it is kept, the version it has where that is another than
        ``version``, or ``None`` where there are ``limit`` of them already."""
        said = "" if version is None else version
        async with self._access.pool.links() as links:
            reply = await scripts.RECORDS_PUT.run(
                links.of(name), self._access.keys(name), f"v{key}", value, lifetime, limit, said
            )
        if reply is None:
            return None
        if len(reply) == 1:
            return int(reply[0])
        now, new, until = reply
        self._access.clock.set(now)
        return Kept(value, int(new), float(until))

    async def delete(self, name: str, key: str, version: int | None) -> tuple[bool, int | None]:
        """Delete an entry and its counts: whether there was one; and the version it has where that is another."""
        said = "" if version is None else version
        async with self._access.pool.links() as links:
            reply = await scripts.RECORDS_DELETE.run(
                links.of(name), self._access.keys(name), f"v{key}", f"c{key}", said
            )
        return (bool(reply), None) if isinstance(reply, int) else (False, int(reply))

    async def count(self, name: str, key: str, window: int, by: int, limit: int) -> int | None:
        """Count ``by`` more in a window of so many ms: the sum, ``None`` where there are ``limit`` entries already."""
        slice_ms = max(1, -(-window // SLICES))
        async with self._access.pool.links() as links:
            reply = await scripts.RECORDS_COUNT.run(
                links.of(name),
                self._access.keys(name),
                f"c{key}",
                by,
                slice_ms,
                -(-window // slice_ms),
                limit,
            )
        return None if reply is None else int(reply)

    # -- queries --------------------------------------------------------------------------------------------

    async def listed(self, name: str, limit: int, after: tuple[float, str] | None) -> list[tuple[str, Kept]]:
        """At most ``limit`` entries in the order of their ends: those after one, by its end in ms and its key."""
        ends, last = after or ("", "")
        async with self._access.pool.links() as links:
            reply = await scripts.RECORDS_LIST.run(links.of(name), self._access.keys(name), limit, ends, last)
        found = zip(reply[::3], reply[1::3], reply[2::3], strict=True)
        return [(key.decode("utf-8", "replace"), _kept(text, ends)) for key, text, ends in found]

    async def size(self, name: str) -> int:
        """How many entries there are, and counts; those whose time is over too, as long as they are there."""
        async with self._access.pool.links() as links:
            return int(await links.of(name).call("HLEN", self._access.keys(name).records))

    async def get(self, name: str, key: str) -> Kept | None:
        """An entry; ``None`` where there is none."""
        async with self._access.pool.links() as links:
            reply = await scripts.RECORDS_GET.run(links.of(name), self._access.keys(name), f"v{key}")
        return self._read(reply)

    async def get_many(self, name: str, keys: Sequence[str]) -> list[Kept | None]:
        """Several entries, in one round trip."""
        calls = [(self._access.keys(name), (f"v{key}",)) for key in keys]
        async with self._access.pool.links() as links:
            replies = await scripts.RECORDS_GET.run_each(links.of(name), calls)
        return [self._read(reply) for reply in replies]

    def _read(self, reply: Any) -> Kept | None:
        """Raises what went wrong with the call."""
        if isinstance(reply, StreamqError):
            raise reply
        now, *found = reply
        self._access.clock.set(now)
        return _kept(*found) if found else None


def _kept(text: bytes, ends: bytes) -> Kept:
    version, _, value = text.partition(b"\n")
    return Kept(value, int(version), float(ends))
