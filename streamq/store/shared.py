"""Shared limits: what several queues draw from together. Each queue leases its part, in a slot of the limits' own."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from streamq.errors import StreamqError
from streamq.model.limit import PARTS, SHARED, Limit, Told, limit_of, written
from streamq.model.places import SEPARATOR, queue_of
from streamq.model.shared_status import SharedStatus, status
from streamq.redis import scripts
from streamq.redis.links import Links
from streamq.store.access import Access

log = logging.getLogger("streamq.store")


class Leased(NamedTuple):
    """What became of one look at what a queue draws from a shared limit."""

    is_drawn: bool
    """Whether any of its jobs draws from it, or wants to."""
    starts: bool
    """Whether a job may start now that could not before."""
    again: float | None
    """Seconds until it should be looked at again; ``None`` for no sooner than something is short."""


TURNS: Final = 3
"""Queues that are leased to, one after the other, as one has given back what they wait for."""
_UNUSED: Final = Leased(is_drawn=False, starts=False, again=None)


class SharedLimits:
    """Commands: shared limits are told, paused and leased. Queries: how they are."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def _on(self, script: scripts.Script, *names: str) -> scripts.Named:
        return script.on(None, **{name: getattr(self._access.shared, name) for name in names})

    # -- commands -------------------------------------------------------------------------------------------

    async def limit(self, name: str, parts: Mapping[str, Any], *, source: str = "told") -> Told:
        """Tell parts of a shared limit, which are checked; ``None`` takes one back. Returns what is said then."""
        said = [part for member in written(parts).items() for part in member]
        on = self._on(scripts.SHARED_LIMIT, "shared", "shared_lease")
        async with self._access.pool.links() as links:
            code, told, queues = await scripts.SHARED_LIMIT.run(links.home, on, source, name, *said)
            await self._lease_again(links, name, queues)
        return Told(limit_of(code), limit_of(told))

    async def declare(self, limits: Mapping[str, Limit]) -> None:
        """Tell what code says of shared limits, where it says something else by now. What is refused is logged."""
        try:
            for name, limit in limits.items():
                before = await self._access.pool.call_home("HGET", self._access.shared.shared, f"code {name}")
                if limit_of(before) != limit:
                    await self.limit(name, {part: getattr(limit, part) for part in PARTS}, source="code")
        except StreamqError as error:
            log.warning("the shared limits that code declares cannot be written: %s", error)

    async def say(self, name: str, parts: Mapping[str, Any], source: str) -> None:
        """Tell parts of a shared limit, unless it is so already."""
        before = limit_of(
            await self._access.pool.call_home("HGET", self._access.shared.shared, f"{source} {name}")
        )
        if any(getattr(before, part) != value for part, value in parts.items()):
            await self.limit(name, parts, source=source)

    async def pause(self, name: str, reason: str, by: str, ends: str, *, extend: bool = False) -> bool:
        """Start nothing that draws from it until ``ends``, a due time; empty is for ever, and ``now`` ends a pause.

        With ``extend`` a longer one stays. Returns whether that changes anything.
        """
        on = self._on(scripts.SHARED_PAUSE, "shared", "shared_lease")
        async with self._access.pool.links() as links:
            now, changed, queues = await scripts.SHARED_PAUSE.run(
                links.home, on, name, reason, by, ends, "1" if extend else ""
            )
            self._access.clock.set(now)
            for queue in map(bytes.decode, queues):  # at once, not when their leases end
                of, keys = links.of(queue), self._access.keys(queue)
                if ends == "now":
                    await scripts.GROUP_RESUME.run(of, keys, SHARED + name)
                else:
                    await scripts.GROUP_PAUSE.run(
                        of, keys, SHARED + name, reason, by, ends, "1" if extend else ""
                    )
            await self._lease_again(links, name, queues)
        return bool(changed)

    async def drawn_by(self, queue: str, job_id: str) -> list[str]:
        """The shared limits that an active job draws from."""
        told = await self._access.pool.call(queue, "HGET", self._access.keys(queue).out, job_id)
        last = (told or b"").decode("utf-8", "replace").split("\n")[2:]
        names = [drawn.rpartition("=")[0] for drawn in " ".join(last).split() if "=" in drawn]
        return [name for name in names if SEPARATOR not in name]

    async def remove(self, name: str) -> bool:
        """Forget what was told of it. Returns whether anything was."""
        key = self._access.shared.shared
        removed = await self._access.pool.call_home("HDEL", key, f"told {name}", f"pause {name}")
        await self.limit(name, {})  # nothing more is told: those that wait hear of it at once
        return bool(removed)

    async def forget_queue(self, queue: str) -> None:
        """The queue is removed, and holds nothing of any shared limit any more."""
        fields = await self._access.pool.call_home("HKEYS", self._access.shared.shared)
        for name in {field.decode("utf-8", "replace").partition(" ")[2] for field in fields}:
            await self._access.pool.call_home(
                "HDEL", self._access.shared.shared_lease + name, f"queue {queue}"
            )

    async def _lease_again(self, links: Links, name: str, queues: Sequence[bytes]) -> None:
        """What these queues have leased is given back, and leased again as the limit is now."""
        for queue in map(bytes.decode, queues):
            try:
                await self.lease(links, queue, name)
            except StreamqError as error:  # its leaser does it in a moment anyhow
                log.debug("%s hears of its shared limits later: %s", queue_of(queue), error)

    # -- what the leaser does -------------------------------------------------------------------------------

    async def drawn(self, links: Links, queue: str) -> set[str]:
        """The shared limits that jobs of a queue draw from, or are short of."""
        fields = await links.of(queue).call("HKEYS", self._access.keys(queue).leases)
        return {field.decode("utf-8", "replace").partition(" ")[0] for field in fields}

    async def lease(self, links: Links, queue: str, name: str, *, turns: int = TURNS) -> Leased:
        """Give back what is left of a queue's lease, and lease what it needs now; then those that wait for that."""
        of, keys = links.of(queue), self._access.keys(queue)
        taken = await scripts.LEASE_TAKE.run(of, keys, name)
        if not taken:
            return _UNUSED
        used, token, spent, last, least, most, waiting, take = taken
        on = self._on(scripts.SHARED_LEASE, "shared", "shared_lease", "shared_held")
        (
            now,
            hold,
            start,
            ends,
            number,
            is_used,
            again,
            pause,
            cap,
            following,
        ) = await scripts.SHARED_LEASE.run(
            links.home, on, name, queue, token, spent, last, used, least, most, waiting
        )
        self._access.clock.set(now)
        starts = await scripts.LEASE_GRANT.run(
            of, keys, name, hold, start, ends, number, is_used, take, pause, cap, least
        )
        if following and turns:
            await self.lease(links, following.decode(), name, turns=turns - 1)
        return Leased(bool(is_used), bool(starts), again / 1000 if again else None)

    # -- queries --------------------------------------------------------------------------------------------

    async def names(self) -> list[str]:
        """The names of all shared limits of which anything is said."""
        fields = await self._access.pool.call_home("HKEYS", self._access.shared.shared)
        names = {field.decode("utf-8", "replace").partition(" ")[2] for field in fields}
        return sorted(name for name in names if SEPARATOR not in name)  # the others are of partitions

    async def status(self, name: str) -> SharedStatus:
        """How one is."""
        on = self._on(scripts.SHARED_STATUS, "shared", "shared_lease")
        async with self._access.pool.links() as links:
            said = await scripts.SHARED_STATUS.run(links.home, on, name)
        self._access.clock.set(said[0])
        return status(name, said)
