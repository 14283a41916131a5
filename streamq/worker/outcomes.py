"""Outcomes: what the end of an attempt comes to, and the one way by which it reaches the settler."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable
from typing import Any, Final

from streamq import job_lines
from streamq.errors import UnknownTask, Verdict
from streamq.model import codec
from streamq.model.clock import ServerClock, monotonic
from streamq.model.envelope import Headers, pack_headers, parked, record, with_error, without_unknown_task
from streamq.model.judge import Again, Judgement, ResultNotStorable, TimeLimit, judge, unusable
from streamq.model.shown import shown
from streamq.task import Task
from streamq.worker import attempt_lines
from streamq.worker.attempt import Attempt
from streamq.worker.description import Description, describe, frames_of, one_line, type_name
from streamq.worker.settler import Settler

UNKNOWN_TASK_WAIT: Final = (1.0, 30.0)
"""Seconds until a job whose task this worker does not know is offered again: at first, and at most."""
NAMES: Final = 1_000
"""Names of unknown tasks that are told apart in the log: they are anybody's text."""

UNMAKEABLE: Final = "the outcome of the attempt could not be made; the log of its worker says why"
"""What is said of a job that is failed by the last resort."""

_UNTRACED: Final = (Verdict, TimeLimit, ResultNotStorable)
"""Errors whose traceback says nothing that their text does not."""


