"""How the server lays jobs out in memory: an allocator's classes, a stream's blocks, a hash's records.

stream   blocks (listpacks) of up to `stream-node-max-bytes`, each allocated by itself and found by a radix tree
hash     one allocation for the record's text, and a fixed price for its id, its entries and their tables

The formats here are the server's. What the engine puts into them is measured: see ``footprint``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

TASK: Final = "send_message"
"""A name as long as most: it is in every entry."""
HEAD: Final = 15
"""Bytes of a block before its first entry, without the names of the fields: the listpack's own header and three counts."""
ENTRY: Final = 8
"""Bytes of an entry beside its values: flags, time and number apart from the block's, and its length."""


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


class Form(NamedTuple):
    """Lengths of what the engine writes into an entry: names of fields, and values other than task and payload."""

    names: tuple[int, ...]
    others: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Streams:
    """The server's way with streams. ``block`` is the price of a block beside its bytes, measured."""

    allocator: str
    node_bytes: int
    node_entries: int
    form: Form
    block: float = 0.0

    def per_entry(self, sizes: Sequence[int], task: str = TASK) -> float:
        """Bytes per entry with payloads of these sizes, in this order, over and over."""
        blocks, used = self.blocks(sizes, task)
        return (self.block * blocks + used) / len(sizes)

    def blocks(self, sizes: Sequence[int], task: str) -> tuple[int, int]:
        """How many blocks entries of these sizes fill, and the bytes allocated for them without their price."""
        found = [allocated(size, self.allocator) for size in self._blocks(sizes, task)]
        return len(found), sum(found)

    def _blocks(self, sizes: Sequence[int], task: str) -> Iterator[int]:
        """Bytes of each block: an entry opens a new one when names and values, as they are, would pass the limit."""
        beside = sum(self.form.names) + sum(self.form.others) + len(task)
        packed = ENTRY + _packed(len(task)) + sum(map(_packed, self.form.others))
        head = HEAD + sum(map(_packed, self.form.names))
        count, used = 0, head
        for size in sizes:
            if count and (used + beside + size >= self.node_bytes or count >= self.node_entries):
                yield used
                count, used = 0, head
            count, used = count + 1, used + packed + _packed(size)
        yield used


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

    def per_record(self, sizes: Sequence[int], allocator: str, more: float = 0) -> float:
        """Bytes per record with payloads of these sizes and ``more`` bytes of a result or a history."""
        beside = round(self.beside + more)
        return self.fixed + sum(text(size + beside, allocator) for size in sizes) / len(sizes)


@dataclass(frozen=True, slots=True)
class Failed:
    """Bytes of a failed record beside its payload after one attempt, two, three, and as many as change nothing.

    Tracebacks are as long as the engine keeps them: it keeps those of the first attempt and the last, a line of those
    between, and no more than a bound.
    """

    one: int
    two: int
    three: int
    bound: int

    def beside(self, attempts: int) -> int:
        """After so many attempts."""
        return (
            self.one
            if attempts == 1
            else min(self.bound, self.two + (attempts - 2) * (self.three - self.two))
        )


@dataclass(frozen=True, slots=True)
class Memory:
    """The server's memory, in bytes."""

    streams: Streams
    parked: Records
    """Delayed jobs."""
    kept: Records
    """Completed jobs."""
    kept_late: Records
    """Completed ones that were delayed: their id is in their headers."""
    kept_failed: Records
    histories: Failed
    pending: float
    """Per active job, beside its entry."""
    worker: float
    """Per worker process: its connections and what it says of itself."""
    empty: float
    """A server without a key."""

    def waiting(self, sizes: Sequence[int], task: str = TASK) -> float:
        """Bytes per waiting job with payloads of ``sizes``."""
        return self.streams.per_entry(sizes, task)

    def active(self, sizes: Sequence[int], task: str = TASK) -> float:
        """Bytes per active job: its entry, and its place in the list of pending ones."""
        return self.waiting(sizes, task) + self.pending

    def delayed(self, sizes: Sequence[int]) -> float:
        """Bytes per delayed job."""
        return self.parked.per_record(sizes, self.streams.allocator)

    def completed(self, sizes: Sequence[int], result: int = 0, share: float = 0.0) -> float:
        """Bytes per completed job that is kept, with a result of so many bytes; ``share`` of them were delayed."""
        at_once = self.kept.per_record(sizes, self.streams.allocator, result)
        return (1 - share) * at_once + share * self.kept_late.per_record(
            sizes, self.streams.allocator, result
        )

    def failed(self, sizes: Sequence[int], attempts: int) -> float:
        """Bytes per failed job that is kept, after so many attempts."""
        more = max(0.0, self.histories.beside(attempts) - self.kept_failed.beside)
        return self.kept_failed.per_record(sizes, self.streams.allocator, more)


def spread(least: int, most: int, count: int = 2000) -> list[int]:
    """Sizes from ``least`` to ``most``, alike, in an order that has none: how blocks fill depends on it."""
    return [least + number * 7919 % (most - least + 1) for number in range(count)]
