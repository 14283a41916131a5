"""Limits: how many jobs of a queue, a task or a group may run at once, start in a time and wait, and their weight.

A scope is what a limit is of, by its name in the key ``gate:limits``: ``queue``, ``task:<name>``, ``group:*`` for every
tenant and ``group:*:*`` for every part of one, ``group:<name>`` for one, and ``shared:<name>`` for what several queues
draw from. ``lua/parts/limits.lua`` reads the texts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from streamq.durations import FORMS, Duration, seconds_of
from streamq.model.group import FORM, is_group
from streamq.model.names import NAME_FORM, is_name
from streamq.model.shown import as_given
from streamq.noun_errors import InvalidLimit

Order = Literal["strict", "pass"]
Turns = Literal["jobs", "time"]
Unlimited = Literal["unlimited"]
UNLIMITED: Final[Unlimited] = "unlimited"
"""What lifts a limit that code, or the limit of every group, says."""

MOST: Final = 1_000_000
"""Jobs that a limit may name: more than workers of one queue run, and times of starts that a list may keep."""
WINDOWS: Final = (0.001, 86_400.0)
"""Seconds of a window: the clock counts milliseconds, and what is longer than a day is a quota."""
WEIGHTS: Final = (0.01, 1_000.0)
"""A share of a hundredth, or of a thousand times as much, as the others."""
ORDERS: Final[tuple[Order, ...]] = ("strict", "pass")
TURNS: Final[tuple[Turns, ...]] = ("jobs", "time")

QUEUE: Final = "queue"
TASK: Final = "task:"
GROUP: Final = "group:"
SHARED: Final = "shared:"
WHOLE: Final = "whole"
"""The part of the texts that nobody says: the shared limit by which the partitions of a queue share its own limit."""
EVERY: Final = ("*", "*:*")
"""The names that stand for every tenant, and for every part of one."""
PAUSE: Final = "pause "
CODE: Final = "code "
TOLD: Final = "told "
"""How the fields of the key begin that say a pause; and, of what is no single group, what code says, and people."""

_BREAKER: Final = re.compile(
    r"([0-9.]+)%\s*/\s*([0-9.]*)(ms|s|m|h|d)(?:\s+least\s+([0-9]+))?(?:\s+rest\s+([0-9.]*)(ms|s|m|h|d))?"
)
_RATE: Final = re.compile(r"([0-9]+)\s*/\s*([0-9.]*)\s*(ms|s|m|h|d)")


def _span(seconds: float) -> str:
    """A time as people write it; one second, or one minute, as the unit alone."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count = seconds / size
        if count >= 1 and count == int(count):
            return f"{'' if count == 1 else int(count)}{unit}"
    return f"{seconds * 1000:.15g}ms"


class Rate(NamedTuple):
    """So many starts in any ``seconds``; ``str`` writes it as people do."""

    starts: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.starts}/{_span(self.seconds)}"


class Breaker(NamedTuple):
    """Closes the gate when a ``share`` of the attempts that ended within ``window`` seconds have failed, of at least
    ``least``. After ``rest`` seconds one job is let through: when it does not fail the gate is open, else it stays
    closed for as long again. ``str`` writes it as ``50%/m``, with ``least 20`` and ``rest 10s`` where they are others.
    """

    share: float
    window: float = 60.0
    least: int = 10
    """With fewer attempts, chance would open it."""
    rest: float = 30.0
    """A provider that is down is back within the minute, or not within the hour."""

    def __str__(self) -> str:
        usual = Breaker(self.share)
        said = f"{self.share * 100:g}%/{_span(self.window)}"
        said += f" least {self.least}" if self.least != usual.least else ""
        return said + (
            f" rest {1 if self.rest in (1, 60, 3600, 86400) else ''}{_span(self.rest)}"
            if self.rest != usual.rest
            else ""
        )


@dataclass(frozen=True, slots=True)
class Limit:
    """What holds for a queue, a task or a group; ``None`` says nothing, and ``"unlimited"`` lifts what else is said.

    ``concurrency`` is how many of its jobs run at once. ``rate`` is how many may start in *any* window, as ``"10/s"``,
    ``"100/5m"`` or ``(10, 1.0)``: every delivery counts, also one after a crash. ``weight`` is the share of a group
    beside others that wait, 1 by default. ``max_waiting`` is how many of its own jobs may wait, those of the parts of a
    tenant not counted: an enqueue beyond raises ``GroupFull``.
    ``shared`` is the name of a shared limit, ``app.shared(name)``, from which all jobs of the queue or the task draw.
    ``turns`` of a queue says by what its groups take turns: ``"jobs"``, as is the default, or the ``"time"`` for which
    their jobs run. ``breaker`` closes the gate for a while once too many have failed: see ``Breaker``.
    ``order`` says what a job does to the next of its group while it waits for its next attempt: ``"strict"`` lets none
    pass, as is the default where ``concurrency`` is 1, and ``"pass"`` lets them. Raises ``InvalidLimit``.
    """

    concurrency: int | Unlimited | None = None
    rate: Rate | Unlimited | str | tuple[int, Duration] | None = None
    weight: float | None = None
    max_waiting: int | Unlimited | None = None
    order: Order | None = None
    shared: str | None = None
    turns: Turns | None = None
    breaker: Breaker | str | None = None

    def __post_init__(self) -> None:
        for name in PARTS:
            object.__setattr__(self, name, checked(name, getattr(self, name)))

    def asdict(self) -> dict[str, Any]:
        """It as JSON has it, and as ``Limit(**…)`` takes it; without what it does not say."""
        said = {name: getattr(self, name) for name in PARTS}
        return {
            name: str(v) if isinstance(v, Rate | Breaker) else v for name, v in said.items() if v is not None
        }


