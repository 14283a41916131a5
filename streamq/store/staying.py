"""What has to stay in a partition that is its home no more, as long as any of its jobs is there: groups and keys."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from streamq.model.batched import batched
from streamq.model.limit import GROUP
from streamq.model.partitions import NONE, Partitions
from streamq.model.places import WITHIN, anchor, anchor_before, anchor_shown, home, number_of
from streamq.redis import scripts
from streamq.redis.link import Link
from streamq.redis.replies import pairs
from streamq.store.access import Access
from streamq.store.schedules import IN_TURN

SCANNED: Final = 500
"""Jobs that one call looks at: about half a millisecond of the server's time."""
WALKS: Final = 3
"""How often it is looked what lives there: a job that goes from one key to another while one looks at the other is
missed by a walk, and by no three unless it comes and goes each time."""
EXAMPLES: Final = 5
"""How many of those that stay are told by name."""
_SPECIAL: Final = re.compile(r"([\\*?\[\]])")


@dataclass(frozen=True, slots=True)
class Staying:
    """What stays in partitions: how much, and some of it as people know it."""

    count: int = 0
    examples: tuple[str, ...] = ()

    def __add__(self, other: Staying) -> Staying:
        return Staying(self.count + other.count, (*self.examples, *other.examples)[:EXAMPLES])


NOTHING: Final = Staying()


async def note(
    access: Access, link: Link, name: str, its: Partitions, on_page: Callable[[], Awaitable[None]]
) -> Staying:
    """Note what lives in an old partition and belongs elsewhere now, and no more what is at home there again;
    ``on_page`` is called now and then. Returns what stays."""
    key = access.keys(name).staying
    before = {anchor.decode() for anchor in await _noted(link, key)}
    at_home = [each for each in before if each[0] in "gk" and not _moves(each, name, its)]
    for gone in batched(at_home, SCANNED):
        await link.call("HDEL", key, *gone)
    for _ in range(WALKS):
        async for some in _living(access, link, name):
            await on_page()
            anew = [each for each in some if anchor_before(each) not in before]
            noted = map(anchor_before, anew) if its.former == (NONE,) else anew
            moved = [each for each in noted if _moves(each, name, its)]
            if moved:
                await link.batch(*[("HSETNX", key, each, 1) for each in moved])
    return await _staying(link, key)


async def let_go(access: Access, link: Link, name: str) -> Staying:
    """Let go what is gone: of which nothing lives there, however often one looks, and no job has come meanwhile.
    Returns what stays."""
    key = access.keys(name).staying
    gone = await _noted(link, key)
    if not gone:
        return NOTHING
    for _ in range(WALKS):
        if gone:
            async for some in _living(access, link, name):
                for each in some:
                    gone.pop(each.encode(), None)
                    gone.pop(anchor_before(each).encode(), None)
    for rows in batched(gone.items(), SCANNED):
        await scripts.LEAVE_HOME.run(link, access.keys(name), *[part for row in rows for part in row])
    return await _staying(link, key)


async def _staying(link: Link, key: str) -> Staying:
    some: list[str] = []
    async for rows in _scan(link, "HSCAN", key):
        some += [anchor_shown(each.decode("utf-8", "replace")) for each in rows[::2] if each]
        if len(some) >= EXAMPLES:
            break
    has_change = await link.call("HEXISTS", key, "")
    return Staying(int(await link.call("HLEN", key)) - int(has_change), tuple(some[:EXAMPLES]))


async def _noted(link: Link, key: str) -> dict[bytes, bytes]:
    """What stays, and how many of its jobs have come; what has no name is the number of the change."""
    noted: dict[bytes, bytes] = {}
    async for rows in _scan(link, "HSCAN", key):
        noted |= zip(rows[::2], rows[1::2], strict=True)
    noted.pop(b"", None)
    return noted


async def _living(access: Access, link: Link, name: str) -> AsyncIterator[set[str]]:
    """Groups and keys of which there is any job in a partition, or a start that counts for a rate, some at a time."""
    keys, cursor = access.keys(name), b""
    while cursor != b"0":  # before those that are let through: jobs go there from here
        cursor, *said = await scripts.TENANTS.run(link, keys, cursor or 0, SCANNED)
        yield {anchor(text.decode("utf-8", "replace"), "") for text in said}
    async for rows in _scan(link, "HSCAN", keys.out):
        yield {anchor(text.decode("utf-8", "replace").partition("\n")[0], "") for text in rows[1::2]}
    own = {IN_TURN + name.decode("utf-8", "replace") for name in await link.call("HKEYS", keys.schedules)}
    async for rows in _scan(link, "HSCAN", keys.unique):
        taken = {text.decode("utf-8", "replace") for text in rows[::2]}
        yield {_anchor_of_key(key) for key in taken - own}  # a schedule takes its key along
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


def _moves(anchor: str, name: str, its: Partitions) -> bool:
    """Whether what lives in a partition belongs elsewhere now. What stays since the queue had no partitions does so
    until it is gone, and is made anew then: its keys are those of the whole queue."""
    return anchor[0] in "GK" or home(anchor, its.count) != number_of(name)
