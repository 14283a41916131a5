"""Headers: what a job carries beside its task and payload, as JSON. They say only what differs from the defaults.

The rules of reading are those of ``lua/parts/headers.lua``, which reads them for the scripts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypedDict, cast

from streamq.model import codec
from streamq.model.group import is_group
from streamq.model.history import HISTORY_BYTES, grown, short
from streamq.model.lanes import PRIORITIES


class Headers(TypedDict, total=False):
    """What a job carries beside its payload; each key is absent at its default."""

    id: str
    """The job's id, where it is not the entry it lies in."""
    attempt: int
    """Attempts already spent."""
    attempts: int
    """How many it may spend, where that is not the task's."""
    timeout: float
    """Seconds an attempt may take, where that is not the task's."""
    priority: str
    """Its priority, where that is not normal."""
    key: str
    """Its unique key."""
    group: str
    """Its group, by which it waits for the gate."""
    units: int
    """How much it draws of shared limits, where that is not 1."""
    failing: bool
    """Whether its last attempt failed, where it waits for the gate: breakers count that."""
    returned: int
    """How often it came back, where it waits for the gate: it goes before the others of its line."""
    until: str
    """Until what it has the key, where that is not until it is done: ``started`` or ``window``."""
    expires: str
    """When it is not started any more: a due time (``model.due``), from its birth."""
    due: int
    """When it may wait at the earliest, in milliseconds since the epoch, where it is held until another job ends."""
    follows: str
    """The id of the failed job that it follows (``on_failed``)."""
    clone_of: str
    """The id of the job that it was made of, with another payload."""
    cloned_as: str
    """The id of the job that was made of it so last."""
    version: int
    """How often it was changed since its birth."""
    promoted_by: str
    """The id of the operation that has promoted it last: where it is delayed again, that leaves it so."""
    crashes: int
    """Workers lost while it was active."""
    unknown_task_count: int
    """Times it met a worker that does not know its task, in a row."""
    unknown_task_since: int
    """When it did for the first time, in milliseconds since the epoch."""
    payload_version: int
    """The version of its payload, where that is not 1."""
    keep_result: float
    """Seconds that its result is kept, where that is not as long as its record."""
    masked: list[str]
    """What of its payload no view shows: JSON pointers, in which `*` stands for every item or member."""
    masked_result: list[str]
    """The same of its result."""
    tried_since: int
    """When its first attempt began, in milliseconds since the epoch, where its task has a `give_up_after`."""
    history: list[dict[str, Any]]
    """What went wrong so far, oldest first; the first and the last with their tracebacks."""
    schedule: str
    """The name of the schedule that enqueued it."""
    planned: int
    """The planned time of its run, in milliseconds since the epoch."""
    foreign: bytes
    """No header of its own: members that another program wrote, as they came. ``pack_headers`` writes them again."""


NO_HEADERS: Final[Headers] = {}

_NUMBER: Final = rb"(?:0|[1-9][0-9]{0,19})"
_SHORT: Final = rb"(?:0|[1-9][0-9]{0,18})"
"""A number of so few digits that it is below 2**64 in any case."""
_ID: Final = re.compile(rb'{"id":"((%b)-(%b))"[,}]' % (_NUMBER, _NUMBER))
"""The id is read as the first member only, in the one form that we write: scripts find it without parsing."""
_ID_ALONE: Final = re.compile(rb'{"id":"(%b-%b)"}' % (_SHORT, _SHORT))
"""Headers that say nothing but the id, as those of most jobs that were delayed."""
_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_WHITE: Final = rb"[ \t\r\n]*"
_MEMBER: Final = re.compile(
    rb'(%b)%b:%b(%b|(?=[\[{])|[^\[\]{}",: \t\r\n]+)' % (_STRING, _WHITE, _WHITE, _STRING), re.DOTALL
)
"""Name and value; the value is empty where a list or an object begins."""
_BEGIN: Final = re.compile(rb"%b{%b" % (_WHITE, _WHITE))
_NEXT: Final = re.compile(rb"%b([,}])%b" % (_WHITE, _WHITE))
_END: Final = re.compile(rb"}%b" % _WHITE)
_NESTED: Final = re.compile(rb"%b|[\[\]{}\"]" % _STRING, re.DOTALL)

