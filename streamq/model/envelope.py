"""The envelope: what travels of a job, and how it is written in each place.

    stream entry      task <task>  payload <payload>  headers <headers>        always in this order
    parked            <task> LF <headers> LF <payload>
    finished record   c|f<ms since birth> <ms it ran> <worker> LF <task> LF <headers> LF <outcome> LF <payload>

The outcome is the result of a completed job (empty for none) and the error of a failed one. Payload, headers and
outcome are JSON. Headers say only what differs from the defaults; most jobs have none.

The names of the fields cost nothing: a stream stores equal ones once for a whole block. They are as long as what an
entry costs beside its values, as the server reckons with them when it decides whether one more fits into a block;
with shorter ones a block ends above its size and takes a quarter more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypedDict, cast

from streamq.model import codec

TASK: Final = b"task"
PAYLOAD: Final = b"payload"
HEADERS: Final = b"headers"


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
    crashes: int
    """Workers lost while it was active."""
    unknown_task_count: int
    """Times it met a worker that does not know its task, in a row."""
    unknown_task_since: int
    """When it did for the first time, in milliseconds since the epoch."""
    history: list[dict[str, Any]]
    """What went wrong so far, oldest first; the first and the last with their tracebacks."""
    foreign: bytes
    """Not a name in the text: members that somebody else wrote, as they came. ``pack_headers`` passes them on."""


NO_HEADERS: Final[Headers] = {}

_NUMBER: Final = rb"(?:0|[1-9][0-9]{0,19})"
_ID: Final = re.compile(rb'{"id":"((%b)-(%b))"[,}]' % (_NUMBER, _NUMBER))
"""The id counts as the first member only, in the one form that we write."""
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
"""Version, trace, span and flags; a trace or a span of zeros alone is none."""

LARGEST: Final = 10**9
"""Of counts and seconds: they are smaller."""
HISTORY: Final = 20
"""Entries of a history that are kept: the first one always, and the latest."""
HISTORY_BYTES: Final = 16_384
"""Bytes of a whole history as JSON. Each attempt sends the headers again, and each failed job is kept with them, so
this bounds both: a job of 1,000 attempts sends 16 MB in all, and 10,000 failed ones take at most 160 MB."""
IN_FULL: Final = 7_000
"""Bytes of an entry that keeps its traceback: two of them fit into the whole."""
SUMMARY: Final = 200
"""Characters kept of the message of an entry between the first and the last."""


class New(NamedTuple):
    """A job to enqueue. ``due`` is empty for now, ``+ms`` from now, or ``=ms`` since the epoch."""

    task: str
    payload: bytes
    headers: bytes = b""
    due: str = ""


Place = tuple[str, int, bytes]
"""Queue, lane and entry of what a worker has in its hands."""


class Delivery:
    """A job in a worker's hands: an entry of a lane, read but not yet judged."""

    __slots__ = ("entry", "headers", "job_id", "lane", "payload", "queue", "raw_headers", "raw_task", "task")

    def __init__(self, queue: str, lane: int, raw: list[Any]) -> None:
        entry, fields = raw
        self.queue = queue
        self.lane = lane
        self.entry: bytes = entry
        if len(fields) == 6 and fields[0] == TASK and fields[2] == PAYLOAD and fields[4] == HEADERS:
            self.raw_task: bytes = fields[1]
            self.payload: bytes = fields[3]
            self.raw_headers: bytes = fields[5]
        else:  # a foreign producer wrote it
            self.raw_task, self.payload, self.raw_headers = parse_fields(fields)
        self.task = self.raw_task.decode("utf-8", "replace")
        self.headers = parse_headers(self.raw_headers) if self.raw_headers else NO_HEADERS
        self.job_id = self.headers.get("id") or entry.decode()

    @property
    def place(self) -> Place:
        """Where it lies."""
        return self.queue, self.lane, self.entry


def parse_fields(fields: list[bytes]) -> tuple[bytes, bytes, bytes]:
    """Task, payload and headers of an entry, whose fields may come in any order and may be missing."""
    at = dict(zip(fields[::2], fields[1::2], strict=True))
    return at.get(TASK, b""), at.get(PAYLOAD, b"null"), at.get(HEADERS, b"")


def parse_headers(raw: bytes) -> Headers:
    """Headers as they came; the rules are those of ``_headers.lua``, which reads them for the scripts.

    A member that is not what ``Headers`` says counts as absent, and what is no JSON object as empty.
    """
    if not raw:
        return NO_HEADERS
    if b"\\" not in raw:  # else a name may be written in several ways
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
    """Headers in which somebody else wrote: only our own members are decoded."""
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
        headers["history"] = [_short(entry) for entry in headers["history"]]  # so it can be written and shown
    return cast("Headers", headers)


def id_of(raw: bytes) -> str | None:
    """The job's id in its headers, also where the rest of them is no JSON."""
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


def _is_history(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(error, dict) for error in value)


_IS: Final[dict[str, Callable[[object], bool]]] = {
    "id": lambda _: True, "attempt": _is_count, "attempts": _is_count, "timeout": _is_number,
    "crashes": _is_count, "unknown_task_count": _is_count, "unknown_task_since": _is_time,
    "history": _is_history,
}  # fmt: skip
"""What each header must be; the id is judged by ``id_of``."""


