"""What has to stay in a partition that is its home no more, as long as any of its jobs is there: groups and keys."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from streamq.model.limit import GROUP
from streamq.model.partitions import Partitions
from streamq.model.places import WITHIN, anchor, home, number_of
from streamq.model.schedule import group_in
from streamq.redis import scripts
from streamq.redis.link import Link
from streamq.redis.replies import pairs
from streamq.store.access import Access

SCANNED: Final = 500
"""Jobs that one call looks at: about half a millisecond of the server's time."""
WALKS: Final = 3
"""How often it is looked what lives there: a job that goes from one key to another while one looks at the other is
missed by a walk, and by no three unless it comes and goes each time."""
_SPECIAL: Final = re.compile(r"([\\*?\[\]])")


async def note(
    access: Access, link: Link, name: str, its: Partitions, on_page: Callable[[], Awaitable[None]]
) -> bool:  # fmt: skip
    """Note what lives in an old partition and belongs elsewhere now; ``on_page`` is called now and then. Returns
    whether anything does."""
    key = access.keys(name).staying
    for _ in range(WALKS):
        async for some in _living(access, link, name):
            await on_page()
            moved = [each for each in some if _moves(each, name, its)]
            if moved:
                await link.batch(*[("HSETNX", key, each, 1) for each in moved])
    return int(await link.call("HLEN", key)) > 1  # one has no name


async def let_go(access: Access, link: Link, name: str) -> int:
    """Let go what is gone: of which nothing lives there, however often one looks, and no job has come meanwhile.
    Returns how many stay."""
    noted = pairs(await link.call("HGETALL", access.keys(name).staying))
    noted.pop(b"", None)
    gone = dict(noted)
    for _ in range(WALKS):
        if gone:
            async for some in _living(access, link, name):
                for each in some:
                    gone.pop(each.encode(), None)
    if not gone:
        return len(noted)
    flat = [part for row in gone.items() for part in row]
    _, stay = await scripts.LEAVE_HOME.run(link, access.keys(name), *flat)
    return int(stay)


async def _living(access: Access, link: Link, name: str) -> AsyncIterator[set[str]]:
    """Groups and keys of which there is any job in a partition, or a start that counts for a rate, some at a time."""
    keys, cursor = access.keys(name), b""
    while cursor != b"0":  # before those that are let through: jobs go there from here
        cursor, *said = await scripts.TENANTS.run(link, keys, cursor or 0, SCANNED)
        yield {anchor(text.decode("utf-8", "replace"), "") for text in said}
    async for rows in _scan(link, "HSCAN", keys.out):
        yield {anchor(text.decode("utf-8", "replace").partition("\n")[0], "") for text in rows[1::2]}
    async for rows in _scan(link, "HSCAN", keys.schedules):
        yield {anchor(group, "") for text in rows[1::2] if (group := group_in(text))}
    async for rows in _scan(link, "HSCAN", keys.unique):
        yield {_anchor_of_key(text.decode("utf-8", "replace")) for text in rows[::2]}
    if await _has_rates(link, keys.limits):
        begins = f"{keys.starts}{GROUP}"
        async for names in _scan(link, "SCAN", "MATCH", _SPECIAL.sub(r"\\\1", begins) + "*"):
            yield {anchor(text.decode("utf-8", "replace").removeprefix(begins), "") for text in names}


async def _has_rates(link: Link, limits: str) -> bool:
    """Whether any group may have a rate: then its starts count for a while after its last job."""
    said = pairs(await link.call("HGETALL", limits))
    return any(GROUP.encode() in scope and b"starts=" in text for scope, text in said.items())


async def _scan(link: Link, command: str, *key: str) -> AsyncIterator[list[bytes]]:
    cursor = b""
    while cursor != b"0":
        on = (cursor or 0, *key) if command == "SCAN" else (*key, cursor or 0)
        cursor, rows = await link.call(command, *on, "COUNT", SCANNED)
        yield rows


def _anchor_of_key(key: str) -> str:
    tenant, within, _ = key.partition(WITHIN)
    return anchor(tenant, "") if within else anchor("", key)


def _moves(anchor_: str, name: str, its: Partitions) -> bool:
    """Whether what lives in a partition belongs elsewhere now. In a queue that had one, keys were unique in all of it:
    so each group with its keys stays until it is gone, and is made anew then."""
    return its.first or home(anchor_, its.count) != number_of(name)
