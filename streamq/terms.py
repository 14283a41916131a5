"""The terms of an enqueue: the options that a call gives, as they travel with its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from streamq.durations import LONGEST_WAIT, seconds_of
from streamq.errors import FieldError, InvalidPayload, UsageError
from streamq.model import due
from streamq.model.clock import to_ms
from streamq.model.durability import Durability
from streamq.model.envelope import UNDEMANDING, New
from streamq.model.headers import joined, pack_headers, parse_headers
from streamq.model.lanes import BY_PRIORITY, NORMAL, READY
from streamq.options import OPTIONS, Option, refuse
from streamq.unique import BY_KEY, Unique


class Terms(NamedTuple):
    """The options of an enqueue as they travel."""

    due: str = ""
    """When the job is due, as ``New`` takes it."""
    headers: bytes = b""
    durability: Durability | None = None
    lane: int = READY
    key: str = ""
    unique: Unique | None = None
    group: str = ""
    units: int = 0
    """Where the call says them."""

    @property
    def is_plain(self) -> bool:
        """Whether they ask for nothing that must be decided of a job."""
        return self.lane == READY and not (self.key or self.group) and self.unique is None

    def in_group(self, group: str) -> Terms:
        """The same of a group."""
        return self._replace(group=group, headers=joined(self.headers, pack_headers({"group": group})))

    def new(self, task: str, payload: bytes, unique: Unique | None = None, *, hidden: bool = False) -> New:
        """A job under these terms. ``unique`` is its task's; where it is none, and nothing else asks for it, the job
        is plain. With ``hidden`` its key is made so that nothing of the payload can be read from it.

        Raises ``InvalidPayload`` where it lacks a field of its unique key.
        """
        unique = self.unique or unique
        if unique is None and not self.key:
            demand = UNDEMANDING._replace(lane=self.lane) if self.lane != READY or self.group else None
            return New(task, payload, self.headers, self.due, demand)
        unique = unique or BY_KEY
        key = self.key or _key(unique, task, payload, hidden=hidden)
        headers = parse_headers(self.headers)
        carried = {**headers, "key": key, **({"until": unique.header} if unique.header else {})}
        return New(task, payload, pack_headers(carried), self.due, unique.demand(self.lane, key))


def _key(unique: Unique, task: str, payload: bytes, *, hidden: bool) -> str:
    try:
        return unique.key_of(task, payload, hidden=hidden)
    except KeyError as missing:
        raise InvalidPayload(
            task,
            [FieldError("", "missing", f"it has no {missing.args[0]!r}, which its unique key is made of")],
        ) from None


NOTHING: Final[Any] = object()
"""A payload that a call does not give."""
PLAIN: Final = Terms()
"""Without options, as most jobs are sent."""


def terms(task: str, given: Mapping[str, Any], version: int | None = None) -> Terms:
    """The options that a call of enqueue gives; ``version`` is that of a task that is known. Raises ``UsageError``."""
    if not given:
        return PLAIN
    refuse(task, given.keys() - OPTIONS.keys(), OPTIONS)
    headers = {}
    for name, value in given.items():
        if value is not None:
            option = OPTIONS[name]
            if problem := option.wrong(value):
                raise UsageError(problem)
            if name == "payload_version" and version is not None:
                _check_version(value, version)
            elif option.header is not None and value != option.default:
                headers[option.header] = option.carried(value)
    return Terms(
        _due(given.get("delay"), given.get("at")),
        pack_headers(headers) if headers else b"",
        given.get("durability"),
        BY_PRIORITY[given.get("priority") or NORMAL],
        given.get("key") or "",
        given.get("unique"),
        given.get("group") or "",
        given.get("units") or 0,
    )


def _check_version(given: int, version: int) -> None:
    """A task that is known checks each payload by its own type, so no payload of another version passes."""
    if given != version:
        raise UsageError(
            f"payload_version={given} is not possible: the task is known here, and its payloads are of version "
            f"{version}: leave it out"
        )


def _due(delay: Any, at: Any) -> str:
    """When a job is due, as ``New`` takes it."""
    if at is not None:
        if delay is not None:
            raise UsageError("give delay or at, not both")
        return due.at(to_ms(at))
    soon = due.after(seconds_of(delay)) if delay else "0"
    return "" if soon == "0" else soon


def moment(name: str, value: Any) -> str:
    """A duration from now, or an aware time, as a due time. Raises ``UsageError``."""
    option = Option(name, "moment", "", above=True, high=LONGEST_WAIT)
    if problem := option.wrong(value):
        raise UsageError(problem)
    return str(option.carried(value))


def patience(timeout: Any) -> float | None:
    """The seconds that a result is waited for; ``None`` is without end, and what is over already is 0.

    Raises ``UsageError``.
    """
    if timeout is None:
        return None
    if isinstance(timeout, int | float) and -LONGEST_WAIT <= timeout < 0:
        return 0.0  # the rest of a time that has run out
    try:
        return seconds_of(timeout)
    except ValueError as error:
        raise UsageError(f"timeout={error}; None waits for as long as it takes") from None