NOTHING: Final[Mapping[str, Any]] = {}


def checked(name: str, value: Any) -> Any:
    """A part of a limit, in the form in which it is kept. Raises ``InvalidLimit``."""
    return None if value is None else PARTS[name](name, value)


def _count(name: str, value: Any) -> Any:
    if value == UNLIMITED or (type(value) is int and 1 <= value <= MOST):
        return value
    raise InvalidLimit(
        name,
        f"{name}={as_given(value)} is not possible: use a whole number from 1 to {MOST:,}, or 'unlimited'",
    )


def _rate(name: str, value: Any) -> Any:
    if value == UNLIMITED or (isinstance(value, Rate) and _is_rate(*value)):
        return value
    starts: Any = None
    seconds: float = math.nan
    try:
        if isinstance(value, str) and (found := _RATE.fullmatch(value.strip())):
            starts, seconds = int(found[1][:20]), seconds_of((found[2] or "1") + found[3])
        elif isinstance(value, tuple | list) and len(value) == 2:
            starts, seconds = value[0], seconds_of(value[1])
    except ValueError:
        pass
    if _is_rate(starts, seconds):
        return Rate(starts, round(seconds, 3))
    raise InvalidLimit(
        name,
        f"rate={as_given(value)} is not possible: write how many starts in which time, as '10/s', '100/5m' or "
        f"(10, 1.0): 1 to {MOST:,} starts, and a window from 1 ms to a day; {FORMS}; or 'unlimited'",
    )


def _is_rate(starts: Any, seconds: Any) -> bool:
    are_numbers = type(starts) is int and type(seconds) in (int, float)
    return are_numbers and 1 <= starts <= MOST and WINDOWS[0] <= seconds <= WINDOWS[1]


def _weight(name: str, value: Any) -> float:
    low, high = WEIGHTS
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return round(float(value), 4)
    raise InvalidLimit(
        name, f"weight={as_given(value)} is not possible: use a number from {low:g} to {high:,.0f}"
    )


def _order(name: str, value: Any) -> Any:
    if isinstance(value, str) and value in ORDERS:
        return value
    raise InvalidLimit(name, f"order={as_given(value)} is not possible: use one of {', '.join(ORDERS)}")


def _turns(name: str, value: Any) -> Any:
    if isinstance(value, str) and value in TURNS:
        return value
    raise InvalidLimit(name, f"turns={as_given(value)} is not possible: use one of {', '.join(TURNS)}")


def _breaker(name: str, value: Any) -> Any:
    if value == UNLIMITED:
        return value
    try:
        made = _read_breaker(value) if isinstance(value, str) else value
        if isinstance(made, Breaker) and _is_breaker(*made):
            return Breaker(round(made.share, 4), round(made.window, 3), made.least, round(made.rest, 3))
    except (ValueError, TypeError):
        pass
    raise InvalidLimit(
        name,
        f"breaker={as_given(value)} is not possible: write which share may fail in which time, as '50%/1m', "
        f"'20%/5m least 100 rest 10s' or Breaker(0.5, window=60): 0.1 to 100 %, of 1 to {MOST:,} attempts, and times "
        "from 1 ms to a day; or 'unlimited'",
    )


def _read_breaker(text: str) -> Breaker | None:
    found = _BREAKER.fullmatch(text.strip())
    if found is None:
        return None
    share, window, unit, least, rest, rest_unit = found.groups()
    made = Breaker(float(share) / 100, seconds_of((window or "1") + unit))
    if least:
        made = made._replace(least=int(least[:20]))
    return made._replace(rest=seconds_of((rest or "1") + rest_unit)) if rest_unit else made


def _is_breaker(share: float, window: float, least: int, rest: float) -> bool:
    times = WINDOWS[0] <= window <= WINDOWS[1] and WINDOWS[0] <= rest <= WINDOWS[1]
    are_numbers = type(least) is int and not any(isinstance(each, bool) for each in (share, window, rest))
    return are_numbers and 0.001 <= share <= 1 and 1 <= least <= MOST and times


def _shared(name: str, value: Any) -> str:
    if is_name(value):
        return str(value)
    raise InvalidLimit(name, f"shared={as_given(value)} cannot name a shared limit: {NAME_FORM}")


