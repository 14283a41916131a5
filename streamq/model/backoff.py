"""Backoff: how long a job waits between two attempts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from streamq.durations import Duration, seconds_of
from streamq.errors import ConfigurationError

Kind = Literal["exponential", "linear", "listed"]


@dataclass(frozen=True, slots=True, repr=False)
class Backoff:
    """How long a job waits after each failure; as it is made here, exponentially longer.

    The n-th failure waits ``base * 2**(n-1)`` seconds, at most ``most``, plus up to ``jitter`` times that at random:
    never earlier than asked for, and jobs that failed together do not come back together. ``jitter=0`` adds nothing.
    Raises ``ConfigurationError`` for a number that is negative, infinite or not a number at all.
    """

    base: float = 1.0
    most: float = 3600.0
    jitter: float = 1.0
    """The share of the wait that is added to it at most, at random; 0 for none."""
    kind: Kind = "exponential"
    """How it grows: ``linear`` and ``listed`` ones are made by the methods of that name."""
    waits: tuple[float, ...] = ()
    """Of a listed one: the seconds after each failure; the last holds for all that follow."""

    def __post_init__(self) -> None:
        given: tuple[tuple[str, object], ...] = (
            ("base", self.base), ("most", self.most), ("jitter", self.jitter),
        )  # fmt: skip
        for name, number in given:
            if not isinstance(number, int | float) or not math.isfinite(number) or number < 0:
                what = "a share" if name == "jitter" else "a time to wait"
                unit = "number" if name == "jitter" else "number of seconds"
                raise ConfigurationError(f"Backoff({name}={number!r}) is not {what}: use a {unit} from 0 on")
        if self.kind not in get_args(Kind) or bool(self.waits) != (self.kind == "listed"):
            raise ConfigurationError(
                "Backoff(kind=…) is not to be given: use Backoff.linear or Backoff.listed"
            )

    def __repr__(self) -> str:
        if self.kind == "listed":
            return f"Backoff.listed({', '.join(map(str, self.waits))}, jitter={self.jitter})"
        made = "Backoff.linear(" if self.kind == "linear" else "Backoff(base="
        return f"{made}{self.base}, most={self.most}, jitter={self.jitter})"

    @classmethod
    def linear(cls, step: Duration, most: Duration = 3600.0, *, jitter: float = 0.1) -> Backoff:
        """The n-th failure waits ``n * step``, at most ``most``; both are durations.

        Raises ``ConfigurationError``.
        """
        (wait,), (longest,) = _seconds("linear", (step,)), _seconds("linear", (most,))
        return cls(wait, longest, jitter, "linear")

    @classmethod
    def listed(cls, *waits: Duration, jitter: float = 0.1) -> Backoff:
        """The n-th failure waits for the n-th duration, all that follow for the last: ``Backoff.listed(1, 5, "1m")``.

        Raises ``ConfigurationError``.
        """
        seconds = _seconds("listed", waits)
        if not seconds:
            raise ConfigurationError("Backoff.listed() has no time to wait: name one at least, as (1, 5, 60)")
        return cls(seconds[0], max(seconds), jitter, "listed", seconds)

    def seconds(self, failures: int, chance: float) -> float:
        """Seconds to wait after ``failures`` failures; ``chance`` is in [0, 1)."""
        return min(self.most, self._wait(failures)) * (1.0 + self.jitter * chance)

    def _wait(self, failures: int) -> float:
        if self.kind == "linear":
            return self.base * failures
        if self.kind == "listed":
            return self.waits[max(0, min(failures, len(self.waits)) - 1)]
        return self.base * 2.0 ** min(failures - 1, 40)


def _seconds(kind: str, durations: tuple[Duration, ...]) -> tuple[float, ...]:
    try:
        return tuple(map(seconds_of, durations))
    except ValueError as error:
        raise ConfigurationError(f"Backoff.{kind}(…): {error}") from None
