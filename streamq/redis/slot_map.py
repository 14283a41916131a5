"""The map of the slots of a cluster: what CLUSTER SHARDS says."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

from streamq.redis.replies import pairs

Owner = TypeVar("Owner")
Place = tuple[str, int]
"""Host and port of a node."""


class Shard(NamedTuple):
    """A primary, and the ranges of slots that it has, each with its first and its last."""

    place: Place
    ranges: tuple[tuple[int, int], ...]


class SlotMap(Generic[Owner]):
    """Which owner has a slot, by ranges: a cluster has few. Not to be changed: a new map takes the place of the old."""

    def __init__(self, ranges: Iterable[tuple[int, int, Owner]] = ()) -> None:
        rows = sorted(ranges, key=lambda row: row[0])
        self._firsts = [first for first, _, _ in rows]
        self._lasts = [last for _, last, _ in rows]
        self._of = [owner for _, _, owner in rows]
        self.owners: tuple[Owner, ...] = tuple(dict.fromkeys(self._of))

    def owner(self, slot: int) -> Owner | None:
        """Who has it; ``None`` for a slot that nobody has."""
        at = bisect_right(self._firsts, slot) - 1
        return self._of[at] if at >= 0 and slot <= self._lasts[at] else None

    def with_slot(self, slot: int, owner: Owner) -> SlotMap[Owner]:
        """The same with one slot given to somebody."""
        return SlotMap([*self._without(slot), (slot, slot, owner)])

    def _without(self, slot: int) -> Iterator[tuple[int, int, Owner]]:
        for first, last, owner in zip(self._firsts, self._lasts, self._of, strict=True):
            if not first <= slot <= last:
                yield first, last, owner
                continue
            if first < slot:
                yield first, slot - 1, owner
            if slot < last:
                yield slot + 1, last, owner


def shards_in(reply: Any, asked: str, *, tls: bool) -> list[Shard]:
    """The shards of a cluster; ``asked`` is the host whose nodes do not name theirs. Raises ``ValueError`` for a reply
    that is none."""
    try:
        return [shard for row in reply if (shard := _shard(pairs(row), asked, tls=tls)) is not None]
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"it does not answer as a node of a cluster does: {error!r}") from error


def _shard(row: dict[bytes, Any], asked: str, *, tls: bool) -> Shard | None:
    slots = [int(slot) for slot in row[b"slots"]]
    primaries = [node for each in row[b"nodes"] if (node := pairs(each))[b"role"] == b"master"]
    if not slots or not primaries:
        return None
    chosen: dict[bytes, Any] = next(
        (each for each in primaries if each[b"health"] == b"online"), primaries[0]
    )
    port: Any = chosen[b"tls-port"] if tls else chosen[b"port"]
    host = (chosen.get(b"endpoint") or b"").decode()
    return Shard(
        (asked if host in ("", "?") else host, int(port)), tuple(zip(slots[::2], slots[1::2], strict=True))
    )
