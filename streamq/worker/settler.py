"""The settler: outcomes leave as jobs do, together with whatever came while the last were on their way.

While the server is away, all of them wait. What the server refuses concerns one queue: its outcomes are set aside
and tried again after a growing pause, and those of the other queues go on. Where one outcome is the reason (a result
that is longer than the server takes), it is found by halving, and ends as a failed job with a short reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from streamq import job_lines
from streamq.errors import OutcomeUnknown, Rejected, StreamqError, Unavailable
from streamq.model import codec
from streamq.model.clock import monotonic
from streamq.model.envelope import Delivery
from streamq.model.headers import key_given_up
from streamq.model.outcomes import FAILED
from streamq.model.outcomes import MARKS as ENDS
from streamq.model.places import queue_of, shown_id
from streamq.model.record import as_failure
from streamq.redis.answers import concerns_all, is_of_another_type
from streamq.redis.troubles import Troubles
from streamq.store.outcomes import Settlement
from streamq.store.store import Store
from streamq.worker.pauses import Pauses
from streamq.worker.slots import Outcomes, Slots
from streamq.worker.tally import Tally

log = logging.getLogger("streamq.settler")

BATCH: Final = 1_000
"""Outcomes written at once: about five milliseconds of the server's time."""
BATCH_BYTES: Final = 1 << 20
"""And their bytes. No server's limit for one argument can be less than this, so what may be over it goes alone."""
LOST: Final = 3
"""Answers lost in a row after which a long outcome, and not the network, is the reason."""
PAUSE: Final = (0.1, 5.0)
"""Seconds until refused outcomes are tried again: at first, and at most. Their jobs have run, so they hurry."""
AWAY: Final = (0.05, 2.0)
"""Seconds between two tries while the server cannot be reached: at first, and at most."""
REFUSED_ALIKE: Final = 3
"""Outcomes of a queue refused in every form, and none taken, after which it is the queue that is refused."""

STARTS_FIRST: Final = 0.01, 0.001
"""Seconds that outcomes wait at most while delayed jobs become due, twice as long as 200 take to start, and from one
look to the next: to write them would make those starts late."""
IDLE: Final = 10.0
"""Seconds without an outcome after which the connection is closed: to make it anew takes a millisecond."""


