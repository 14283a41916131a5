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

from streamq import codec

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
    strayed: int
    """Times it met a worker that does not know its task."""
    history: list[dict[str, Any]]
    """What went wrong so far, oldest first."""
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

LARGEST: Final = 10**9
"""Of counts and seconds: they are smaller."""
LATEST: Final = 100
"""Entries of a history that are kept; the first one always is."""


class New(NamedTuple):
    """A job to enqueue. ``due`` is empty for now, ``+ms`` from now, or ``=ms`` since the epoch."""

    task: str
    payload: bytes
    headers: bytes = b""
    due: str = ""


Held = tuple[str, int, bytes]
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
    def held(self) -> Held:
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
    "crashes": _is_count, "strayed": _is_count, "unknown_task_count": _is_count, "unknown_task_since": _is_time,
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


def with_error(headers: Headers, error: Mapping[str, Any]) -> Headers:
    """Headers with one more entry in their history, the middle dropped past ``LATEST``."""
    history = [*headers.get("history", ()), dict(error)]
    if len(history) > LATEST:
        history = [history[0], *history[1 - LATEST :]]
    return {**headers, "history": history}


def parked(task: str, headers: bytes, payload: bytes) -> bytes:
    """The envelope as the parked hash holds it."""
    return b"\n".join((_line(task.encode()), _line(headers), payload))


def record(
    kind: bytes, delivery: Delivery, now: int, run_ms: int, worker: bytes, headers: bytes, outcome: bytes
) -> bytes:
    """A finished record; ``kind`` is ``c`` or ``f``, ``now`` is ms since the epoch by the server's clock."""
    age = max(0, now - int(delivery.job_id.partition("-")[0]))
    task, headers = _line(delivery.raw_task), headers and _line(headers)
    return b"%b%d %d %b\n%b\n%b\n%b\n%b" % (
        kind, age, run_ms, worker, task, headers, outcome, delivery.payload,
    )  # fmt: skip


def _line(text: bytes) -> bytes:
    return text.replace(b"\n", b" ") if b"\n" in text else text