PARTS: Final[Mapping[str, Any]] = {
    "concurrency": _count, "rate": _rate, "weight": _weight, "max_waiting": _count, "order": _order,
    "shared": _shared, "turns": _turns, "breaker": _breaker,
}  # fmt: skip
"""The parts of a limit, and what checks each."""
OF_TASK: Final = ("concurrency", "rate", "shared", "breaker")
"""The parts that the limit of a task may have."""
OF_QUEUE: Final = (*OF_TASK, "turns")
"""Those of a queue."""
OF_SHARED: Final = ("concurrency", "rate")
"""Those of a shared limit."""
OF_GROUP: Final = ("concurrency", "rate", "weight", "max_waiting", "order", "breaker")
"""Those of a group, or of all of a level."""


def wrong_limit(limit: object, what: str = "limit", parts: tuple[str, ...] = OF_TASK) -> str:
    """What is wrong with a limit that may have these parts, as a sentence; empty when nothing is."""
    if limit is None:
        return ""
    if not isinstance(limit, Limit):
        return f"{what}={as_given(limit)} is not a Limit: write {what}=Limit(concurrency=5)"
    more = [name for name in limit.asdict() if name not in parts]
    return f"{what}: {more[0]} cannot be said of it: use {', '.join(parts)}" if more else ""


class Told(NamedTuple):
    """A limit by who said it."""

    code: Limit
    told: Limit


NOT_TOLD: Final = Told(Limit(), Limit())


# -- scopes ------------------------------------------------------------------------------------------------------


def scope_of_task(task: str | None) -> str:
    """The scope of a task; without one, that of its queue."""
    return QUEUE if task is None else TASK + task


def scope_of_group(name: object, *, every: bool = True) -> str:
    """The scope of a group, or of all of a level. Raises ``InvalidLimit`` for what can name none."""
    if every and name in EVERY:
        return f"{GROUP}{name}"
    if is_group(name):
        return f"{GROUP}{name}"
    more = ", and '*' and '*:*' stand for every group of a level" if every else ""
    raise InvalidLimit("group", f"{as_given(name)} cannot name a group: {FORM}{more}")


# -- as Redis keeps them -----------------------------------------------------------------------------------------

_NO: Final = "-"


def written(parts: Mapping[str, Any]) -> dict[str, str]:
    """Parts that are checked, by the names that the texts have; empty where a part says nothing."""
    said: dict[str, str] = {}
    for name, value in parts.items():
        if name == "breaker":
            of = value if isinstance(value, Breaker) else (value,) * len(_BREAKERS)
            said |= {text: _in_ms(each, n) for (text, n), each in zip(_BREAKERS.items(), of, strict=True)}
        elif name != "rate":
            said[_TEXTS.get(name, name)] = _text(value)
        elif isinstance(value, Rate):
            said |= {"starts": str(value.starts), "window": str(round(value.seconds * 1000))}
        else:
            said |= dict.fromkeys(("starts", "window"), _text(value))
    return said


def _in_ms(value: Any, factor: int) -> str:
    return _text(round(value * factor, 4) if isinstance(value, int | float) else value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return _NO if value == UNLIMITED else f"{value:.15g}" if isinstance(value, float) else str(value)


_TEXTS: Final = {
    "concurrency": "jobs",
    "weight": "weight",
    "max_waiting": "max",
    "order": "order",
    "shared": "shared",
    "turns": "turns",
}
_BREAKERS: Final = {"errors": 1, "span": 1000, "least": 1, "rest": 1000}
"""The texts of the parts of a breaker, in their order, and by what they are more: seconds are written in ms."""


def limit_of(*texts: bytes | None) -> Limit:
    """The limit that these texts say, of which the last goes before the others; what cannot be read is left out."""
    said: dict[str, str] = {}
    for text in texts:
        for member in (text or b"").decode("utf-8", "replace").split():
            name, _, value = member.partition("=")
            said[name] = value
    parts: dict[str, Any] = {name: _number(said.get(text)) for name, text in _TEXTS.items()}
    parts["shared"] = said.get("shared")
    breaker = [_number(said.get(text)) for text in _BREAKERS]
    if breaker[0] == UNLIMITED:
        parts["breaker"] = UNLIMITED
    elif all(isinstance(each, int | float) for each in breaker):
        of = zip(breaker, _BREAKERS.values(), strict=True)
        parts["breaker"] = Breaker(*(each if n == 1 else each / n for each, n in of))
    starts, window = _number(said.get("starts")), _number(said.get("window"))
    if starts == UNLIMITED:
        parts["rate"] = UNLIMITED
    elif isinstance(starts, int) and isinstance(window, int):
        parts["rate"] = (starts, window / 1000)
    return Limit(**{name: value for name, value in parts.items() if _fits(name, value)})


def _number(text: str | None) -> Any:
    if text is None or text == "":
        return None
    if text == _NO:
        return UNLIMITED
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        return text


def _fits(name: str, value: Any) -> bool:
    try:
        checked(name, value)
    except InvalidLimit:
        return False
    return True


def held(limit: Limit) -> Limit:
    """The limit as it holds: without what it lifts."""
    return Limit(**{n: v for n in PARTS if (v := getattr(limit, n)) is not None and v != UNLIMITED})
