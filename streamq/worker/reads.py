"""Reading ready jobs: XREADGROUP as it is, which costs the server half of what a script would.

One queue is read with one blocking command a round; the next read of a long backlog is sent before the jobs of the last
one start. Of many queues, those known to have a backlog are read, each with its share of the free slots, in one round
trip; when none is known, one blocking read waits for all of them. A look at the queues' depths finds backlogs where a
blocking read could bring more jobs than there are free slots.

A queue on which the server refuses the read is found, put aside and tried again by itself; the others are read on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from streamq.errors import Rejected, StreamqError, Unavailable
from streamq.model.clock import monotonic
from streamq.model.lanes import BELL, GATE, READY, QueueLane
from streamq.model.places import queue_of
from streamq.redis.answers import NoGroup, concerns_all
from streamq.redis.links import Links
from streamq.redis.troubles import Troubles
from streamq.store.delivery import GateAsked, Passed
from streamq.store.reader import Asked, Reader
from streamq.store.store import Store
from streamq.worker.runner import Runner
from streamq.worker.slots import Slots
from streamq.worker.sources import Sources
from streamq.worker.steered import Steered
from streamq.worker.turns import UNKNOWN, Turns

log = logging.getLogger("streamq.fetcher")

READ_LIMIT: Final = 500
"""Entries read at once: more would hold the server up for no gain. No read can be bounded by bytes."""
GATE_LIMIT: Final = 38
"""Jobs that a gate lets through at once: somewhat less than a millisecond of the server's time."""
BLOCK_MS: Final = 5_000
"""How long a read waits for the first job: an idle worker sends a command in so many ms. A job ends it at once."""
UNHEARD_MS: Final = 1_000
"""The same where a queue, or a task in it, has a limit: who adds jobs and does not know of it rings no bell."""
SHORT_MS: Final = 500
"""How long to block while the outcomes of some queue cannot be written: it may be read again at any time."""
LOOK: Final = (0.02, 20)
"""Seconds from one look at the depths to the next, at least, and how many times as long as a look takes: so looks
take a twentieth of the time at most."""
CYCLE: Final = 0.5
"""Seconds in which all queues with a backlog should have had a turn. As far as that allows, a queue gets several jobs
in one turn: each read, and each batch of outcomes, is then for fewer queues, which is what makes it cheap."""
RATE: Final = 0.1
"""Seconds over which the rate is measured that says how many jobs that is: a fifth of a cycle, to follow the load."""
THOROUGH: Final = 5.0
"""Seconds between two looks that do not trust the depths: deleted entries make a queue seem less deep than it is. It is
seldom so, as somebody has to delete them by hand."""


