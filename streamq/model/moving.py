"""The move of a queue to another server: its phases, and which of its keys go along.

A queue that moves lies *aside*: each of its keys has another name, and a text stands where it was. To a text every
script and every read is refused by the server itself, whatever their version, so nobody adds to the queue and nobody
runs a job of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from streamq.model.keys import QUEUE_KEYS, Keys

LEAVING: Final = "leaving"
"""On the server that it leaves: no job starts any more, and those that run end. Producers add to it as ever."""
CLOSED: Final = "closed"
"""There: all of it lies aside."""
LEFT: Final = "left"
"""There, at the end: nothing is left but texts that say where it went."""
AWAITED: Final = "awaited"
"""On the server that it comes to: what has come lies aside."""
CHECKED: Final = "checked"
"""There: all has come, and was compared. From here on it goes on, and not back."""
HERE: Final = "here"
"""There, at the end: the queue is open."""

_STAYS: Final = ("workers", "alone:claim", "migration", "migrator", "gate:leases")
"""Ends of keys that tell of processes at one server, and of what they draw there from limits of several queues."""
_STAY_ALL: Final = ("upkeep:", "signals:", "aside:")
"""How such ends begin."""
_DOOR: Final = re.compile(r"(moves to|comes from) (.+)")


class Move(NamedTuple):
    """What a server knows of the move of a queue; no phase where there is none."""

    id: str = ""
    peer: str = ""
    """The address of the other server, for people."""
    phase: str = ""

    @classmethod
    def of(cls, told: Mapping[bytes, bytes]) -> Move:
        """The same as its key has it."""
        return cls(*(told.get(name, b"").decode("utf-8", "replace") for name in (b"id", b"peer", b"phase")))


def stays(end: str) -> bool:
    """Whether a key stays at its server, by how its name ends."""
    return end in _STAYS or end.startswith(_STAY_ALL)


def doors(keys: Keys) -> tuple[str, ...]:
    """The names at which a text stands while the queue is aside: all that are known beforehand."""
    ends = (key.end for key in QUEUE_KEYS.values() if key.type != "channel")
    return tuple(keys.before + end for end in ends if not re.search("[A-Z]", end) and not stays(end))


def beside(names: tuple[str, ...], of: Keys, to: Keys) -> list[str]:
    """Each name followed by that of the same key in another place: from open to aside, or back."""
    return [each for name in names for each in (name, to.before + name.removeprefix(of.before))]


def leads_to(peer: str) -> str:
    """The text that stands where a queue was."""
    return f"moves to {peer}"


def comes_from(peer: str) -> str:
    """The text that stands where a queue will be."""
    return f"comes from {peer}"


def is_door(text: str) -> bool:
    """Whether a text is one of these."""
    return _DOOR.fullmatch(text) is not None