def pack_headers(headers: Mapping[str, Any]) -> bytes:
    """Headers as text, the id first; empty when there are none."""
    if "id" not in headers and "foreign" not in headers:
        return codec.dumps(headers) if headers else b""
    ours = {"id": headers["id"], **headers} if "id" in headers else dict(headers)
    foreign = ours.pop("foreign", b"")
    packed = codec.dumps(ours)
    return b"%b%b%b}" % (packed[:-1], b"," if ours and foreign else b"", foreign) if foreign else packed


def trace_of(headers: Headers) -> tuple[str, str] | None:
    """The trace and the span that a producer named in a member ``traceparent``, as W3C Trace Context writes it."""
    foreign = headers.get("foreign", b"")
    if b"traceparent" not in foreign:  # as in nearly all
        return None
    for name, value, _ in reversed(members(b"{%b}" % foreign) or []):
        if name == b"traceparent":
            found = _TRACE.fullmatch(value)
            return (found[1].decode(), found[2].decode()) if found else None
    return None


def without_unknown_task(headers: Headers) -> Headers:
    """Headers without what is counted while no worker knows the task: this one does, or nobody will."""
    if "unknown_task_count" not in headers and "unknown_task_since" not in headers:
        return headers
    kept = {**headers}
    kept.pop("unknown_task_count", None)
    kept.pop("unknown_task_since", None)
    return cast("Headers", kept)


def with_error(headers: Headers, error: Mapping[str, Any]) -> Headers:
    """Headers with one more entry in their history.

    The first and the last entry are whole; those between are summaries without a traceback, the latest of them.
    """
    before = headers.get("history") or []
    last = _bounded(error)
    if not before:
        return {**headers, "history": [last]}
    first = _bounded(before[0])
    room = HISTORY_BYTES - len(codec.dumps([first, last]))
    between: list[dict[str, Any]] = []
    for entry in reversed(before[max(1, len(before) - HISTORY + 2) :]):
        summary = _summary(entry)
        room -= len(codec.dumps(summary)) + 1
        if room < 0:
            break
        between.append(summary)
    return {**headers, "history": [first, *reversed(between), last]}


def _bounded(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as it is, or what a summary keeps of it and of its traceback when another program made it too long."""
    whole = dict(entry)
    try:
        if len(codec.dumps(whole)) <= IN_FULL:
            return whole
    except TypeError:  # deeper than can be written, though it could be read
        pass
    return _short(whole)


def _short(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**_summary(entry), "traceback": _cut(entry.get("traceback"), IN_FULL // 2)}


def _summary(entry: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: _cut(entry[name], SUMMARY) for name in ("type", "message", "worker") if name in entry}
    numbers = {
        name: entry[name]
        for name in ("attempt", "started_at", "finished_at")
        if isinstance(entry.get(name), int | float)
    }
    return {**texts, "traceback": "", **numbers}


def _cut(text: object, longest: int) -> str:
    return fitted(text[:longest], longest) if isinstance(text, str) else ""


def fitted(text: str, longest: int, *, end: bool = False) -> str:
    """The beginning of a text, or its end, in at most ``longest`` bytes as JSON: a control character takes six."""
    while (size := len(codec.dumps(text)) - 2) > longest:
        keep = min(len(text) - 1, len(text) * longest // size)
        text = text[len(text) - keep :] if end else text[:keep]
    return text


def parked(task: str, headers: bytes, payload: bytes) -> bytes:
    """The envelope as the parked hash holds it."""
    return b"\n".join((_line(task.encode()), _line(headers), payload))


def record(
    kind: bytes, delivery: Delivery, now: int, run_ms: int, worker: bytes, headers: bytes, outcome: bytes
) -> bytes:
    """A finished record; ``kind`` is ``c`` or ``f``, ``now`` is ms since the epoch by the server's clock.

    A job's id begins with the time of its birth in ms; one that is longer than a time is somebody's mistake.
    """
    age = max(0, now - int(delivery.job_id.partition("-")[0][:14]))
    task, headers = _line(delivery.raw_task), headers and _line(headers)
    return b"%b%d %d %b\n%b\n%b\n%b\n%b" % (
        kind, age, run_ms, worker, task, headers, outcome, delivery.payload,
    )  # fmt: skip


def as_failure(kind: str, body: bytes, job_id: str, now: int, worker: bytes, outcome: bytes) -> bytes:
    """The record of a failed job, made of an outcome of any ``kind`` (``settle.lua``) that could not be written."""
    if kind == "d":
        _, task, headers, payload = body.split(b"\n", 3)
        first = b"f%d 0 %b" % (max(0, now - int(job_id.partition("-")[0][:14])), worker)
    else:
        first, task, headers, _, payload = body.split(b"\n", 4)
        first = b"f" + first[1:]
    return b"\n".join((first, task, headers, outcome, payload))


def _line(text: bytes) -> bytes:
    return text.replace(b"\n", b" ") if b"\n" in text else text
