"""Many things, some at a time. (``itertools`` has it from Python 3.12 on.)"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(things: Iterable[T], count: int) -> Iterator[list[T]]:
    """The things in their order, so many at a time."""
    each = iter(things)
    while some := list(islice(each, count)):
        yield some
