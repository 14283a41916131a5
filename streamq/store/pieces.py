"""The keys of a queue in pieces of bounded size, whatever their type: how they are read, and what each comes to."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from streamq.errors import UsageError
from streamq.redis.replies import pairs

MOST: Final = 500
"""Elements of a piece at most; a script passes on two arguments for each."""
BYTES: Final = 500_000
"""Of a piece, about."""
_NONE: Final = "0-0"
"""The last entry of a stream that has none."""

Call = Callable[..., Awaitable[Any]]
"""Sends one command to the server of the queue."""


class KeyState(NamedTuple):
    """One key at one moment."""

    kind: str
    """``hash`` and so on; ``none`` where there is no such key."""
    size: int
    """How many elements it has."""
    life: int
    """Milliseconds until it expires; 0 for never."""


class Piece(NamedTuple):
    """Some elements of a key, as ``migrate_land.lua`` takes them."""

    at: str
    """Where a list or a stream ends before they are added."""
    items: list[Any]
    elements: int
    """How many they are."""


_SIZES: Final = {"hash": "HLEN", "list": "LLEN", "stream": "XLEN", "zset": "ZCARD"}


async def state_of(call: Call, name: str) -> KeyState:
    """A key as it is now. Raises ``UsageError`` for one of a type that no version of ours writes."""
    kind = (await call("TYPE", name)).decode()
    if kind == "none":
        return KeyState(kind, 0, 0)
    if kind != "string" and kind not in _SIZES:
        raise UsageError(f"the key {name} is of type {kind}, which is none of ours: remove it")
    size = await call(_SIZES[kind], name) if kind in _SIZES else 1
    return KeyState(kind, size, max(0, await call("PTTL", name)))


async def pieces(call: Call, name: str, kind: str, at: str = "") -> AsyncIterator[Piece]:
    """All elements of a key in order, a list and a stream from ``at`` on. Of a hash, one may come twice."""
    how = {"list": _list, "stream": _stream, "zset": _zset, "hash": _hash, "string": _string}[kind]
    async for piece in how(call, name, at):
        yield piece


async def end_of(call: Call, name: str, kind: str) -> str:
    """Where a list or a stream ends."""
    if kind == "list":
        return str(await call("LLEN", name))
    if kind == "stream":
        found = await call("XREVRANGE", name, "+", "-", "COUNT", 1)
        return found[0][0].decode() if found else _NONE
    return ""


async def groups_of(call: Call, name: str) -> list[Any]:
    """What a stream remembers beside its entries: its last id, how many it has had, the highest that was deleted, and
    each group with the last that it was given."""
    told, groups = pairs(await call("XINFO", "STREAM", name)), await call("XINFO", "GROUPS", name)
    said = [told[b"last-generated-id"], told[b"entries-added"], told[b"max-deleted-entry-id"]]
    for each in map(pairs, groups):
        said += [each[b"name"], each[b"last-delivered-id"]]
    return said


class _Size:
    """How many elements to ask for, so that a piece has about ``BYTES``."""

    def __init__(self) -> None:
        self.count = MOST // 5

    def heard(self, items: Sequence[bytes], count: int) -> None:
        if count:
            each = max(1, sum(map(len, items)) // count)
            self.count = max(1, min(MOST, BYTES // each))


async def _string(call: Call, name: str, _: str) -> AsyncIterator[Piece]:
    value = await call("GET", name)
    if value is not None:
        yield Piece("", [value], 1)


async def _list(call: Call, name: str, at: str) -> AsyncIterator[Piece]:
    size, begin = _Size(), int(at or 0)
    while items := await call("LRANGE", name, begin, begin + size.count - 1):
        yield Piece(str(begin), items, len(items))
        begin += len(items)
        size.heard(items, len(items))


async def _zset(call: Call, name: str, _: str) -> AsyncIterator[Piece]:
    size, begin = _Size(), 0
    while found := await call("ZRANGE", name, begin, begin + size.count - 1, "WITHSCORES"):
        items = [
            each for member, score in zip(found[::2], found[1::2], strict=True) for each in (score, member)
        ]
        count = len(items) // 2
        yield Piece("", items, count)
        begin += count
        size.heard(items, count)


async def _stream(call: Call, name: str, at: str) -> AsyncIterator[Piece]:
    size, last = _Size(), at or _NONE
    while found := await call("XRANGE", name, f"({last}", "+", "COUNT", size.count):
        items: list[Any] = []
        for entry, fields in found:
            items += (entry, len(fields), *fields)
        yield Piece(last, items, len(found))
        last = found[-1][0].decode()
        size.heard([each for _, fields in found for each in fields], len(found))


async def _hash(call: Call, name: str, _: str) -> AsyncIterator[Piece]:
    size, cursor = _Size(), b"0"
    while True:
        cursor, items = await call("HSCAN", name, cursor, "COUNT", size.count)
        for begin in range(0, len(items), 2 * MOST):  # a small one comes whole, whatever was asked for
            part = items[begin : begin + 2 * MOST]
            yield Piece("", part, len(part) // 2)
        size.heard(items, len(items) // 2)
        if cursor == b"0":
            return


class Digest:
    """What all elements of a key come to: equal for two keys that are equal, whatever the order of a hash."""

    def __init__(self, kind: str) -> None:
        self._is_ordered = kind in ("list", "stream", "zset")
        self._step = {"hash": 2, "zset": 2}.get(kind, 1)
        self._seen: set[bytes] = set()
        self._chain = hashlib.blake2b(digest_size=16)

    def add(self, items: Sequence[Any]) -> None:
        """A piece of it."""
        parts = [each if isinstance(each, bytes) else b"%d" % each for each in items]
        if self._is_ordered:
            self._chain.update(b"".join(b"%d:%b" % (len(part), part) for part in parts))
            return
        for begin in range(0, len(parts), self._step):
            element = b"".join(b"%d:%b" % (len(part), part) for part in parts[begin : begin + self._step])
            self._seen.add(hashlib.blake2b(element, digest_size=16).digest())  # a set, as one may come twice

    def value(self, *more: Any) -> str:
        """Of all that was added, and of what else is to be the same."""
        whole = self._chain.copy()
        for each in sorted(self._seen):
            whole.update(each)
        whole.update(repr(more).encode())
        return whole.hexdigest()


async def digest(call: Call, name: str) -> str:
    """What a key is, all in all; empty where there is none. When it expires is no part of it."""
    state = await state_of(call, name)
    if state.kind == "none":
        return ""
    found = Digest(state.kind)
    async for piece in pieces(call, name, state.kind):
        found.add(piece.items)
    return found.value(state.kind, *(await groups_of(call, name) if state.kind == "stream" else ()))
