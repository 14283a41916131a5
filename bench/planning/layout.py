"""How the server lays jobs out in memory: an allocator's classes, a stream's blocks, a hash's records.

stream   blocks (listpacks) of up to `stream-node-max-bytes`, each allocated by itself and found by a radix tree
hash     one allocation for the record's text, and a fixed price for its id, its entries and their tables
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

HEAD = 24
"""Bytes of a block before its first entry: the listpack's own header, and the entry that holds the field names."""
ENTRY = 10
"""Bytes of an entry beside its strings: flags, time and number apart from the block's, empty headers, length."""
FIELDS = 3
"""Bytes of the field names t, p and h, which a server counts when it asks whether an entry still fits."""


def allocated(size: int, allocator: str) -> int:
    """Bytes an allocator takes for ``size``.

    jemalloc: four classes to each doubling (jemalloc(3), "Implementation notes"); libc: multiples of 16 with a
    word of its own in each. Of any other allocator nothing is known, so multiples of 8.
    """
    if allocator.startswith("jemalloc"):
        step = max(8, 1 << max(0, (size - 1).bit_length() - 3))
    elif allocator.startswith("libc"):
        return max(24, -(-(size + 8) // 16) * 16 - 8)
    else:
        step = 8
    return -(-size // step) * step


def text(length: int, allocator: str) -> int:
    """Bytes of a string of its own (sds): a header of 3 or 5 bytes, and a zero at the end."""
    return allocated(length + (4 if length < 256 else 6), allocator)


def _packed(length: int) -> int:
    """Bytes of a string inside a listpack: before it its length, after it the length of both."""
    whole = length + (1 if length < 64 else 2 if length < 4096 else 5)
    return whole + (1 if whole < 128 else 2 if whole < 16384 else 3)


@dataclass(frozen=True, slots=True)
class Streams:
    """The server's way with streams. ``block`` is the price of a block beside its bytes, measured."""

    allocator: str
    node_bytes: int
    node_entries: int
    block: float

    def per_entry(self, sizes: Sequence[int], task: str) -> float:
        """Bytes per entry with payloads of these sizes, in this order, over and over."""
        blocks = list(self._blocks(sizes, task))
        entries = sum(count for count, _ in blocks)
        used = sum(self.block + allocated(size, self.allocator) for _, size in blocks)
        return used / entries

    def blocks(self, sizes: Sequence[int], task: str) -> tuple[int, int]:
        """How many blocks entries of these sizes fill, and the bytes allocated for them without their price."""
        found = [allocated(size, self.allocator) for _, size in self._blocks(sizes, task)]
        return len(found), sum(found)

    def _blocks(self, sizes: Sequence[int], task: str) -> Iterator[tuple[int, int]]:
        """Entries and bytes of each block: an entry opens a new one when its strings would pass the limit."""
        count, used = 0, HEAD
        for size in sizes:
            strings = FIELDS + len(task) + size
            if count and (used + strings >= self.node_bytes or count >= self.node_entries):
                yield count, used
                count, used = 0, HEAD
            count, used = count + 1, used + ENTRY + _packed(len(task)) + _packed(size)
        if count:
            yield count, used


class Weighed(NamedTuple):
    """Some records on the scales: the payload's bytes, how many there are, what they use, the text of one."""

    size: int
    records: int
    used: float
    text: int


@dataclass(frozen=True, slots=True)
class Records:
    """A hash of records: ``fixed`` bytes for each, and the text of payload and ``beside`` more bytes."""

    fixed: float
    beside: float

    @classmethod
    def fitted(cls, weighed: Sequence[Weighed], allocator: str) -> Self:
        """What is left of the measured bytes without the texts, on average."""
        fixed = [one.used / one.records - text(one.text, allocator) for one in weighed]
        beside = [one.text - one.size for one in weighed]
        return cls(sum(fixed) / len(fixed), sum(beside) / len(beside))

    def per_record(self, sizes: Sequence[int], allocator: str, more: int = 0) -> float:
        """Bytes per record with payloads of these sizes and ``more`` bytes of a result."""
        beside = round(self.beside) + more
        return self.fixed + sum(text(size + beside, allocator) for size in sizes) / len(sizes)


def spread(least: int, most: int, count: int = 2000) -> list[int]:
    """Sizes from ``least`` to ``most``, alike, in an order that has none: how blocks fill depends on it."""
    return [least + number * 7919 % (most - least + 1) for number in range(count)]
