"""The envelope: what travels of a job, and how it is written in each place.

    stream entry      task <task>  payload <payload>  headers <headers>        always in this order
    parked            <task> LF <headers> LF <payload>
    finished record   <letter><ms since birth> <ms it ran> <worker> LF <task> LF <headers> LF <outcome> LF <payload>

The outcome is the result of a completed job (empty for none) and the error of a failed one. Payload, headers and
outcome are JSON. Headers say only what differs from the defaults; most jobs have none.

The names of the fields cost nothing: a stream stores equal ones once for a whole block. They are as long as what an
entry costs beside its values, as the server reckons with them when it decides whether one more fits into a block;
with shorter ones a block ends above its size and takes a quarter more.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from streamq.model.headers import NO_HEADERS, parse_headers

TASK: Final = b"task"
PAYLOAD: Final = b"payload"
HEADERS: Final = b"headers"


class New(NamedTuple):
    """A job to enqueue. ``due`` is empty for now, or a due time as ``streamq.model.due`` writes it."""

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
        if self.raw_headers:
            self.headers = parse_headers(self.raw_headers)
            self.job_id = self.headers.get("id") or entry.decode()
        else:  # as most jobs have none
            self.headers, self.job_id = NO_HEADERS, entry.decode()

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
    """A text as one line, since a line feed ends it where it is kept."""
    return text.replace(b"\n", b" ") if b"\n" in text else text
