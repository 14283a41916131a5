"""What a change of partitions writes is done only when a replica has it, where there are any: the row that tells of the
change is there before, and after a switch to a replica that lags nobody would know what is missing."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, NamedTuple

from streamq.errors import Rejected
from streamq.redis.replies import info_in
from streamq.store.access import Access

log = logging.getLogger("streamq.store")

CONFIRMED_IN: Final = 5_000
"""Milliseconds that a replica has to confirm it."""
TIMES: Final = 5
"""How often it is done at most, where the primary is another one each time."""


class _Primary(NamedTuple):
    run: str
    """What the server calls this run of its own."""
    has_replicas: bool


async def until_safe(access: Access, names: Sequence[str]) -> AsyncIterator[int]:
    """Turns of what writes to these partitions: another one where a server has failed over meanwhile."""
    before = await _primaries(access, names)
    for turn in range(TIMES):
        yield turn
        await _confirm(access, {name: primary for name, primary in before.items() if primary.has_replicas})
        began, before = before, await _primaries(access, names)
        if {name: primary.run for name, primary in began.items()} == {
            name: primary.run for name, primary in before.items()
        }:
            return


async def _primaries(access: Access, names: Sequence[str]) -> Mapping[str, _Primary]:
    """A partition on each server, and which server it is."""
    found: dict[str, _Primary] = {}
    for name in {access.servers.of(name): name for name in names}.values():
        try:
            info = info_in(await access.pool.call(name, "INFO"))
        except Rejected:  # a host that does not tell
            info = {}
        found[name] = _Primary(info.get("run_id", ""), int(info.get("connected_slaves", 0)) > 0)
    return found


async def _confirm(access: Access, names: Mapping[str, _Primary]) -> None:
    """Wait until one replica of each has what was written before: behind a write of the same connection."""
    async with access.pool.links() as links:
        for name in names:
            mark = ("HINCRBY", access.keys(name).staying, "", 0)
            _, have = await links.of(name).batch(
                mark, ("WAIT", 1, CONFIRMED_IN), timeout=2 * CONFIRMED_IN / 1000
            )
            if isinstance(have, Exception) or have < 1:
                log.warning("no replica has confirmed the change of the partitions of %s in time", name)
