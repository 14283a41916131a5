"""Outcomes: what the end of an attempt comes to, and what the log says of it. Pure: time and chance are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from streamq.errors import UnknownTask, UnknownVersion
from streamq.model import codec, due
from streamq.model.clock import from_ms
from streamq.model.envelope import one_line, parked
from streamq.model.failure_kinds import outcome_of
from streamq.model.headers import Headers, pack_headers, parse_headers, with_error, without_unknown_task
from streamq.model.judge import Again, Bury, ResultNotStorable, TimeLimit, judge, unusable
from streamq.model.lanes import ALONE, GATE
from streamq.model.outcomes import CANCELLED, COMPLETED, DELAYED, EXPIRED, FAILED, HELD
from streamq.model.record import record
from streamq.task import Task
from streamq.times import rfc3339
from streamq.verdicts import Scope, Snooze, Verdict
from streamq.worker import attempt_lines
from streamq.worker.attempt import Attempt
from streamq.worker.attempt_lines import Line
from streamq.worker.description import Description, describe, type_name
from streamq.worker.description import one_line as on_one_line
from streamq.worker.frames import own_frame
from streamq.worker.masking import Hide, hider

UNKNOWN_TASK_WAIT: Final = (1.0, 30.0)
"""Seconds until a job whose task this worker does not know is offered again: at first, and at most. A rollout brings
a worker that knows it within minutes; each offer costs as much as an attempt."""

UNGROUPED: Final[tuple[Scope, ...]] = ("shared",)
GROUPED: Final[tuple[Scope, ...]] = ("group", "tenant", *UNGROUPED)
"""What a retry may pause of a job without a group, and with one."""
GATED: Final = (GATE, ALONE)
"""The lanes of jobs that the gate has let through, of which breakers count those that fail."""
SOONER: Final = 0.2
"""Seconds before the end of a pause at which the job that met it is to be in its line again: it is the first then, also
where promoters are late."""

UNMAKEABLE: Final = "the outcome of the attempt could not be made; the log of its worker says why"
"""What is said of a job that is failed by the last resort."""

_UNTRACED: Final = (Verdict, TimeLimit, ResultNotStorable)
"""Errors whose traceback says nothing that their text does not."""


class Outcome(NamedTuple):
    """Kind, body and due time of a settlement, what is logged of it, and the seconds until its retry, as judged."""

    kind: str
    body: bytes
    lines: tuple[Line, ...]
    due: str = ""
    retry_in: float | None = None
    pause: tuple[Scope, float, str] | None = None
    """What is paused before: the group or tenant of the job, or what it draws from, for how many seconds, and why."""


def completed(
    attempt: Attempt, task: Task[Any, Any], result: Any, took: float, now: int
) -> bytes | ResultNotStorable:
    """The record of an attempt whose handler returned ``result``, or why that cannot be written.

    No ``Outcome`` and no line, as this is made once a job.
    """
    delivery = attempt.delivery
    try:
        outcome = b"" if result is None and task.returns_nothing else task.encode_result(result)
    except ResultNotStorable as unstorable:
        return unstorable
    except BaseException as error:  # raised by the result's own classes
        said = on_one_line(str(describe(error, traced=False)))
        return ResultNotStorable(f"the handler's result has no JSON form: {said}")
    raw = delivery.raw_headers
    if raw and "unknown_task_count" in delivery.headers:
        raw = pack_headers(without_unknown_task(delivery.headers))
    if task.is_told or (raw and "keep_result" in delivery.headers):
        raw, outcome = _told(attempt, task, parse_headers(raw), outcome)
    return record(COMPLETED, delivery, now, int(took * 1000), attempt.worker.encode(), raw, outcome)


def _told(attempt: Attempt, task: Task[Any, Any], headers: Headers, outcome: bytes) -> tuple[bytes, bytes]:
    """Headers and result as the record has them, where something is masked, or the result has a time of its own."""
    if task.hides:
        headers = task.masks.added_to(headers, with_result=True)
    kept = headers.get("keep_result", task.keep_result)
    if kept is not None and outcome:  # nothing is no result that could be missed
        headers = {**headers, "keep_result": kept}
        attempt.keep_result, outcome = kept, outcome if kept else b""
    return pack_headers(headers), outcome


def failed(
    attempt: Attempt, error: BaseException, took: float, now: int, chance: float, *, at_least: float = 0.0,
    advice: Verdict | None = None,
) -> Outcome:  # fmt: skip
    """The attempt ended with ``error``, of which the task's ``on_error`` gives ``advice``.

    Its retry, if it gets one, waits for ``at_least`` seconds.
    """
    assert attempt.task is not None  # what is unknown is not run  # noqa: S101
    headers, spent = without_unknown_task(attempt.delivery.headers), attempt.number
    retries = attempt.task.retries
    began = now - int(took * 1000)
    since = headers.get("tried_since", began) if spent > 1 else began
    judgement = judge(
        error, attempt=spent, retries=retries, chance=chance, attempts=headers.get("attempts"),
        elapsed=(now - since) / 1000, advice=advice, paused=GROUPED if "group" in headers else UNGROUPED,
    )  # fmt: skip
    if "failing" in headers:  # that was the attempt before
        headers = {**headers}
        del headers["failing"]
    if isinstance(judgement, Again) and judgement.scope != "job":
        return _with_its_group(attempt, headers, error if advice is None else advice, took, judgement)
    if isinstance(judgement, Again) and not judgement.spent:
        return _snoozed(attempt, headers, error, took, judgement.seconds, at_least)
    hide = hider(attempt)
    described = _described(error, hide)
    entry = _entry(attempt, described, spent, took, now)
    if isinstance(judgement, Bury) and judgement.why:
        entry["decision"] = hide(judgement.why) if hide else judgement.why
    headers = {**with_error(headers, entry), "attempt": spent}
    if attempt.task.hides:
        headers = attempt.task.masks.added_to(headers)
    if retries.give_up_after is not None:
        headers["tried_since"] = since
    if isinstance(judgement, Again):
        if attempt.delivery.lane in GATED:
            headers["failing"] = True
        wait = max(judgement.seconds, at_least)
        delayed = _delayed(attempt, headers, wait, attempt_lines.again(error, described, took, wait))
        return delayed._replace(retry_in=judgement.seconds)
    line = attempt_lines.failed(error, described, took, judgement.why)
    return _buried(attempt, headers, described, took, now, line, own_frame(error))


def held(attempt: Attempt, name: str) -> Outcome:
    """The task is paused under this ``name``, which the job has from now on: it waits, uncharged."""
    return Outcome(HELD, _envelope(attempt, attempt.delivery.headers, name), (attempt_lines.HELD,))


def _snoozed(
    attempt: Attempt, headers: Headers, error: BaseException, took: float, seconds: float, at_least: float
) -> Outcome:
    """The job runs again, uncharged: its handler raised ``Snooze``, or its task's ``on_error`` said so of the error."""
    if issubclass(type(error), Snooze):
        return _delayed(attempt, headers, seconds, (attempt_lines.snoozed(took, seconds),))
    wait = max(seconds, at_least)
    lines = attempt_lines.put_off(error, _described(error, hider(attempt)), took, wait)
    return _delayed(attempt, headers, wait, lines)._replace(retry_in=seconds)