class Outcomes:
    """Puts the outcomes of one worker's attempts to its settler."""

    def __init__(self, settler: Settler, clock: ServerClock, worker: str, unknown_task_for: float) -> None:
        self._settler, self._clock, self._worker = settler, clock, worker
        self._name = worker.encode()
        self._unknown_task_for = unknown_task_for
        self._unknown_names: set[str] = set()

    def completed(self, attempt: Attempt, task: Task[Any, Any], result: Any) -> ResultNotStorable | None:
        """The handler returned ``result``. Returns why there is no outcome when that cannot be written."""
        delivery = attempt.delivery
        try:
            outcome = b"" if result is None and task.returns_nothing else task.encode_result(result)
        except ResultNotStorable as unstorable:
            return unstorable
        except BaseException as error:  # raised by the result's own classes
            said = one_line(str(describe(error, traced=False)))
            return ResultNotStorable(f"the handler's result has no JSON form: {said}")
        raw = delivery.raw_headers
        if raw and "unknown_task_count" in delivery.headers:
            raw = pack_headers(without_unknown_task(delivery.headers))
        took = monotonic() - attempt.begun
        body = record(b"c", delivery, self._clock.now(), int(took * 1000), self._name, raw, outcome)
        self._settler.put(delivery, "c", body)
        attempt.settled = True
        if job_lines.log.isEnabledFor(logging.INFO):
            attempt_lines.completed(attempt, took)
        return None

    def failed(self, attempt: Attempt, error: BaseException, *, at_least: float = 0.0) -> Judgement:
        """The attempt ended with ``error``. Its retry, if it gets one, waits for ``at_least`` seconds."""
        assert attempt.task is not None  # what is unknown is not run  # noqa: S101
        headers, spent = without_unknown_task(attempt.delivery.headers), attempt.number
        judgement = judge(
            error, attempt=spent, attempts=attempt.attempts, backoff=attempt.task.backoff,
            chance=random.random(),  # noqa: S311  # jitter, not a secret
        )  # fmt: skip
        if isinstance(judgement, Again) and not judgement.spent:
            self._delay(attempt, headers, judgement.seconds)
            attempt_lines.snoozed(attempt, judgement.seconds)
            return judgement
        described = _described(error)
        headers = {**with_error(headers, self._entry(described, attempt, spent)), "attempt": spent}
        if isinstance(judgement, Again):
            wait = max(judgement.seconds, at_least)
            self._delay(attempt, headers, wait)
            attempt_lines.again(attempt, error, described, wait)
        else:
            self._bury(attempt, headers, described)
            attempt_lines.failed(attempt, error, described)
        return judgement

    def unknown(self, attempt: Attempt, known: Iterable[str]) -> None:
        """This worker does not know the task: the job waits for one that does, uncharged, for a bounded time.

        In a rollout workers of both versions run side by side, and most of them may not know it yet.
        """
        delivery, now = attempt.delivery, self._clock.now()
        count = delivery.headers.get("unknown_task_count", 0)
        since = min(delivery.headers.get("unknown_task_since", now), now)
        if now - since >= self._unknown_task_for * 1000:
            self._give_up(attempt, UnknownTask(delivery.task[:200], tuple(known)))
            return
        first, longest = UNKNOWN_TASK_WAIT
        wait = min(longest, first * 2.0 ** min(count, 10))
        waiting: Headers = {
            **delivery.headers,
            "unknown_task_count": min(count, 1_000_000) + 1,
            "unknown_task_since": since,
        }
        self._delay(attempt, waiting, wait)
        if delivery.task not in self._unknown_names and len(self._unknown_names) < NAMES:
            self._unknown_names.add(delivery.task)
            most = f"its jobs wait up to {self._unknown_task_for:.0f} s for one that does"
            told = f"waits: this worker knows no such task; {most}"
            attempt_lines.say(logging.WARNING, attempt, told, outcome="unknown_task", retry_in_s=wait)

    def _give_up(self, attempt: Attempt, error: UnknownTask) -> None:
        described = describe(error, traced=False)
        headers = without_unknown_task(attempt.delivery.headers)
        entry = self._entry(described, attempt, headers.get("attempt", 0))
        self._bury(attempt, with_error(headers, entry), described)
        told = f"is over: no worker knew its task for {self._unknown_task_for:.0f} s; the job has failed for good"
        attempt_lines.say(
            logging.ERROR, attempt, told, (UnknownTask, error, None), outcome="failed", error=str(described)
        )

    def last_resort(self, attempt: Attempt, fault: BaseException) -> None:
        """The outcome could not be made, whatever the reason: the job is failed, in words that hold for all.

        Nothing here asks the error or the task for anything: the job's own bytes go into the record as they came.
        """
        exc_info = (type(fault), fault, frames_of(fault))
        if attempt.settled:
            told = f"has its outcome; after that came {shown(str(describe(fault)))}"
            attempt_lines.say(logging.ERROR, attempt, told, exc_info)
            return
        outcome = codec.dumps({"type": type_name(fault), "message": UNMAKEABLE})
        delivery, now = attempt.delivery, self._clock.now()
        self._put(attempt, "f", record(b"f", delivery, now, 0, self._name, delivery.raw_headers, outcome))
        told = (
            f"has no outcome that could be made ({shown(str(describe(fault)))}); the job has failed for good"
        )
        attempt_lines.say(logging.ERROR, attempt, told, exc_info, outcome="failed")

    # -- the ways to the settler ----------------------------------------------------------------------------

    def _put(self, attempt: Attempt, kind: str, body: bytes) -> None:
        self._settler.put(attempt.delivery, kind, body)
        attempt.settled = True

    def _delay(self, attempt: Attempt, headers: Headers, seconds: float) -> None:
        delivery = attempt.delivery
        named: Headers = {**headers, "id": delivery.job_id}
        envelope = parked(delivery.task, pack_headers(named), delivery.payload)
        self._put(attempt, "d", b"%d\n%b" % (round(seconds * 1000), envelope))

    def _bury(self, attempt: Attempt, headers: Headers, described: Description) -> None:
        took, now = int(attempt.seconds * 1000), self._clock.now()
        # the rest of the error is the last entry of the history
        outcome = codec.dumps({"type": described.type, "message": described.message})
        body = record(b"f", attempt.delivery, now, took, self._name, pack_headers(headers), outcome)
        self._put(attempt, "f", body)

    def _entry(self, described: Description, attempt: Attempt, number: int) -> dict[str, Any]:
        now = self._clock.now()
        return {
            **described._asdict(), "worker": self._worker, "attempt": number,
            "started_at": now - int(attempt.seconds * 1000), "finished_at": now,
        }  # fmt: skip


def _described(error: BaseException) -> Description:
    described = describe(error, traced=not issubclass(type(error), _UNTRACED))
    if wrong := unusable(error):
        return described._replace(message=f"{described.message[:1_000]} ({wrong})")
    return described
