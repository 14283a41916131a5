"""Unique jobs: of several with one key, which stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Literal, get_args

from streamq.durations import LONGEST_WAIT, Duration, seconds_of
from streamq.errors import ConfigurationError
from streamq.model import codec
from streamq.model.envelope import Demand
from streamq.model.shown import as_given

Until = Literal["done", "started"]
Conflict = Literal["keep", "replace", "latest", "queue"]
Disposition = Literal["created", "existing", "replaced", "following"]
"""How a call of enqueue came to the job it returns: a new one, one that stood already, one that stood and has the new
payload now, or a new one that waits until another of its key has ended."""

STARTED: Final = "started"
"""Until what a key may be taken, as the header says it."""
WRITTEN: Final = "write unique=Unique(fields=['order'])"
"""What to give instead of what is no ``Unique``."""
KEY_LENGTH: Final = 200
"""Characters of a key at most."""


@dataclass(frozen=True, slots=True)
class Unique:
    """How the jobs of a key are one.

    The key is what ``key=`` says at enqueue, else it is made of the task's name and of ``fields`` of the payload, all
    of it by default. ``until`` is how long it is taken: until its job is ``"done"``, or has ``"started"``.
    ``window`` takes it for so long from the job's birth, whatever becomes of the job: the first of a window wins.
    ``debounce`` delays the job by so long, and each further one puts it off anew and replaces its payload, but never
    beyond ``at_most`` after its birth: the last one wins. Both are durations.

    ``conflict`` is what becomes of a job that meets another: it is not made (``"keep"``); it takes the place of one
    that has not begun (``"replace"``); while one runs, the latest of all follows it (``"latest"``); or all follow, one
    after the other (``"queue"``). Raises ``ConfigurationError`` for anything else.
    """

    fields: Sequence[str] | None = None
    until: Until = "done"
    window: Duration | None = None
    debounce: Duration | None = None
    at_most: Duration | None = None
    conflict: Conflict = "keep"

    def __post_init__(self) -> None:
        for problem in filter(None, self._problems()):
            raise ConfigurationError(f"Unique({problem}")
        if self.fields is not None:
            object.__setattr__(self, "fields", tuple(self.fields))  # a list could be changed later

    def _problems(self) -> list[str]:
        return [
            _no_fields(self.fields),
            _not_in("until", self.until, get_args(Until)),
            _not_in("conflict", self.conflict, get_args(Conflict)),
            *[_no_duration(name, getattr(self, name)) for name in ("window", "debounce", "at_most")],
            "window=…, debounce=…) is not possible: give one of them"
            if self.window is not None and self.debounce is not None
            else "",
            "at_most=…) says how long a debounce may put a job off: give debounce, too"
            if self.at_most is not None and self.debounce is None
            else "",
            f"conflict={self.conflict!r}) is not possible with a window or debounce, which say it: leave it out"
            if self.conflict != "keep" and (self.window is not None or self.debounce is not None)
            else "",
            f"until={self.until!r}) is not possible with a window or debounce, which say it: leave it out"
            if self.until != "done" and (self.window is not None or self.debounce is not None)
            else "",
            f"conflict={self.conflict!r}, until='started') is not possible: a key that is free when its job starts has "
            "nothing to follow"
            if self.conflict in ("latest", "queue") and self.until == "started"
            else "",
        ]

    def key_of(self, task: str, payload: bytes, *, hidden: bool = False) -> str:
        """The key of a job whose payload is this JSON. Raises ``KeyError`` with the name of a field it lacks."""
        said = codec.all_of(payload)
        if self.fields is not None:
            said = [_found(said, name) for name in self.fields]
        text = f"{task}:{codec.canonical(said)}"
        if len(text) <= KEY_LENGTH and not hidden:
            return text
        return f"{task[:100]}:{blake2b(text.encode(), digest_size=20).hexdigest()}"

    @property
    def taken(self) -> str:
        """Until what the key is taken, as the scripts say it."""
        return (
            "window" if self.window is not None else "debounce" if self.debounce is not None else self.until
        )

    @property
    def header(self) -> str:
        """What the job's header ``until`` says; empty when that is absent."""
        return {"done": "", "window": "window"}.get(self.taken, STARTED)

    def demand(self, lane: int, key: str) -> Demand:
        """What must be decided of a job with this key."""
        wait = self.window if self.window is not None else self.debounce
        return Demand(
            lane, key, self.taken, 0 if wait is None else _ms(wait),
            "" if self.at_most is None else str(_ms(self.at_most)), self.conflict,
        )  # fmt: skip


def _found(payload: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(payload, dict) or name not in payload:
            raise KeyError(path)
        payload = payload[name]
    return payload


def _no_fields(fields: Any) -> str:
    """What is wrong with ``fields``. Their order is part of the key, so it must be the same in each process."""
    listed = isinstance(fields, list | tuple) and bool(fields) and all(type(f) is str and f for f in fields)
    if fields is None or listed:
        return ""
    return f"fields={as_given(fields)}) is not possible: use a list of names of fields, as ['order', 'customer.id']"


def _not_in(name: str, value: object, choices: tuple[str, ...]) -> str:
    fits = isinstance(value, str) and value in choices
    return "" if fits else f"{name}={as_given(value)}) is not possible: use one of {', '.join(choices)}"


def _no_duration(name: str, value: Any) -> str:
    if value is None:
        return ""
    try:
        if 0.001 <= seconds_of(value) <= LONGEST_WAIT:
            return ""
    except ValueError:
        pass
    return (
        f"{name}={as_given(value)}) is not possible: use a duration from 1 ms to a year, such as 60 or '5m'"
    )


def _ms(duration: Duration) -> int:
    return max(1, round(seconds_of(duration) * 1000))


BY_KEY: Final = Unique()
"""What ``key=`` alone means."""
