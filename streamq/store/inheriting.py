"""What was told to a queue is told to its new partitions, too; what holds for all of them together is shared out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from streamq.model.limit import CODE, GROUP, PARTS, PAUSE, TOLD, limit_of
from streamq.model.partitions import Partitions, shares
from streamq.model.steering import LIMITED, MAX_WAITING
from streamq.redis.replies import pairs
from streamq.store.access import Access
from streamq.store.group import Groups

_OWN: Final = (LIMITED, MAX_WAITING)
"""What each partition has for itself."""


async def inherit(access: Access, groups: Groups, names: Sequence[str], its: Partitions) -> None:
    """Tell the new ones among the partitions of a queue what its first one was told, and nothing else: one may have
    been told much before it was given up. It may be done again."""
    first, new = names[0], names[its.had :]
    keys = access.keys(first)
    call = access.pool.call  # one connection at a time: a limit that is told takes one, too
    steering, retention, limits = [
        pairs(await call(first, "HGETALL", key)) for key in (keys.steering, keys.retention, keys.limits)
    ]
    plain = {name: text for name, text in steering.items() if name not in _OWN}
    pauses = {field: text for field, text in limits.items() if field.startswith(PAUSE.encode())}
    for name in new:
        own = access.keys(name)
        await _take_back(access, groups, name, limits)
        said = await _limits_of(access, name)
        for key, fields, kept in (
            (own.steering, plain, _OWN),
            (own.retention, retention, ()),
            (own.limits, pauses, said),
        ):
            gone = [field for field in await call(name, "HKEYS", key) if field not in (*fields, *kept)]
            if gone:
                await call(name, "HDEL", key, *gone)
            if fields:
                await call(name, "HSET", key, *[part for row in fields.items() for part in row])
    for field, text in limits.items():
        await _limit(groups, names, new, field.decode("utf-8", "replace"), text)
    await _share_bound(access, names, its.count)


async def _limits_of(access: Access, name: str) -> list[bytes]:
    """What is said of limits in a partition, but for pauses."""
    fields: list[bytes] = await access.pool.call(name, "HKEYS", access.keys(name).limits)
    return [field for field in fields if not field.startswith(PAUSE.encode())]


async def _take_back(access: Access, groups: Groups, name: str, limits: Collection[bytes]) -> None:
    """Take back what is said of limits in a partition and not in the first one."""
    for field in await _limits_of(access, name):
        source, scope = _said(field.decode("utf-8", "replace"))
        if scope and field not in limits:
            await groups.limit(name, scope, dict.fromkeys(PARTS), source=source)


def _said(field: str) -> tuple[str, str]:
    """By whom a limit is said, and of what; no scope where it is what several of them come to."""
    source = next((each for each in (CODE, TOLD) if field.startswith(each)), "")
    scope = field.removeprefix(source)
    is_single = scope.startswith(GROUP) and not scope.startswith(f"{GROUP}*")
    if field.startswith(PAUSE) or not (source or is_single):
        return "", ""
    return source.strip() or "told", scope


async def _limit(
    groups: Groups, names: Sequence[str], new: Sequence[str], field: str, text: bytes
) -> None:  # fmt: skip
    """A limit of a group is told to the new ones alone; one of the queue, or a task, to all: they share it from now."""
    source, scope = _said(field)
    limit = limit_of(text)
    parts = {part: getattr(limit, part) for part in PARTS}
    if scope and any(part is not None for part in parts.values()):
        for name in new if scope.startswith(GROUP) else names:
            await groups.limit(name, scope, parts, source=source)


async def _share_bound(access: Access, names: Sequence[str], count: int) -> None:
    """How many jobs may wait is of all partitions that get any."""
    call = access.pool.call
    bounds = [await call(name, "HGET", access.keys(name).steering, MAX_WAITING) for name in names]
    found = [int(bound) for bound in bounds if bound is not None]
    if not found:
        return
    for name, bound in zip(names, shares(sum(found), count), strict=False):
        await call(name, "HSET", access.keys(name).steering, MAX_WAITING, bound)
    for name in names[count:]:
        await call(name, "HDEL", access.keys(name).steering, MAX_WAITING)
