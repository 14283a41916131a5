"""From what is stored of a job to the record that people see: as far as it can be read, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from streamq.model import codec, record
from streamq.model.clock import from_ms
from streamq.model.envelope import opened, parse_fields
from streamq.model.failure_kinds import unsaid
from streamq.model.headers import Headers, expires_at, id_of, parse_headers
from streamq.model.job_record import Failure, JobRecord
from streamq.model.lanes import NORMAL
from streamq.model.masked import MASK, mask
from streamq.model.outcomes import FAILED, STATES
from streamq.model.places import key_shown, queue_of, shown_id
from streamq.model.states import State

SAID: Final = 16_384
"""Characters shown of an error that another program wrote: above what our own can have (``description``)."""


def _shown(raw: bytes) -> Any:
    """The value of JSON text; text that is no JSON, as another program may write it, as it is."""
    try:
        return codec.exact(raw)
    except codec.JSONDecodeError:
        return raw.decode("utf-8", "replace")


def _without(raw: bytes, masked: Sequence[str]) -> Any:
    """The value of JSON text without what is masked in it."""
    if not masked:
        return _shown(raw)
    return MASK if codec.too_deep(raw) else mask(_shown(raw), masked)


def _time(ms: float) -> datetime | None:
    """The time, or ``None``: a number that another program wrote may be outside of what a ``datetime`` can hold."""
    try:
        return from_ms(ms)
    except (ValueError, OverflowError, OSError):
        return None


def _number_in(text: bytes) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _common(queue: str, job_id: str, task: bytes, payload: bytes, headers: Headers) -> dict[str, Any]:
    history = [_failure(said) for said in headers.get("history", ())]
    expires = expires_at(headers, job_id)
    masked = tuple(headers.get("masked", ()))
    return {
        "id": shown_id(queue, job_id), "queue": queue_of(queue), "task": task.decode("utf-8", "replace"),
        "payload": _without(payload, masked), "masked": masked,
        "payload_version": headers.get("payload_version", 1),
        "unshown": ("payload",) if codec.too_deep(payload) else (),
        "attempts": headers.get("attempts"), "crashes": headers.get("crashes", 0),
        "created_at": _time(int(job_id.partition("-")[0])), "history": history,
        "error": history[-1] if history else None,
        "priority": headers.get("priority", NORMAL), "key": key_shown(headers.get("group"), headers.get("key")),
        "group": headers.get("group"),
        "version": headers.get("version", 0), "expires_at": None if expires is None else _time(expires),
        "schedule": headers.get("schedule"),
        "clone_of": _shown_id(queue, headers.get("clone_of")),
        "cloned_as": _shown_id(queue, headers.get("cloned_as")),
        "planned_at": _time(headers["planned"]) if "planned" in headers else None,
    }  # fmt: skip


def _shown_id(queue: str, job_id: str | None) -> str | None:
    return None if job_id is None else shown_id(queue, job_id)


def _said(text: Any) -> str:
    text = str(text)
    return text if len(text) <= SAID else f"{text[:SAID]}… (cut: it has {len(text):,} characters)"


def _outcome(raw: bytes) -> dict[str, Any]:
    """The end of a failed job by its record; where another program's is nested too deep to show, a text says so."""
    if codec.too_deep(raw):
        return {"type": "Unreadable", "message": codec.TOO_DEEP}
    said = _shown(raw or b"null")
    return said if isinstance(said, dict) else {"type": "Unreadable", "message": said}


def _failure(said: dict[str, Any]) -> Failure:
    """A failure as far as it can be read, whoever wrote it."""
    known: dict[str, Any] = {"type": _said(said.get("type", "")), "message": _said(said.get("message", ""))}
    known |= {
        name: _said(said[name])
        for name in ("traceback", "worker", "decision", "by", "fingerprint", "frame")
        if isinstance(said.get(name), str)
    }
    known |= {
        name: _time(said[name])
        for name in ("started_at", "finished_at")
        if type(said.get(name)) in (int, float)
    }
    if type(said.get("attempt")) is int:
        known["attempt"] = said["attempt"]
    return Failure(**known)


def from_entry(
    queue: str, job_id: str, now: int, worker: bytes, idle: int, task: bytes, payload: bytes, raw: bytes
) -> JobRecord:
    """A job from the entry in which it lies; an empty ``worker`` means that it waits."""
    headers = parse_headers(raw)
    active = bool(worker)
    return JobRecord(
        **_common(queue, job_id, task, payload, headers),
        state=State.ACTIVE if active else State.WAITING,
        attempt=headers.get("attempt", 0) + active,
        started_at=_time(now - idle) if active else None,
        worker=worker.decode("utf-8", "replace") or None,
    )


def from_waiting(queue: str, entry: bytes, fields: list[bytes]) -> JobRecord:
    """A waiting job from its entry, as a stream gives it."""
    task, payload, headers = parse_fields(fields)
    return from_entry(queue, id_of(headers) or entry.decode(), 0, b"", 0, task, payload, headers)


def from_parked(queue: str, job_id: str, due: bytes, envelope: bytes) -> JobRecord:
    """A delayed or held job from its envelope."""
    task, raw, payload = opened(envelope)
    headers, due_ms = parse_headers(raw), _number_in(due)
    earliest = headers.get("due") if due_ms is None else due_ms
    return JobRecord(
        **_common(queue, job_id, task, payload, headers),
        state=State.HELD if due_ms is None else State.DELAYED,
        attempt=headers.get("attempt", 0),
        due_at=None if earliest is None else _time(earliest),
    )


def from_record(queue: str, job_id: str, stored: bytes, *, whole: bool = False) -> JobRecord:
    """A finished job from its record; with its ``whole`` result for the program that waits for it."""
    found = record.read(stored)
    headers = parse_headers(found.headers)
    common = _common(queue, job_id, found.task, found.payload, headers)
    finished = _later(common["created_at"], _number_in(found.age))
    state = State(STATES.get(found.mark, FAILED))  # any other mark is another program's, and no success
    completed = state is State.COMPLETED
    begun = state is not State.EXPIRED and (state is not State.CANCELLED or found.worker != b"")
    if state in (State.CANCELLED, State.EXPIRED):  # which no attempt has brought about
        common["error"] = _failure(_outcome(found.outcome))
    elif not completed:
        said = _outcome(found.outcome)
        named = {"fingerprint": unsaid(found.task, str(said.get("type", "")))}
        common["error"] = _failure({**(headers.get("history") or [{}])[-1], **named, **said})
    elif codec.too_deep(found.outcome):
        common["unshown"] += ("result",)
    return JobRecord(
        **common,
        state=state,
        # a failed one has counted its last attempt already
        attempt=headers.get("attempt", 0) + completed,
        started_at=_later(finished, -(_number_in(found.ran) or 0)) if begun else None,
        finished_at=finished,
        result=_without(found.outcome or b"null", () if whole else headers.get("masked_result", ()))
        if completed
        else None,
        result_kept=not (completed and "keep_result" in headers and not found.outcome),
        worker=found.worker.decode("utf-8", "replace") if begun else None,
    )


def _later(at: datetime | None, ms: float | None) -> datetime | None:
    """That many milliseconds after ``at``, where both are known and the sum is a time."""
    try:
        return None if at is None or ms is None else at + timedelta(milliseconds=ms)
    except (ValueError, OverflowError):  # not a number, or outside of what a datetime can hold
        return None


READ: Final[dict[bytes, Callable[..., JobRecord]]] = {
    b"entry": from_entry,
    b"parked": from_parked,
    b"finished": from_record,
}
"""By the first word of the reply of ``locate.lua``."""
