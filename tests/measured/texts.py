"""The messages of a delivery: lines of a file, each with its number, recipient and, for one in five, a delay."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

OWN: Final = Path(__file__).with_name("texts.txt")
"""Ours: small and varied."""

WORKSPACE: Final = 66338

LONGEST: Final = 8.0
"""Seconds of the longest delay."""


@dataclass(slots=True)
class Message:
    """One message. ``due`` is the earliest moment it may arrive, in seconds of the server's clock."""

    number: int
    line: bytes
    delay: float | None
    absolute: bool = False
    """Whether the delay is sent as a moment instead of a span."""
    due: float = 0.0

    @property
    def contact(self) -> str:
        """By which it is found in the ledger: texts may be equal."""
        return f"contact-{self.number}"

    @property
    def to(self) -> str:
        """Its recipient."""
        return f"+1555{self.number:07d}"


def load(file: Path | None, count: int, *, longest: float = LONGEST) -> list[Message]:
    """``count`` messages: the lines of ``file``, or ours, again with a number appended when there are too few.

    Every fifth is delayed, by at most ``longest`` seconds.
    Raises ``OSError``, and ``ValueError`` for a file without text.
    """
    file = file or OWN
    lines = [line for line in file.read_bytes().split(b"\n") if line.strip()]
    if not lines:
        raise ValueError(f"{file} has no line of text")
    return [Message(number, _line(lines, number), *_delay(number, longest)) for number in range(count)]


def _line(lines: list[bytes], number: int) -> bytes:
    turn, at = divmod(number, len(lines))
    return lines[at] + (b" #%d" % number if turn else b"")


def _delay(number: int, longest: float) -> tuple[float | None, bool]:
    """Every fifth is delayed, by a second at least; every second of those until a moment."""
    if number % 5:
        return None, False
    nth = number // 5
    return 1.0 + (nth * 37 % 100) / 100 * (longest - 1.0), bool(nth % 2)
