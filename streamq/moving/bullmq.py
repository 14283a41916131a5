"""What becomes of a job of BullMQ here: its task, its payload and its options, or why it cannot come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from streamq.grouping import group_of
from streamq.model import codec
from streamq.model.clock import from_ms
from streamq.model.shown import as_given
from streamq.model.typed import quoted
from streamq.options import wrong_task_name
from streamq.store.bullmq import Place
from streamq.unique import KEY_LENGTH

WITHOUT: Final = "normal"
"""The priority here of jobs that have none there: they run first, there and here."""
_LIST: Final = "[]"
"""Behind the new name of a field: its value becomes a list, where it is none."""
LATER: Final = "low"
"""That of jobs that have one, where nothing else is said: they follow, in their order."""


class CannotCome(Exception):
    """A job stays where it is. Its text says why, so that many may be counted by it."""


class Incoming(NamedTuple):
    """A job as it is sent here."""

    task: str
    payload: Any
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """What names become."""

    tasks: Mapping[str, str] = field(default_factory=dict)
    """The task for a name there; a name that is not listed stays."""
    queues: Mapping[str, str] = field(default_factory=dict)
    """The queue for a queue there likewise."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """The name of a field of the data here; empty where it is left out."""
    priorities: Mapping[int, str] = field(default_factory=dict)
    """The priority here of numbers up to this one."""
    group: str | None = None
    """The template of a group, of fields as they are named here."""


def incoming(queue: str, place: Place, raw: Mapping[str, str] | None, names: Names) -> Incoming:
    """A job as it is sent here. Raises ``CannotCome``; ``InvalidPayload`` where its group cannot be made."""
    if raw is None:
        raise CannotCome("its key is no hash, as BullMQ makes it: another program wrote it")
    if not raw:
        raise CannotCome("nothing is kept of it any more")
    if "rjk" in raw:
        raise CannotCome("a scheduler makes it: make a schedule here")
    if "parentKey" in raw:
        raise CannotCome("it is the child of a flow")
    name = raw.get("name", "")
    task = names.tasks.get(name, name)
    if wrong_task_name(task):
        raise CannotCome(f"{as_given(name)} cannot name a task: say --task {quoted(name)}=TASK")
    payload, said = _payload(raw, names.fields), _read("options", raw.get("opts") or "{}")
    options: dict[str, Any] = {"key": key_of(queue, place.id), "priority": priority_of(raw, names.priorities)}
    if due := _due(place):
        options["at"] = due
    if attempts := _attempts(said, raw):
        options["attempts"] = attempts
    if names.group is not None:
        options["group"] = group_of(task, names.group, codec.dumps(payload), codec.loads)
    return Incoming(task, payload, options)


def key_of(queue: str, job: str) -> str:
    """The unique key of a job that comes: the same whenever it is read, and that of no job of this side."""
    key = f"bullmq:{queue}:{job}"
    if len(key) <= KEY_LENGTH and key.isprintable():
        return key
    return f"bullmq:{blake2b(key.encode(), digest_size=20).hexdigest()}"


def priority_of(raw: Mapping[str, str], priorities: Mapping[int, str]) -> str:
    """The priority here: a lower number is more urgent there, and none at all the most."""
    number = _whole(raw.get("priority"))
    if not number:
        return WITHOUT
    return next((name for bound, name in sorted(priorities.items()) if number <= bound), LATER)


def _payload(raw: Mapping[str, str], fields: Mapping[str, str]) -> Any:
    data = _read("data", raw.get("data") or "null")
    if not fields or not isinstance(data, dict):
        return data
    named = {}
    for name, value in data.items():
        new = fields.get(name, name)
        if new.endswith(_LIST) and name in fields:
            new, value = new.removesuffix(_LIST), value if isinstance(value, list) else [value]  # noqa: PLW2901
        named[new] = value
    named.pop("", None)
    return named


def _read(what: str, text: str) -> Any:
    try:
        return codec.loads(text)
    except codec.JSONDecodeError:
        raise CannotCome(f"its {what} cannot be read: no JSON") from None


def _due(place: Place) -> datetime | None:
    return from_ms(place.due_ms) if place.due_ms else None


def _attempts(said: Any, raw: Mapping[str, str]) -> int:
    """How many attempts it has left; 0 where it says nothing of them."""
    attempts = _whole(said.get("attempts")) if isinstance(said, dict) else 0
    return max(1, attempts - _whole(raw.get("atm"))) if attempts else 0


def _whole(said: Any) -> int:
    try:
        return max(0, int(said or 0))
    except (TypeError, ValueError):
        return 0
