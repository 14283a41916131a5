"""The slot of a Redis Cluster that a key lies in: CRC16 (XMODEM) of its hash tag, modulo 16,384.

The formula is that of the Redis Cluster specification.
"""

from __future__ import annotations

import binascii
from functools import lru_cache
from typing import Final

SLOTS: Final = 16_384
"""Slots of a cluster."""


@lru_cache(65_536)
def slot_of(key: str) -> int:
    """The slot of a key, from 0: of what stands in its first braces, where that is not empty."""
    _, opened, rest = key.partition("{")
    tag, closed, _ = rest.partition("}")
    return binascii.crc_hqx((tag if opened and closed and tag else key).encode(), 0) % SLOTS
