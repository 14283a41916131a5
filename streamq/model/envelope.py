"""The envelope: what travels of a job, and how it is written in each place.

    stream entry      task <task>  payload <payload>  headers <headers>        always in this order
    parked            <task> LF <headers> LF <payload>
    finished record   <letter><ms since birth> <ms it ran> <worker> LF <task> LF <headers> LF <outcome> LF <payload>

The outcome is the result of a completed job (empty for none) and the error of a failed one. Payload, headers and
outcome are JSON. Headers say only what differs from the defaults; most jobs have none.

The names of the fields take no memory: a stream stores equal ones once for a whole block. The server counts their
length when it decides whether one more entry fits into a block, and so they are as long as the overhead of an entry:
with shorter names a block ends above its size limit and takes a quarter more memory.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from streamq.model.headers import NO_HEADERS, parse_headers
from streamq.model.lanes import READY
from streamq.model.places import queue_of, shown_id

TASK: Final = b"task"
PAYLOAD: Final = b"payload"
HEADERS: Final = b"headers"


class Demand(NamedTuple):
    """What must be decided of a new job: see the arguments of ``lua/admit.lua``."""

    lane: int = READY
    """The lane of its priority."""
    key: str = ""
    """Its unique key; empty for none."""
    until: str = ""
    """Until what the key is taken: ``done``, ``started``, ``window`` or ``debounce``."""
    window: int = 0
    """The milliseconds of the window, or those by which the job is put off."""
    longest: str = ""
    """Milliseconds after its birth beyond which it is not put off; empty for no limit."""
    conflict: str = ""
    """What becomes of it when it meets another: ``keep``, ``replace``, ``latest`` or ``queue``."""

    @property
    def may_replace(self) -> bool:
        """Whether more than a look is needed where it meets another."""
        return self.until == "debounce" or self.conflict not in ("", "keep")


UNDEMANDING: Final = Demand()


class New(NamedTuple):
    """A job to enqueue. ``due`` is empty for now, or a due time as ``streamq.model.due`` writes it."""

    task: str
    payload: bytes
    headers: bytes = b""
    due: str = ""
    demand: Demand | None = None
    """``None`` for a plain job, as most are."""


Place = tuple[str, int, bytes]
"""Queue, lane and entry of a job that was delivered to a worker."""


class Delivery:
    """A job as it was delivered to a worker: an entry of a lane, read but not yet judged."""

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
        if self.raw_headers:
            self.headers = parse_headers(self.raw_headers)
            self.job_id = self.headers.get("id") or entry.decode()
        else:  # most jobs have no headers
            self.headers, self.job_id = NO_HEADERS, entry.decode()

    @property
    def known_as(self) -> tuple[str, str]:
        """Its queue and its id, as people know them."""
        return queue_of(self.queue), shown_id(self.queue, self.job_id)

    @property
    def place(self) -> Place:
        """Where it lies."""
        return self.queue, self.lane, self.entry


def parse_fields(fields: list[bytes]) -> tuple[bytes, bytes, bytes]:
    """Task, payload and headers of an entry, whose fields may come in any order and may be missing."""
    at = dict(zip(fields[::2], fields[1::2], strict=True))
    return at.get(TASK, b""), at.get(PAYLOAD, b"null"), at.get(HEADERS, b"")


def parked(task: str, headers: bytes, payload: bytes) -> bytes:
    """The envelope as the parked hash holds it."""
    return b"\n".join((one_line(task.encode()), one_line(headers), payload))


def opened(envelope: bytes) -> tuple[bytes, bytes, bytes]:
    """Task, headers and payload of a parked envelope; what is missing is empty."""
    task, _, rest = envelope.partition(b"\n")
    headers, _, payload = rest.partition(b"\n")
    return task, headers, payload


def one_line(text: bytes) -> bytes:
    """A text as one line: in an envelope and in a record a line feed separates the parts."""
    return text.replace(b"\n", b" ") if b"\n" in text else text