class Reads:
    """Reads the queues of one worker in turns."""

    def __init__(
        self, store: Store, links: Links, reader: Reader, queues: Sequence[str], slots: Slots, runner: Runner,
        steered: Steered, turns: Turns, worker: str,
    ) -> None:  # fmt: skip
        self._worker = worker
        self._store, self._links, self._reader, self._queues = store, links, reader, queues
        self._slots, self._blocked, self._start_each = slots, slots.blocked, runner.start_each
        self._steered, self._sources = steered, Sources(turns)
        self._trouble = Troubles("fetch from", log)
        self._joined: set[str] = set()
        self.gate_under_way: GateAsked | None = None
        """The call of the gate of the only queue that was sent likewise."""
        self._bells: dict[str, list[bytes]] = {}
        """By queue, the bells that were heard and not answered."""
        self._refusals = 0
        self._look_due = self._thorough_due = 0.0
        self._found = self._was_quiet = False
        self.under_way: Asked | None = None
        """The read of the only queue that was sent before the jobs of the last one were started."""
        self._served, self._since, self._largest, self._quantum, self._row = 0, monotonic(), 1, 1, READ_LIMIT
        self.serve()

    def serve(self) -> None:
        """Read those that the queues are now."""
        self._sources.know(self._queues)

    @property
    def is_reading(self) -> bool:
        """Whether an answer is to be waited for."""
        return self.under_way is not None or self.gate_under_way is not None

    def open(self) -> list[str]:
        """The queues that are to be read from now."""
        return [q for q in self._queues if not (self._trouble.resting(q) or self._is_closed(q))]

    def _is_closed(self, queue: str) -> bool:
        """Whether nothing is to be started of it now, though the server may be well."""
        return queue in self._blocked or self._steered.is_paused(queue)

    def _lanes_of(self, queues: Sequence[str]) -> list[QueueLane]:
        return [
            (queue, lane)
            for queue in queues
            if not self._steered.is_limited(queue)
            for lane in self._steered.lanes(queue)
            if lane != GATE
        ]

    def _bells_of(self, queues: Sequence[str]) -> list[QueueLane]:
        return [
            (queue, lane) for queue in queues if GATE in self._steered.lanes(queue) for lane in (GATE, BELL)
        ]

    @property
    def _several(self) -> bool:
        """Whether there is more than one lane to read from."""
        return len(self._queues) > 1 or self._steered.many_lanes

    async def round(self, slots: int, *, block: bool) -> bool:
        """Read up to ``slots`` jobs and start them; wait for the first when ``block`` is set and none is there.

        ``False`` when no queue is to be read from now.
        """
        if self._trouble and (slots := slots - await self._retry(slots)) <= 0:
            return True
        if self._several and await self._read_known(slots):
            return True
        queues = self.open()
        if queues:
            await self._wait_for_any(queues, slots, block=block)
        return bool(queues)

    async def take_in(self, *, more: bool) -> bool:
        """Start what the read that is under way brings, if there is one; send the next one if ``more`` is wanted."""
        if self.gate_under_way is not None:
            await self._take_in_gate(more=more)
            return True
        asked, self.under_way = self.under_way, None
        if asked is None:
            return False
        entries = await asked.answer()
        await self._let_promote()
        if isinstance(entries, StreamqError):
            await self._refused({asked.queue: entries})
        else:
            more = more and self._are_more(entries, asked.wanted)
            await self._start((asked.queue, READY), entries, more=more)
        return True

    async def _start(self, source: QueueLane, entries: list[Any], *, more: bool = False) -> None:
        """Start jobs. The server reads the next meanwhile, where ``more`` may wait and as many slots again are free.

        What a bell says is no job: the gate is called.
        """
        queue, lane = source
        if lane == BELL:
            self._bells[queue] = [raw[0] for raw in entries]
            self._sources.learn((queue, GATE), UNKNOWN)
            return
        if self._steered.is_paused(queue):  # they came while we heard of it
            await self._give_back(source, entries)
            return
        if more and 0 < 2 * len(entries) <= self._slots.free:
            # all that are free: as many as came now would be few for ever once they were, however many come free
            self.under_way = self._reader.ask(queue, min(READ_LIMIT, self._slots.free - len(entries)))
        self._start_each(queue, lane, entries)

    async def _give_back(self, source: QueueLane, entries: list[Any]) -> None:
        queue, lane = source
        await self._store.delivery.release(self._links, queue, [(lane, raw[0]) for raw in entries])

    def _are_more(self, entries: list[Any], wanted: int) -> bool:
        """Whether more jobs may wait already: after a full read, and while delayed ones become due."""
        return len(entries) == wanted or self._slots.promoting

    async def _let_promote(self) -> None:
        """The answer to the promoter has come with ours: it asks for more jobs before these start."""
        if self._slots.promoting:
            await asyncio.sleep(0)

    def rest(self) -> float:
        """Seconds to wait when no queue is to be read from."""
        return max(0.01, min(SHORT_MS / 1000, self._trouble.until_next(), self._steered.pause_ends_in()))

    # -- queues with a backlog ------------------------------------------------------------------------------

    async def _read_known(self, slots: int) -> bool:
        """Read from the queues that have a backlog; ``False`` when none is known to have one."""
        if self._look_is_due(slots):
            await self._look()
        shares = self._sources.shares(slots, self._quantum, self._row)
        if closed := {queue for queue, _ in shares if self._is_closed(queue)}:
            self._sources.forget(closed)
            shares = {source: count for source, count in shares.items() if source[0] not in closed}
        if shares:
            self._set_quantum(slots, await self._read(shares))
        return bool(shares or self._sources)

    def _set_quantum(self, slots: int, taken: int) -> None:
        """Set the quantum by the rate at which jobs are taken; more than what one read can bring has no use. Of the
        partitions of a queue one has as many jobs in a row as it may: some of two cost two reads, and two batches."""
        self._largest = max(self._largest, slots)
        self._served += taken
        passed = monotonic() - self._since
        if passed >= RATE:
            fair = self._served / passed * CYCLE / max(1, self._sources.places)
            self._row = max(1, int(fair))
            self._quantum = min(self._largest, self._row)
            self._served, self._since, self._largest = 0, monotonic(), 1

    def _look_is_due(self, slots: int) -> bool:
        if self._sources:
            return monotonic() >= self._look_due
        # with a slot for each lane a blocking read never brings too many; else a look that found something is
        # followed by another, as there may be more, and one that found nothing, or a read in vain, holds good a while
        due = not self._was_quiet and (self._found or monotonic() >= self._look_due)
        return due and slots < len(self._lanes_of(self._queues))

    async def _look(self) -> None:
        began = monotonic()
        thorough = began >= self._thorough_due
        if thorough:
            self._thorough_due = began + THOROUGH
        queues = self.open()
        unknown = [source for source in self._lanes_of(queues) if source not in self._sources]
        bells = [bell for bell in self._bells_of(queues) if (bell[0], GATE) not in self._sources]
        told = await self._store.delivery.depths(self._links, [*unknown, *bells])
        self._found = False
        for (queue, lane), depth in told.waiting.items():
            waiting = max(depth, 1) if thorough else depth
            self._found |= waiting > 0
            if lane not in (GATE, BELL):
                self._sources.learn((queue, lane), waiting)
            elif waiting:  # while others have a backlog, nobody else would hear the bell of this gate
                self._sources.learn((queue, GATE), UNKNOWN)
        if told.refused:
            await self._refused(told.refused)
        self._look_due = (now := monotonic()) + max(LOOK[0], LOOK[1] * (now - began))

    async def _read(self, shares: Mapping[QueueLane, int]) -> int:
        """One read of each lane, all in one round trip. Returns how many jobs came."""
        refused: dict[str, StreamqError] = {}
        taken = 0
        if any(lane == GATE for _, lane in shares):
            taken += await self._read_through_gates(shares, refused)
            shares = {source: count for source, count in shares.items() if source[1] != GATE}
        for source, entries in (await self._reader.read(shares)).items() if shares else ():
            if isinstance(entries, StreamqError):
                refused[source[0]] = entries
                continue
            self._answered([source[0]])
            self._sources.served(source, shares[source], len(entries))
            await self._start(source, entries)
            taken += len(entries)
        await self._refused(refused)
        return taken

    async def _read_through_gates(
        self, shares: Mapping[QueueLane, int], refused: dict[str, StreamqError]
    ) -> int:
        """One call of the gate of each queue that has groups. Returns how many jobs came."""
        asked = {
            queue: (max(1, min(GATE_LIMIT, (count + 1) // 2)), self._bells.pop(queue, ()))
            for (queue, lane), count in shares.items()
            if lane == GATE
        }
        taken, delivery = 0, self._store.delivery
        for queue, passed in (await delivery.through_gate(self._links, self._worker, asked)).items():
            taken += await self._let_in(queue, passed, refused)
        return taken

    async def _take_in_gate(self, *, more: bool) -> None:
        asked, self.gate_under_way = self.gate_under_way, None
        assert asked is not None  # noqa: S101  # whoever calls has looked
        refused: dict[str, StreamqError] = {}
        await self._let_in(asked.queue, await asked.answer(), refused, more=more)
        await self._refused(refused)

    async def _let_in(
        self,
        queue: str,
        passed: Passed | StreamqError,
        refused: dict[str, StreamqError],
        *,
        more: bool = True,
    ) -> int:
        """Start what a gate has let through. The server decides of the next meanwhile. Returns how many jobs came."""
        if isinstance(passed, StreamqError):
            refused[queue] = passed
            return 0
        self._answered([queue])
        came = sum(len(entries) for _, entries in passed.entries)
        self._sources.learn((queue, GATE), UNKNOWN if passed.more else 0)
        spare = self._slots.free - came
        if more and passed.more and spare > 0 and len(self._queues) == 1 and not self._slots.stopping:
            count = min(GATE_LIMIT, spare)
            self.gate_under_way = self._store.delivery.ask_gate(self._links, self._worker, queue, count)
        for lane, entries in passed.entries:
            await self._start((queue, lane), entries)
        return came

    # -- all queues at once ---------------------------------------------------------------------------------

    async def _wait_for_any(self, queues: Sequence[str], slots: int, *, block: bool) -> None:
        sources = self._lanes_of(queues)
        count = max(1, slots // max(1, len(sources)))
        limited = [queue for queue in queues if self._steered.is_limited(queue)]
        patience = min(self._patience(queues), UNHEARD_MS if limited else BLOCK_MS)
        began = monotonic()
        found = await self._reader.wait([*sources, *self._bells_of(queues)], count, patience if block else 0)
        waited = 1020 * (monotonic() - began) >= patience if block else self._was_quiet
        self._was_quiet = waited and not (found.entries or found.refused)
        for queue in limited:
            self._sources.learn((queue, GATE), UNKNOWN)
        await self._let_promote()
        for together, error in found.refused:
            await self._find_refused(together, slots, error)
        if not found.refused:
            self._answered(queues)
        for source, entries in found.entries:
            if source[1] == BELL:
                await self._start(source, entries)
                continue
            more = block and not self._several and self._are_more(entries, count)
            await self._start(source, entries[:slots], more=more)
            if self._several and source[1] != GATE:  # of which it is not read
                self._sources.learn(source, UNKNOWN if len(entries) >= count else 0)
                self._sources.had(source[0], min(len(entries), slots))
            if len(entries) > slots:  # more lanes answered than there are free slots
                await self._give_back(source, entries[slots:])
            slots = max(0, slots - len(entries))

    def _patience(self, queues: Sequence[str]) -> int:
        """For how many ms to block: not so long that the end of a queue's trouble is slept through."""
        if len(queues) == len(self._queues):
            return BLOCK_MS
        some_blocked = any(queue in self._blocked for queue in self._queues)
        most = (SHORT_MS if some_blocked else BLOCK_MS) / 1000
        seconds = min(most, self._trouble.until_next(), self._steered.pause_ends_in())
        return max(1, round(1000 * seconds))

    # -- trouble --------------------------------------------------------------------------------------------

    def _answered(self, queues: Sequence[str]) -> None:
        """The server has read these queues."""
        if self._trouble:
            for queue in queues:
                self._trouble.over(queue)
        if self._joined:
            self._joined.difference_update(queues)

    async def _retry(self, slots: int) -> int:
        """Try the refused queues whose pause is over, each by itself. Returns how many jobs came."""
        due = [
            (queue, GATE if self._steered.is_limited(queue) else READY)
            for queue in self._trouble.due()
            if not self._is_closed(queue)
        ][:slots]
        for source in due:
            self._sources.learn(source)
        return await self._read(dict.fromkeys(due, 1)) if due else 0

    async def _find_refused(self, sources: Sequence[QueueLane], slots: int, error: StreamqError) -> None:
        """A read of all lanes was refused for the sake of one: that one shows when each is read by itself."""
        before = self._refusals
        if len(sources) == 1 or concerns_all(error):  # it is this one, or all on one server of several
            await self._refused({queue: error for queue, _ in sources})
            return
        at = 0
        while slots > 0 and at < len(sources):
            part = sources[at : at + slots]
            at += len(part)
            slots -= await self._read(dict.fromkeys(part, 1))
        if self._refusals == before and slots > 0:
            raise Unavailable(f"the queues cannot be read together: {error}") from error

    async def _refused(self, errors: Mapping[str, StreamqError]) -> None:
        """Make the group of a queue again where it is gone; put aside what is refused for another reason."""
        self._refusals += len(errors)
        self._sources.forget(errors)
        aside = dict(errors)
        for queue, error in errors.items():
            if isinstance(error, NoGroup):
                self._steered.suspect(queue)  # a lane may have been deleted with it
            if isinstance(error, NoGroup) and queue not in self._joined:  # else it is gone again at once
                try:
                    await self._store.delivery.join(self._links, (queue,))
                except (Rejected, NoGroup) as refusal:
                    aside[queue] = refusal
                else:
                    log.warning("a group of %s was gone; it is made again", queue_of(queue))
                    self._joined.add(queue)
                    del aside[queue]
        self._trouble.met(aside)