_TRACE: Final = re.compile(
    rb'"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-[0-9a-f]{2}"'
)
"""Version, trace, span and flags; a trace or span of only zeros is invalid, as the standard says."""

LARGEST: Final = 10**9
"""Counts and seconds (30 years) are below this; a larger number is invalid, and exact in each reader of JSON."""


def parse_headers(raw: bytes) -> Headers:
    """Headers as they came.

    Invalid members are treated as absent, and text that is no JSON object as empty headers.
    """
    if not raw:
        return NO_HEADERS
    if alone := _ID_ALONE.fullmatch(raw):
        return {"id": alone[1].decode()}
    if b"\\" not in raw:  # with escapes a name could be written in several ways
        try:
            found = codec.loads(raw)
        except codec.JSONDecodeError:
            pass
        else:
            if not isinstance(found, dict):
                return NO_HEADERS
            if found.keys() <= _IS.keys():
                return _understood(raw, found, b"")
    return _from_text(raw)


def _from_text(raw: bytes) -> Headers:
    """Headers that another program wrote or added to: only our own members are decoded."""
    ours: dict[str, Any] = {}
    foreign = []
    for name, value, text in members(raw) or ():
        if (known := name.decode("latin-1")) in _IS:
            ours[known] = value
        else:
            foreign.append(text)
    return _understood(raw, {name: _decoded(value) for name, value in ours.items()}, b",".join(foreign))


def _decoded(value: bytes) -> Any:
    try:
        return codec.loads(value)
    except codec.JSONDecodeError:
        return None


def _understood(raw: bytes, found: dict[str, Any], foreign: bytes) -> Headers:
    headers: dict[str, Any] = {}
    job_id = id_of(raw)
    if job_id:
        headers["id"] = job_id
    headers |= {name: value for name, value in found.items() if name != "id" and _IS[name](value)}
    if foreign:
        headers["foreign"] = foreign
    if "history" in headers and (len(raw) > 2 * HISTORY_BYTES or codec.too_deep(raw)):
        headers["history"] = [short(entry) for entry in headers["history"]]  # so it can be written and shown
    return cast("Headers", headers)


def id_of(raw: bytes) -> str | None:
    """The job's id in its headers, also where the rest of them is invalid JSON."""
    found = _ID.match(raw)
    if found is None or int(found[2]) >= 2**64 or int(found[3]) >= 2**64:
        return None
    return found[1].decode()


def members(raw: bytes) -> list[tuple[bytes, bytes, bytes]] | None:
    """Name, value and whole text of each top-level member of an object; ``None`` when the text is none."""
    found: list[tuple[bytes, bytes, bytes]] = []
    begin = _BEGIN.match(raw)
    if begin is None:
        return None
    at = begin.end()
    if _END.fullmatch(raw, at):
        return found
    while member := _MEMBER.match(raw, at):
        end = member.end() if member[2] else _nested_end(raw, member.end())
        following = _NEXT.match(raw, end)
        if following is None:
            return None
        found.append((member[1][1:-1], raw[member.start(2) : end], raw[at:end]))
        at = following.end()
        if following[1] == b"}":
            return found if at == len(raw) else None
    return None


def _nested_end(raw: bytes, at: int) -> int:
    """Where the list or object that begins at ``at`` ends; the end of the text when it does not."""
    open_: list[bytes] = []
    for token in _NESTED.finditer(raw, at):
        mark = token[0]
        if mark in _CLOSER:
            open_.append(_CLOSER[mark])
        elif len(mark) == 1 and (mark == b'"' or mark != open_.pop()):
            break
        if not open_:
            return token.end()
    return len(raw)


