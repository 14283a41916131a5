"""What was told to a queue is told to its new partitions, too; what holds for all of them together is shared out."""

from __future__ import annotations

from collections.abc import Sequence

from streamq.model.limit import CODE, GROUP, PARTS, PAUSE, TOLD, limit_of
from streamq.model.partitions import shares
from streamq.model.steering import LIMITED, MAX_WAITING
from streamq.redis.replies import pairs
from streamq.store.access import Access
from streamq.store.group import Groups


async def inherit(access: Access, groups: Groups, names: Sequence[str], new: Sequence[str]) -> None:
    """Tell the ``new`` ones among the partitions of a queue what its first one was told: it may be done again."""
    first, *_ = names
    keys = access.keys(first)
    call = access.pool.call  # one connection at a time: a limit that is told takes one, too
    steering, retention, limits = [
        pairs(await call(first, "HGETALL", key)) for key in (keys.steering, keys.retention, keys.limits)
    ]
    plain = {name: text for name, text in steering.items() if name not in (LIMITED, MAX_WAITING)}
    pauses = {field: text for field, text in limits.items() if field.startswith(PAUSE.encode())}
    for name in new:
        own = access.keys(name)
        for key, fields in ((own.steering, plain), (own.retention, retention), (own.limits, pauses)):
            if fields:
                await call(name, "HSET", key, *[part for row in fields.items() for part in row])
    for field, text in limits.items():
        await _limit(groups, names, new, field.decode("utf-8", "replace"), text)
    await _share_bound(access, names)


async def _limit(
    groups: Groups, names: Sequence[str], new: Sequence[str], field: str, text: bytes
) -> None:  # fmt: skip
    """A limit of a group is told to the new ones alone; one of the queue, or a task, to all: they share it from now."""
    source = next((each for each in (CODE, TOLD) if field.startswith(each)), "")
    scope = field.removeprefix(source)
    if field.startswith(PAUSE) or not (
        source or (scope.startswith(GROUP) and not scope.startswith(f"{GROUP}*"))
    ):
        return
    limit = limit_of(text)
    parts = {part: getattr(limit, part) for part in PARTS if getattr(limit, part) is not None}
    for name in new if scope.startswith(GROUP) else names:
        if parts:
            await groups.limit(name, scope, parts, source=source.strip() or "told")


async def _share_bound(access: Access, names: Sequence[str]) -> None:
    """How many jobs may wait is of all partitions together."""
    call = access.pool.call
    bounds = [await call(name, "HGET", access.keys(name).steering, MAX_WAITING) for name in names]
    found = [int(bound) for bound in bounds if bound is not None]
    if not found:
        return
    for name, bound in zip(names, shares(sum(found), len(names)), strict=True):
        await call(name, "HSET", access.keys(name).steering, MAX_WAITING, bound)