def _with_its_group(
    attempt: Attempt, headers: Headers, said: BaseException, took: float, judgement: Again
) -> Outcome:
    """The job goes back to the head of its line, uncharged, and its group is paused: it is the first then.

    What else draws from a shared limit is not known here: if nothing is paused, the job waits for itself.
    """
    reason, wait = describe(said, traced=False, hide=hider(attempt) or str).message[:500], judgement.seconds
    line = attempt_lines.paused_group(took, wait, judgement.scope, reason)
    back = max(0.0, wait - SOONER) if judgement.scope == "shared" else 0.0
    return _delayed(attempt, headers, back, (line,), comes_first=True)._replace(
        pause=(judgement.scope, wait, reason)
    )


def unknown(attempt: Attempt, known: Mapping[str, Task[Any, Any]], now: int, patience: float) -> Outcome:
    """The worker does not know the task, or not this version of its payload.

    The job waits for one that does, uncharged, for ``patience`` seconds.

    In a rollout workers of both versions run side by side, and most of them may not know it yet.
    """
    delivery = attempt.delivery
    count = delivery.headers.get("unknown_task_count", 0)
    since = min(delivery.headers.get("unknown_task_since", now), now)
    error = _what_is_unknown(attempt, known)
    if now - since >= patience * 1000:
        return _unknown_for_too_long(attempt, error, now, patience)
    first, longest = UNKNOWN_TASK_WAIT
    wait = min(longest, first * 2.0 ** min(count, 10))
    waiting: Headers = {
        **delivery.headers,
        "unknown_task_count": min(count, 1_000_000) + 1,
        "unknown_task_since": since,
    }
    return _delayed(attempt, waiting, wait, (attempt_lines.unknown(error, wait, patience),))


