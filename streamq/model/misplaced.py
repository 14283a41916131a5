"""Keys that lie where ours do and are of another type: another program, or a hand, has written them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streamq.model.keys import Key
from streamq.model.typed import quoted


@dataclass(frozen=True, slots=True)
class MisplacedKey:
    """A key of another type than ours is: what needs it is refused, until it is moved away."""

    key: str
    type: str
    """Of which type it is, as the server says."""
    expected: str
    """Of which type ours is."""
    queue: str = ""
    """The queue that it lies in the way of; empty for one that all queues share."""

    @property
    def said(self) -> str:
        """What is wrong."""
        return f"{self.key} is a {self.type}, and ours is a {self.expected}: what needs it is refused"

    @property
    def remedy(self) -> str:
        """What to do."""
        return f"find out who wrote it, then `redis-cli RENAME {quoted(self.key)} NEW-NAME`"

    def asdict(self) -> dict[str, Any]:
        """The key as JSON has it."""
        return {name: getattr(self, name) for name in self.__slots__}


def misplaced(
    keys: Mapping[str, str], table: Mapping[str, Key], types: Mapping[str, str], queue: str = ""
) -> list[MisplacedKey]:
    """Those of ``keys`` that are of another type than the table says."""
    return [
        MisplacedKey(keys[name], found, table[name].type, queue)
        for name, found in types.items()
        if found not in ("none", table[name].type)
    ]