_CLOSER: Final = {b"[": b"]", b"{": b"}"}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < LARGEST


def _is_time(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < LARGEST


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_history(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(error, dict) for error in value)


def _is_version(value: object) -> bool:
    return _is_count(value) and value != 0


def _are_pointers(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


_IS: Final[dict[str, Callable[[object], bool]]] = {
    "id": lambda _: True, "attempt": _is_count, "attempts": _is_count, "timeout": _is_number, "keep_result": _is_number,
    "priority": lambda value: value in PRIORITIES, "key": _is_text, "group": is_group, "until": _is_text,
    "expires": _is_text, "follows": _is_text, "due": _is_time, "clone_of": _is_text, "cloned_as": _is_text,
    "promoted_by": _is_text,
    "version": _is_count, "returned": _is_count, "units": _is_version,
    "failing": lambda value: value is True, "crashes": _is_count,
    "unknown_task_count": _is_count, "unknown_task_since": _is_time,
    "tried_since": _is_time, "payload_version": _is_version, "masked": _are_pointers, "masked_result": _are_pointers,
    "history": _is_history, "schedule": _is_text, "planned": _is_time,
}  # fmt: skip
"""What makes each header valid; ``id_of`` checks the id."""


def pack_headers(headers: Mapping[str, Any]) -> bytes:
    """Headers as text, the id first; empty when there are none."""
    if "id" not in headers and "foreign" not in headers:
        return codec.dumps(headers) if headers else b""
    ours = {"id": headers["id"], **headers} if "id" in headers else dict(headers)
    foreign = ours.pop("foreign", b"")
    packed = codec.dumps(ours)
    return b"%b%b%b}" % (packed[:-1], b"," if ours and foreign else b"", foreign) if foreign else packed


def joined(headers: bytes, more: bytes) -> bytes:
    """Two texts of headers, neither with an id, as one."""
    return b"%b,%b" % (headers[:-1], more[1:]) if headers and more else headers or more


def traceparent_of(headers: Headers) -> str | None:
    """What a producer wrote into a member ``traceparent``, where that is as W3C Trace Context writes it."""
    foreign = headers.get("foreign", b"")
    if b"traceparent" not in foreign:  # as in nearly all
        return None
    for name, value, _ in reversed(members(b"{%b}" % foreign) or []):
        if name == b"traceparent":
            return value[1:-1].decode() if _TRACE.fullmatch(value) else None
    return None


def trace_of(headers: Headers) -> tuple[str, str] | None:
    """The trace and the span that a producer named in a member ``traceparent``."""
    found = traceparent_of(headers)
    if found is None:
        return None
    _, trace, span, _ = found.split("-")
    return trace, span


def expires_at(headers: Headers, job_id: str) -> int | None:
    """When a job is not started any more, in milliseconds since the epoch; ``None`` when it always is."""
    said = headers.get("expires")
    if said is None:
        return None
    try:
        return int(said[1:]) if said.startswith("@") else int(job_id.partition("-")[0]) + int(said)
    except ValueError:  # somebody else's
        return None


def key_given_up(headers: Headers) -> str:
    """The unique key that the job's end gives up; empty where it has none, or has it for a window, which goes on."""
    return "" if headers.get("until") == "window" else headers.get("key", "")


def without_unknown_task(headers: Headers) -> Headers:
    """Headers without the counters of an unknown task: this worker knows the task, or the job is failed for it."""
    if "unknown_task_count" not in headers and "unknown_task_since" not in headers:
        return headers
    kept = {**headers}
    kept.pop("unknown_task_count", None)
    kept.pop("unknown_task_since", None)
    return cast("Headers", kept)


def with_error(headers: Headers, error: Mapping[str, Any]) -> Headers:
    """Headers with one more entry in their history."""
    return {**headers, "history": grown(headers.get("history") or [], error)}