def _what_is_unknown(attempt: Attempt, known: Mapping[str, Task[Any, Any]]) -> UnknownTask:
    delivery = attempt.delivery
    task, name = known.get(delivery.task), delivery.task[:200]
    if task is None:
        return UnknownTask(name, tuple(known))
    return UnknownVersion(name, delivery.headers.get("payload_version", 1), task.version)


def _unknown_for_too_long(attempt: Attempt, error: UnknownTask, now: int, patience: float) -> Outcome:
    described = describe(error, traced=False)
    headers = without_unknown_task(attempt.delivery.headers)
    entry = _entry(attempt, described, headers.get("attempt", 0), 0.0, now)
    line = attempt_lines.unknown_for_too_long(error, described, patience)
    return _buried(attempt, with_error(headers, entry), described, 0.0, now, line)


def cancelled(attempt: Attempt, told: bytes, took: float, now: int) -> Outcome:
    """Its end was asked for, and its record says by whom and why."""
    delivery, headers = attempt.delivery, without_unknown_task(attempt.delivery.headers)
    packed = pack_headers({**headers, "attempt": attempt.number})
    worker, outcome = attempt.worker.encode(), one_line(told)
    body = record(CANCELLED, delivery, now, int(took * 1000), worker, packed, outcome)
    return Outcome(CANCELLED, body, (attempt_lines.cancelled(took),))


def expired(attempt: Attempt, until: int, now: int) -> Outcome:
    """It was to start until then, in milliseconds since the epoch. No attempt is spent."""
    delivery = attempt.delivery
    packed = pack_headers(without_unknown_task(delivery.headers))
    said = codec.dumps({"type": "Expired", "message": f"it was to start before {rfc3339(from_ms(until))}"})
    body = record(EXPIRED, delivery, now, 0, attempt.worker.encode(), packed, said)
    return Outcome(EXPIRED, body, (attempt_lines.expired((now - until) / 1000),))


def last_resort(attempt: Attempt, fault: BaseException, now: int) -> Outcome:
    """The outcome could not be made, whatever the reason: the job is failed, in words that hold for all.

    Nothing here asks the error or the task for anything: the job's own bytes go into the record as they came.
    """
    outcome = outcome_of(attempt.delivery.task, type_name(fault), UNMAKEABLE)
    delivery, worker = attempt.delivery, attempt.worker.encode()
    body = record(FAILED, delivery, now, 0, worker, delivery.raw_headers, outcome)
    return Outcome(FAILED, body, (attempt_lines.unmakeable(fault),))


# -- the forms of a settlement ------------------------------------------------------------------------------


def _delayed(
    attempt: Attempt, headers: Headers, seconds: float, lines: tuple[Line, ...], *, comes_first: bool = False
) -> Outcome:
    if comes_first or "group" in headers:  # promote.lua knows it by that: it is the first of its group
        headers = {**headers, "returned": min(headers.get("returned", 0) + 1, 1_000_000)}
    return Outcome(DELAYED, _envelope(attempt, headers), lines, due.after(seconds))


def _envelope(attempt: Attempt, headers: Headers, name: str = "") -> bytes:
    delivery = attempt.delivery
    named: Headers = {**headers, "id": delivery.job_id}
    return parked(name or delivery.task, pack_headers(named), delivery.payload)


def _buried(
    attempt: Attempt, headers: Headers, described: Description, took: float, now: int, line: Line, frame: str = ""
) -> Outcome:  # fmt: skip
    # the rest of the error is the last entry of the history
    outcome = outcome_of(attempt.delivery.task, described.type, described.message, frame)
    worker, packed = attempt.worker.encode(), pack_headers(headers)
    return Outcome(
        FAILED, record(FAILED, attempt.delivery, now, int(took * 1000), worker, packed, outcome), (line,)
    )


def _entry(attempt: Attempt, described: Description, number: int, took: float, now: int) -> dict[str, Any]:
    return {
        **described._asdict(), "worker": attempt.worker, "attempt": number,
        "started_at": now - int(took * 1000), "finished_at": now,
    }  # fmt: skip


def _described(error: BaseException, hide: Hide | None) -> Description:
    traced = not issubclass(type(error), _UNTRACED)
    described = describe(error, traced=traced, hide=hide) if hide else describe(error, traced=traced)
    if wrong := unusable(error):
        return described._replace(message=f"{described.message[:1_000]} ({wrong})")
    return described
