"""What a change of partitions writes is done only when a replica has it, where there are any: else nobody would know,
after a switch to one that lags, what is missing."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

from streamq.errors import Rejected
from streamq.redis.link import Link
from streamq.redis.replies import info_in
from streamq.store.access import Access

log = logging.getLogger("streamq.store")

CONFIRMED_IN: Final = 5_000
"""Milliseconds that a replica has to confirm it."""
TIMES: Final = 5
"""How often it is done at most, where the primary is another one each time."""


async def until_safe(access: Access, names: Sequence[str]) -> AsyncIterator[None]:
    """Turns of what writes to these partitions: another one where a server has failed over meanwhile."""
    before = await _runs(access, names)
    for _ in range(TIMES):
        yield
        for name in before:
            async with access.pool.links() as links:
                link = links.of(name)
                await link.call(
                    "HINCRBY", access.keys(name).staying, "", 0
                )  # a write, behind which it is waited
                await confirm(link)
        began, before = before, await _runs(access, names)
        if began == before:
            return


async def confirm(link: Link) -> None:
    """Wait until all replicas have what was written over a connection, if its server has any."""
    if replicas := int((await _told(link)).get("connected_slaves", 0)):
        (have,) = await link.batch(("WAIT", replicas, CONFIRMED_IN), timeout=2 * CONFIRMED_IN / 1000)
        if isinstance(have, Exception) or have < replicas:
            log.warning("not every replica of %s has confirmed a change of partitions in time", link.server)


async def _runs(access: Access, names: Sequence[str]) -> Mapping[str, str]:
    """A partition on each server, and what the server calls this run of its own."""
    found = {}
    async with access.pool.links() as links:
        for name in {access.servers.of(name): name for name in names}.values():
            found[name] = (await _told(links.of(name))).get("run_id", "")
    return found


async def _told(link: Link) -> Mapping[str, str]:
    try:
        return info_in(await link.call("INFO"))
    except Rejected:  # a host that does not tell
        return {}