class Settler:
    """Writes the outcomes in ``slots`` until told to stop, and keeps trying while the server is away.

    ``tally`` counts those that the server has taken.
    """

    def __init__(self, store: Store, worker: str, slots: Slots, tally: Tally | None = None) -> None:
        self._store, self._links, self._tally = store, store.links(worker), tally
        self._worker = worker.encode()
        self._slots, self._waiting = slots, slots.waiting
        self._troubles = Troubles("write outcomes of", log, PAUSE)
        self.pauses = Pauses(store)
        self._work = asyncio.Event()
        self._stopping = False
        self._wrote = 0.0
        self._idle_timer: asyncio.TimerHandle | None = None
        self.refused = 0
        """Outcomes the server refused, as the jobs had been given to another worker."""

    def put(self, delivery: Delivery, kind: str, body: bytes, due: str = "") -> None:
        """Take an outcome; it is written soon."""
        key = group = ""
        if delivery.raw_headers:
            key = key_given_up(delivery.headers) if kind in ENDS else ""
            group = delivery.headers.get("group", "")
            if group and self._tally is not None:
                self._tally.has_groups = True
        outcome = Settlement(
            kind, delivery.lane, delivery.entry, delivery.job_id, body, due, key, delivery.task, group
        )
        waiting = self._waiting.get(delivery.queue)
        if waiting is None:
            self._waiting[delivery.queue] = [outcome]
            self._work.set()
        else:  # ``run`` comes by it: it rests only while nothing waits, or a queue is blocked
            waiting.append(outcome)

    async def run(self) -> None:
        """Write what comes, until ``stop`` was called and all is written."""
        slots = self._slots
        try:
            while True:
                await self._for_work()
                if slots.promoting:
                    await self._let_start()
                while batch := self._take():
                    slots.writing = batch
                    slots.changed()
                    if self.pauses:
                        await self.pauses.write(self._links)
                    if slots.reporter is not None and slots.reporter.has_news:
                        await slots.reporter.write_before(batch)
                    await self._write(batch)
                    slots.writing = {}
                    self._wrote = monotonic()
                if self._links.connected and self._idle_timer is None:
                    await self._close_when_idle()
                if self._stopping and not self._waiting and not self._troubles:
                    return
        finally:
            if self._idle_timer is not None:
                self._idle_timer.cancel()
            await self._links.close()

    async def _let_start(self) -> None:
        """Return when the jobs that become due have started, or when no slot is free for more of them.

        Once they are promoted there is one more step, in which the last ones start.
        """
        slots, promoting, (patience, step) = self._slots, True, STARTS_FIRST
        until = monotonic() + patience
        while promoting and slots.free > 0 and monotonic() < until:
            promoting = slots.promoting
            await asyncio.sleep(step)

    async def _close_when_idle(self) -> None:
        """Close the connection if nothing was written for long; else look again when that may be so."""
        left = self._wrote + IDLE - monotonic()
        if left > 0:
            self._idle_timer = asyncio.get_running_loop().call_later(left, self._look_for_idleness)
        else:
            await self._links.close()

    def _look_for_idleness(self) -> None:
        self._idle_timer = None
        self._work.set()

    async def _for_work(self) -> None:
        """Return when there is something to write; with refused outcomes, when they are to be tried again."""
        if self._troubles:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._troubles.until_next()):
                    await self._work.wait()
        else:  # as nearly always: once a batch, so without a time limit, which would cost more than the wait
            await self._work.wait()
        self._work.clear()

    def stop(self) -> None:
        """Return from ``run`` when all that was put is written."""
        self._stopping = True
        self._work.set()

    # -- what is next ---------------------------------------------------------------------------------------

    def _take(self) -> Outcomes:
        """The next outcomes: of each queue in turn, and of those in trouble when their pause is over."""
        batch: Outcomes = {}
        blocked, aside = self._slots.blocked, self._slots.aside
        for queue in self._troubles.rested(list(aside)):
            self._waiting[queue] = aside.pop(queue) + self._waiting.pop(queue, [])
        room, space = BATCH, BATCH_BYTES
        for queue in list(self._waiting):
            if queue in blocked and self._troubles.resting(queue):
                continue
            count, size = _fitting(self._waiting[queue], room, space, first=not batch)
            if count:
                waiting = self._waiting.pop(queue)
                batch[queue] = waiting[:count]
                if count < len(waiting):
                    self._waiting[queue] = waiting[count:]  # at the end now: the others are next
            room, space = room - count, space - size
            if room <= 0 or space <= 0:
                break
        return batch

    # -- writing --------------------------------------------------------------------------------------------

    async def _write(self, batch: Outcomes) -> None:
        """Write a batch. While the server cannot be reached, or is not ready for any, it is tried again."""
        (pause, longest), lost, since = AWAY, 0, monotonic()
        left = dict(batch)
        while left:
            try:
                problem = await self._try(left, repeated=lost > 0)
            except Unavailable as error:
                problem, lost = error, lost + isinstance(error, OutcomeUnknown)
                if lost >= LOST and await self._is_too_long(left):
                    queue, outcomes = left.popitem()
                    why = Rejected(f"it closes the connection at {len(outcomes[0].body):,} bytes ({error})")
                    await self._isolate(queue, outcomes, why)
                    continue
            except Exception as fault:  # whatever it is: the other outcomes must not wait for it for ever
                for queue, outcomes in left.items():
                    self._settled(queue, outcomes, accepted=False, error=fault)
                return
            if problem is not None:
                if pause == AWAY[0]:
                    waiting = sum(map(len, left.values()))
                    log.warning("cannot write %d outcomes: %s; retrying", waiting, problem)
                await asyncio.sleep(pause)
                pause = min(2 * pause, longest)
        count, seconds = sum(map(len, batch.values())), monotonic() - since
        if pause > AWAY[0]:
            log.info("%d outcomes are seen to after %.1f s", count, seconds)
        else:
            log.debug("wrote %d outcomes in %.1f ms", count, seconds * 1000)

    async def _try(self, left: Outcomes, *, repeated: bool) -> Unavailable | None:
        """Write, and take out of ``left`` what the server took or refused. Returns why the rest has to wait."""
        problem: Unavailable | None = None
        waits: Outcomes = {}
        reads = self._slots.reads
        for queue, part, said in await self._store.outcomes.settle_each(self._links, left, reads):
            if not isinstance(said, StreamqError):
                if repeated and said and self._tally is not None:
                    said = await self._not_written(queue, part, said)  # noqa: PLW2901  # the rest had been
                self._written(queue, part, said, repeated=repeated)
                self._settled(queue, [], accepted=True)
            elif concerns_all(said) and self._links.is_one:
                problem = said
                waits.setdefault(queue, []).extend(part)
            else:
                await self._isolate(queue, part, said)
        left.clear()
        left.update(waits)
        return problem

    def _written(self, queue: str, part: list[Settlement], refused: list[bytes], *, repeated: bool) -> None:
        if self._tally is not None:
            self._tally.add(queue, [s for s in part if s.entry not in refused] if refused else part)
        if refused and not repeated:  # after an unanswered try, a refusal only says that the try had worked
            self.refused += len(refused)
            log.warning("%d outcomes were refused: their jobs had been given to another worker", len(refused))

    async def _not_written(self, queue: str, part: list[Settlement], refused: list[bytes]) -> list[bytes]:
        """What was refused as its jobs are another worker's, and not as the try before had written it: that one counts
        it. All of it where that cannot be seen: better once too few than twice."""
        try:
            return await self._store.outcomes.not_written(self._links, queue, part, refused)
        except StreamqError:
            return refused

    async def _is_too_long(self, batch: Outcomes) -> bool:
        """Whether one long outcome is the reason for lost answers: it is alone, and the server answers otherwise."""
        settlements = [s for part in batch.values() for s in part]
        if len(settlements) != 1 or len(settlements[0].body) < BATCH_BYTES:
            return False
        try:
            await self._store.server.ping()
        except Unavailable:
            return False
        return True

    # -- what is refused ------------------------------------------------------------------------------------

    async def _isolate(self, queue: str, refused: list[Settlement], error: StreamqError) -> None:
        """Find by halving which outcomes of a refused batch are the reason; write the others, and replace those."""
        parts, aside, accepted = [refused], list[Settlement](), False
        said: list[bytes] | StreamqError = error
        try:
            while parts and not _of_the_queue(error) and (accepted or len(aside) < REFUSED_ALIKE):
                part = parts[-1]
                if part is not refused:
                    said = await self._settle(queue, part)
                if not isinstance(said, StreamqError):
                    self._written(queue, part, said, repeated=False)
                    accepted = True
                elif concerns_all(said):
                    break
                elif len(part) > 1:
                    error = said
                    parts[-1:] = [part[len(part) // 2 :], part[: len(part) // 2]]
                    continue
                elif not _of_the_queue(said) and await self._replace(queue, part[0], said):
                    accepted = True
                else:
                    error = said
                    aside.append(part[0])
                parts.pop()
        except Unavailable as away:
            error = away
        self._settled(queue, [*aside, *[s for part in parts for s in part]], accepted=accepted, error=error)

    async def _settle(self, queue: str, part: list[Settlement]) -> list[bytes] | StreamqError:
        """What the server says of outcomes of one queue: the entries it refused, or why it took none."""
        refused: list[bytes] = []
        for _, _, said in await self._store.outcomes.settle_each(self._links, {queue: part}):
            if isinstance(said, StreamqError):
                return said
            refused += said
        return refused

    async def _replace(self, queue: str, outcome: Settlement, error: StreamqError) -> bool:
        """End a job as failed whose own outcome the server does not take. Returns whether it took this."""
        reason = f"the server refused the outcome of {len(outcome.body):,} bytes: {error}"[:500]
        told = codec.dumps({"type": "OutcomeRefused", "message": reason})
        body = as_failure(
            outcome.kind, outcome.body, outcome.job_id, self._store.clock.now(), self._worker, told
        )
        failure = outcome._replace(kind=FAILED, body=body)
        said = await self._settle(queue, [failure])
        if isinstance(said, StreamqError):
            return False
        self._written(queue, [failure], said, repeated=False)
        job, of = shown_id(queue, outcome.job_id), queue_of(queue)
        job_lines.failed_for_good(job, of, self._worker.decode(), "OutcomeRefused", reason)
        return True

    def _settled(
        self, queue: str, aside: list[Settlement], *, accepted: bool, error: Exception | None = None
    ) -> None:
        """Keep account of a queue's trouble: it is over when nothing of it is aside."""
        slots = self._slots
        was_blocked = queue in slots.blocked
        if aside and error is not None:
            self._troubles.met({queue: error})
            slots.aside[queue] = slots.aside.get(queue, []) + aside
            (slots.blocked.discard if accepted else slots.blocked.add)(queue)
        elif queue not in slots.aside:
            self._troubles.over(queue)
            slots.blocked.discard(queue)
        if was_blocked and queue not in slots.blocked:
            slots.changed()


def _fitting(settlements: list[Settlement], room: int, space: int, *, first: bool) -> tuple[int, int]:
    """How many of them fit, and their bytes; the first of a batch always does."""
    sizes = [len(settlement.body) for settlement in settlements[:room]]
    size = sum(sizes)
    while size > space and sizes and not (first and len(sizes) == 1):
        size -= sizes.pop()
    return len(sizes), size


def _of_the_queue(error: StreamqError) -> bool:
    """Whether it is one of the queue's keys that is refused, whatever the outcome."""
    return is_of_another_type(error) or "NOPERM" in str(error)
