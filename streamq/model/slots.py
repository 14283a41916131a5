"""The slot of a Redis Cluster that a key lies in: CRC16 (XMODEM) of its hash tag, modulo 16,384.

The formula is that of the Redis Cluster specification. The tag of a queue is its name. Those of its further partitions
are made so that their slots are evenly spread, as the nodes of a cluster have ranges of slots: names would fall at
random, and of twelve on three nodes one would have six as often as four.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import product
from string import ascii_letters, digits
from typing import Final

from streamq.model.places import SEPARATOR, is_numbered, number_of, partition, queue_of

SLOTS: Final = 16_384
"""Slots of a cluster."""
PARTS: Final = (2, 2, 3, 2, 2, 2)
"""Into so many each part of the slots is parted by further partitions: 4 are a quarter apart, 12 a twelfth, and so on,
from whichever slot the first has. So 12 and 24 are evenly spread over 2, 3, 4 and 6 nodes with equal ranges."""
_LETTERS: Final = ascii_letters + digits


@lru_cache(65_536)
def slot_of(key: str) -> int:
    """The slot of a key, from 0."""
    return _slot(tag_in(key).encode())


def tag_in(key: str) -> str:
    """The hash tag of a key: what stands in its first braces, and all of it where that is nothing."""
    _, opened, rest = key.partition("{")
    tag, closed, _ = rest.partition("}")
    return tag if opened and closed and tag else key


@lru_cache(65_536)
def tag_of(partition: str) -> str:
    """The hash tag of the keys of a partition: its name, and for one that has a number three letters that bring it to
    its slot."""
    if SEPARATOR not in partition:
        return partition
    start = _slot(queue_of(partition).encode())
    name = f"{partition}{SEPARATOR}"
    return name + _ending(name, round(start + SLOTS * _place(number_of(partition), PARTS)) % SLOTS)


def partition_in(tag: str) -> str:
    """The partition whose keys have this hash tag; the tag itself where it is none of ours."""
    name = SEPARATOR.join(tag.split(SEPARATOR)[:2])
    return name if is_numbered(name) and tag_of(name) == tag else tag


def slot_of_partition(queue: str, number: int = 0) -> int:
    """In which of the 16,384 slots of a Redis Cluster the keys of a partition of a queue lie: by default of the first,
    which is all of a queue that has no others. What a cluster says of its slots then tells the node."""
    return slot_of_queue(partition(queue, number))


@lru_cache(65_536)
def slot_of_queue(partition: str) -> int:
    """The slot of the keys of a queue, or of a partition of one."""
    return _slot(tag_of(partition).encode())


def _slot(text: bytes, before: int = 0) -> int:
    return binascii.crc_hqx(text, before) % SLOTS


def _place(number: int, parts: Sequence[int]) -> float:
    """Where a partition lies among the slots, from 0 to 1 behind the first: its digits in reverse."""
    place, size = 0.0, 1.0
    for count in parts:
        size /= count
        place += size * (number % count)
        number //= count
    return place


@cache
def _pairs() -> dict[int, str]:
    """Two letters by the slot that they have alone."""
    return {_slot(f"{a}{b}".encode()): a + b for a, b in product(_LETTERS, repeat=2)}


def _ending(name: str, slot: int) -> str:
    """Three letters with which a name has a slot. A CRC is linear: two letters change it by what they are alone."""
    for letter in _LETTERS:
        bare = _slot(b"\0\0", binascii.crc_hqx(f"{name}{letter}".encode(), 0))
        if (pair := _pairs().get(bare ^ slot)) is not None:
            return letter + pair
    raise AssertionError
