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


NO_HEADERS: Final[Headers] = {}

_ID: Final = re.compile(r"[0-9]+-[0-9]+")

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
    """Headers as they came; what is not sound counts as none, as it does in the scripts."""
    if not raw:
        return NO_HEADERS
    try:
        headers = codec.loads(raw)
    except codec.JSONDecodeError:
        return NO_HEADERS
    return cast("Headers", headers) if isinstance(headers, dict) and _sound(headers) else NO_HEADERS


def _sound(headers: dict[str, Any]) -> bool:
    return all(_IS[name](value) for name, value in headers.items() if name in _IS)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_count(value: object) -> bool:
    return _is_number(value) and value % 1 == 0  # type: ignore[operator]


def _is_history(value: object) -> bool:
    return value == {} or (isinstance(value, list) and all(isinstance(error, dict) for error in value))


_IS: Final[dict[str, Callable[[object], bool]]] = {
    "id": _is_id, "attempt": _is_count, "attempts": _is_count, "timeout": _is_number, "crashes": _is_count,
    "strayed": _is_count, "history": _is_history,
}  # fmt: skip
"""What each header must be."""


def pack_headers(headers: Mapping[str, Any]) -> bytes:
    """Headers as text, empty when there are none."""
    return codec.dumps(headers) if headers else b""


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
