"""The queues that a worker serves, each with the weight of its share: ``critical:3,mail``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from streamq.model.shown import as_given

HEAVIEST: Final = 1_000
"""More is most likely a mistake: the others would have next to nothing."""
_WEIGHT: Final = re.compile(r"[1-9][0-9]{0,3}")


def weights_of(given: str | Mapping[str, int] | Iterable[str]) -> dict[str, int]:
    """By queue its weight, in the order in which they were named; 1 where none was said.

    Raises ``ValueError`` for a weight that is not 1 to 1,000, and for two of one queue.
    """
    if isinstance(given, Mapping):
        given = [f"{name}:{weight}" for name, weight in given.items()]
    if not isinstance(given, Iterable):
        raise ValueError(f"{as_given(given)} names no queues: write NAME or NAME:WEIGHT")  # noqa: TRY004
    parts: Iterable[object] = given.split(",") if isinstance(given, str) else given
    found: dict[str, int] = {}
    for part in parts:
        if not isinstance(part, str) or not (part or isinstance(given, str)):  # text may end in a comma
            raise ValueError(  # as for each other mistake
                f"{as_given(part)} cannot name a queue: write NAME or NAME:WEIGHT"
            )
        part = part.strip()  # noqa: PLW2901
        if not part:
            continue
        name, colon, said = part.partition(":")
        weight = int(said) if _WEIGHT.fullmatch(said) else 0
        if colon and not 1 <= weight <= HEAVIEST:
            raise ValueError(
                f"{as_given(part)} has no weight from 1 to {HEAVIEST:,}: write NAME or NAME:WEIGHT"
            )
        if found.setdefault(name, weight or 1) != (weight or 1):
            raise ValueError(f"queue {as_given(name)} is named twice, with two weights")
    return found


def as_text(weights: Mapping[str, int]) -> tuple[str, ...]:
    """The same as it is written, without the weights of 1."""
    return tuple(name if weight == 1 else f"{name}:{weight}" for name, weight in weights.items())
