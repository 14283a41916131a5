"""The server's memory, by state, from counts of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import history
from .coefficients import Memory

TASK: Final = "send_message"
"""A name as long as most: it is in every entry."""


def waiting(memory: Memory, sizes: Sequence[int], task: str = TASK) -> float:
    """Bytes per waiting job with payloads of ``sizes``."""
    return memory.streams.per_entry(sizes, task)


def active(memory: Memory, sizes: Sequence[int], task: str = TASK) -> float:
    """Bytes per active job: its entry, and its place in the list of pending ones."""
    return waiting(memory, sizes, task) + memory.active


def delayed(memory: Memory, sizes: Sequence[int]) -> float:
    """Bytes per delayed job."""
    return memory.delayed.per_record(sizes, memory.streams.allocator)


def completed(memory: Memory, sizes: Sequence[int], result: int = 0, share: float = 0.0) -> float:
    """Bytes per completed job that is kept, with a result of so many bytes; ``share`` of them were delayed."""
    at_once = memory.completed.per_record(sizes, memory.streams.allocator, result)
    after = memory.after_delay.per_record(sizes, memory.streams.allocator, result)
    return (1 - share) * at_once + share * after


def failed(memory: Memory, sizes: Sequence[int], attempts: int = history.ATTEMPTS) -> float:
    """Bytes per failed job that is kept, after so many attempts whose tracebacks are as long as the engine keeps."""
    more = max(0, history.longest(attempts) - round(memory.failed.beside))
    return memory.failed.per_record(sizes, memory.streams.allocator, more)
