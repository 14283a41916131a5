"""Groups: their limits and pauses are told, and looked at."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from streamq.errors import StreamqError
from streamq.model.breaker_status import BreakerStatus
from streamq.model.breaker_status import status as breaker_status
from streamq.model.group import tenant_of
from streamq.model.group_status import GroupStatus, status
from streamq.model.limit import (
    CODE,
    GROUP,
    OF_SHARED,
    PARTS,
    PAUSE,
    QUEUE,
    SHARED,
    TASK,
    TOLD,
    WHOLE,
    Limit,
    Told,
    limit_of,
    written,
)
from streamq.model.places import queue_of, shared_name
from streamq.redis import scripts
from streamq.redis.answers import translate
from streamq.redis.link import Link
from streamq.redis.links import Links
from streamq.redis.replies import pairs
from streamq.store.access import Access
from streamq.store.shared import SharedLimits

log = logging.getLogger("streamq.store")

PAGE: Final = 100
"""Groups of which is told at once: about a millisecond of the server's time."""
SCANNED: Final = 1_000
"""Groups that one step passes over in search of the parts of a tenant."""
_SPECIAL: Final = re.compile(r"([*?\[\]\\])")


class Groups:
    """Commands: limits and pauses of scopes (``model.limit``). Queries: how groups are."""

    def __init__(self, access: Access, shared: SharedLimits) -> None:
        self._access, self._shared = access, shared

    # -- commands -------------------------------------------------------------------------------------------

    async def limit(self, queue: str, scope: str, parts: Mapping[str, Any], *, source: str = "told") -> Told:
        """Tell parts of the limit of a scope, which are checked; ``None`` takes one back. Returns what is said then."""
        async with self._access.pool.links() as links:
            link = links.of(queue)
            said = await self._limit(link, queue, source, scope, parts)
            if scope.startswith(GROUP) or queue_of(queue) not in self._access.partitions:
                return said
            return await self._share_out(link, queue, source, scope, said)

    async def _share_out(self, link: Link, queue: str, source: str, scope: str, said: Told) -> Told:
        """The partitions of a queue draw from one shared limit what all of it may: what each says alone is as much."""
        own, name = said.code if source == "code" else said.told, shared_name(queue_of(queue), scope)
        whole = {part: getattr(own, part) for part in OF_SHARED}
        await self._shared.say(name, whole, source)
        held_to = any(getattr(each, part) is not None for each in said for part in OF_SHARED)
        return await self._limit(link, queue, "told", scope, {WHOLE: name if held_to else None})

    async def _limit(self, link: Link, queue: str, source: str, scope: str, parts: Mapping[str, Any]) -> Told:
        keys = self._access.keys(queue)
        said = [part for member in written(parts).items() for part in member]
        code, told, cursor = await scripts.LIMIT.run(link, keys, source, scope, *said)
        while cursor != b"0":  # it holds already: here those that wait have their turn
            cursor = await scripts.WAKE.run(link, keys, scope, cursor)
        return Told(limit_of(code), limit_of(told))

    async def declare(self, links: Links, queue: str, limits: Mapping[str, Limit]) -> None:
        """Tell what code says of scopes, where it says something else by now. What is refused is logged."""
        try:
            link, scopes = links.of(queue), list(limits)
            fields = [CODE + scope for scope in scopes]
            before = await link.call("HMGET", self._access.keys(queue).limits, *fields)
            for scope, text in zip(scopes, before, strict=True):
                if limit_of(text) != limits[scope]:
                    parts = {name: getattr(limits[scope], name) for name in PARTS}
                    await self.limit(queue, scope, parts, source="code")
        except StreamqError as error:
            log.warning("the limits that code declares of %s cannot be written: %s", queue_of(queue), error)

    async def pause(
        self, queue: str, scope: str, reason: str, by: str, ends: str, *, extend: bool = False,
        links: Links | None = None,
    ) -> None:  # fmt: skip
        """Start no job of a scope until ``ends``, a due time; empty is for ever. With ``extend`` a longer one stays."""
        arguments = (scope, reason, by, ends, "1" if extend else "")
        if links is not None:
            now, _ = await scripts.GROUP_PAUSE.run(links.of(queue), self._access.keys(queue), *arguments)
        else:
            async with self._access.pool.links() as own:
                now, _ = await scripts.GROUP_PAUSE.run(own.of(queue), self._access.keys(queue), *arguments)
        self._access.clock.set(now)

    async def resume(self, queue: str, scope: str) -> bool:
        """End a pause. Returns whether there was one."""
        async with self._access.pool.links() as links:
            return bool(await scripts.GROUP_RESUME.run(links.of(queue), self._access.keys(queue), scope))

    async def close_breaker(self, queue: str, scope: str) -> bool:
        """The gate is open for a scope, whatever has failed. Returns whether it was closed by a breaker, or a pause."""
        keys = self._access.keys(queue)
        was_open = await self._access.pool.call(queue, "HEXISTS", keys.limits, PAUSE + scope)
        await self._access.pool.call(queue, "UNLINK", keys.errors + scope)
        await self.resume(queue, scope)
        return bool(was_open)

    # -- queries --------------------------------------------------------------------------------------------

    async def limits(self, queue: str) -> dict[str, Told]:
        """What is said of the queue, of tasks in it, and of every group; not of single groups."""
        said = await self._access.pool.call(queue, "HGETALL", self._access.keys(queue).limits)
        fields = dict(zip(said[::2], said[1::2], strict=True))
        scopes = {name.partition(b" ")[2] for name in fields if name.startswith((b"code ", b"told "))}
        return {
            scope.decode("utf-8", "replace"): Told(
                limit_of(fields.get(b"code " + scope)), limit_of(fields.get(b"told " + scope))
            )
            for scope in sorted(scopes)
        }

    async def is_limited(self, queue: str, scope: str) -> bool:
        """Whether any limit is said of a scope."""
        return bool(await self._access.pool.call(queue, "HEXISTS", self._access.keys(queue).limits, scope))

    async def breaker(self, queue: str, scope: str) -> BreakerStatus:
        """How the breaker of a scope is."""
        keys = self._access.keys(queue)
        fields = (_general(scope), scope, PAUSE + scope)
        async with self._access.pool.links() as links:
            said, counts, clock = await links.of(queue).calls(
                ("HMGET", keys.limits, *fields), ("HGETALL", keys.errors + scope), ("TIME",)
            )
        now = int(clock[0]) * 1000 + int(clock[1]) // 1000
        return breaker_status(scope, tuple(said[:2]), said[2], pairs(counts), now)

    async def breakers(self, queue: str) -> list[BreakerStatus]:
        """Those that are open, and those of which something is said alone."""
        said = pairs(await self._access.pool.call(queue, "HGETALL", self._access.keys(queue).limits))
        scopes = {name.decode("utf-8", "replace") for name, text in said.items() if b"errors=" in text}
        scopes |= {
            name.decode("utf-8", "replace").removeprefix(PAUSE)
            for name, text in said.items()
            if name.startswith(PAUSE.encode()) and not name.startswith(f"{PAUSE}{SHARED}".encode())
        }
        own = [scope for scope in sorted(scopes) if not scope.startswith((CODE, TOLD, f"{GROUP}*"))]
        return [await self.breaker(queue, scope) for scope in own]

    async def statuses(self, queue: str, names: Sequence[str]) -> list[GroupStatus]:
        """How these groups are; jobs of parts are not counted as their tenant's."""
        found: list[GroupStatus] = []
        async with self._access.pool.links() as links:
            for at in range(0, len(names), PAGE):
                page = names[at : at + PAGE]
                now, _, rows = await self._rows(links.of(queue), queue, page)
                found += [status(name, row, now) for name, row in zip(page, rows, strict=True)]
        return found

    async def status(self, queue: str, name: str) -> GroupStatus:
        """How a group is; of a tenant with the jobs of its parts."""
        async with self._access.pool.links() as links:
            link = links.of(queue)
            now, has_parts, (row,) = await self._rows(link, queue, (name,))
            parts = await self._of_parts(link, queue, name) if has_parts and tenant_of(name) == name else 0
        return status(name, row, now, parts)

    async def _rows(self, link: Link, queue: str, names: Sequence[str]) -> tuple[int, bool, list[list[Any]]]:
        said = await scripts.GROUP_STATUS.run(link, self._access.keys(queue), *names)
        now, has_parts, rows = said[0], said[1], said[2:]
        self._access.clock.set(now)
        return now, bool(has_parts), [rows[at : at + 7] for at in range(0, len(rows), 7)]

    async def _of_parts(self, link: Link, queue: str, tenant: str) -> int:
        """How many jobs of the parts of a tenant wait: the groups are passed over, a page at a time."""
        key, pattern, total, cursor = (
            self._access.keys(queue).lines,
            _SPECIAL.sub(r"\\\1", tenant) + ":*",
            0,
            b"0",
        )
        while True:
            cursor, found = await link.call("ZSCAN", key, cursor, "MATCH", pattern, "COUNT", SCANNED)
            total += sum(int(float(count)) for count in found[1::2])
            if cursor == b"0":
                return total

    async def listed(self, queue: str, limit: int, *, longest: bool) -> list[GroupStatus]:
        """Groups of which jobs wait, at most ``limit``: those with most, or those that have waited ``longest``.

        The latter are found among those that the gate has passed over longest, those that are next, and the busiest.
        """
        keys = self._access.keys(queue)
        commands: list[tuple[str | int, ...]] = [("ZRANGE", keys.lines, 0, limit - 1, "REV")]
        if longest:
            commands += [("ZRANGE", keys.shut, 0, limit - 1), ("ZRANGE", keys.turns, 0, limit - 1)]
        async with self._access.pool.links() as links:
            replies = await links.of(queue).batch(*commands)
        for reply in replies:
            if isinstance(reply, Exception):
                raise translate(reply, sent=True) from reply
        names = [name.decode("utf-8", "replace") for names in replies for name in names]
        found = [each for each in await self.statuses(queue, list(dict.fromkeys(names))) if each.waiting]
        found.sort(key=lambda each: (-each.age if longest else -each.waiting, each.name))
        return found[:limit]


def _general(scope: str) -> str:
    """The scope of all of its kind; of what is no group it is itself."""
    if not scope.startswith(GROUP):
        return scope
    return f"{GROUP}*:*" if ":" in scope.removeprefix(GROUP) else f"{GROUP}*"


def declared(tasks: Mapping[str, Limit | None], said: Mapping[str, Limit]) -> dict[str, Limit]:
    """What code says of each scope that it may say something of; nothing, for most."""
    nothing = Limit()
    return {
        QUEUE: nothing, f"{GROUP}*": nothing, f"{GROUP}*:*": nothing, **said,
        **{TASK + name: limit or nothing for name, limit in tasks.items()},
    }  # fmt: skip
