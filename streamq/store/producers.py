"""Sending new jobs: the batches of several queues in one round trip, each answered for itself."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

from streamq.errors import NotDurable, OutcomeUnknown, StreamqError
from streamq.model.envelope import UNDEMANDING, New
from streamq.model.places import queue_of
from streamq.noun_errors import full
from streamq.redis import scripts
from streamq.redis.answers import NoScript, translate
from streamq.redis.link import Link
from streamq.redis.links import Links
from streamq.settings import Durability
from streamq.store.access import Access
from streamq.store.announcements import Announcements, Plainness
from streamq.store.batch import ANSWER, PRODUCER_MEMORY_MS, Answer, Batch, Producer, Stale

log = logging.getLogger("streamq.outbox")


GROUPED: Final = 1_000
"""Jobs of a group that admit.lua takes: Lua's ``unpack`` can pass on some thousands of arguments."""
FORGOTTEN_AT_ONCE: Final = 500
"""Producers that are forgotten in one round trip."""


class Flight:
    """Batches that were sent together, and what becomes of each."""

    __slots__ = (
        "_announced", "_batches", "_calls", "_confirming", "_durability", "_link", "_new",
        "_patience", "_plain", "_sent",
    )  # fmt: skip

    def __init__(
        self, link: Link, batches: Sequence[Batch], durability: Durability, seconds: float,
        announced: Announcements, new: Sequence[str], plain: Plainness, again: bool,
    ) -> None:  # fmt: skip
        self._link, self._batches, self._durability = link, batches, durability
        self._announced, self._new, self._plain = announced, new, plain
        self._calls = [_call(batch) for batch in batches]
        # again, it may be another server, to which the scripts are unknown
        made = scripts.Script.in_full if again else scripts.Script.command
        commands = [made(of.producer.script, *call) for of, call in zip(batches, self._calls, strict=True)]
        if new:
            commands.append(announced.command(new))
        self._confirming = () if durability == "memory" else _confirming(durability, seconds)
        # the server takes its time to confirm, and then its answer is on its way
        self._patience = seconds + min(seconds, ANSWER) * len(self._confirming)
        self._sent = link.begin(*commands, *self._confirming)

    async def answers(self) -> list[Answer]:
        """What became of each batch. Raises what a ``Link`` raises. Cancelled, it may be asked again."""
        replies = await self._link.replies(self._sent, self._patience)
        if len(replies) == 1 and type(replies[0]) is bytes:  # as nearly all that a lone caller gets
            return [self._answer(self._batches[0], replies[0], None)]
        said, confirmed = replies[: len(self._calls)], replies[len(replies) - len(self._confirming) :]
        if [reply for reply in said if isinstance(reply, Exception)]:
            confirmed = await self._once_more(said, confirmed)
        if self._new:
            only = any(isinstance(reply, bytes) for reply in said)
            self._announced.note(self._new, replies[len(said)], only=only)
        doubt = _doubt(self._durability, confirmed) if confirmed else None
        return [self._answer(batch, reply, doubt) for batch, reply in zip(self._batches, said, strict=True)]

    def _answer(self, batch: Batch, reply: Any, doubt: StreamqError | None) -> Answer:
        if isinstance(reply, Exception):
            error = _refusal(batch, reply)
            error.__cause__ = reply
            return error
        if batch.producer.script is scripts.ENQUEUE:
            return doubt or _in_order(batch.jobs, expanded(reply.decode()))
        steered, _, ids = reply.decode().partition(" ")
        self._plain.heard(batch.producer.queue, steered=steered == "1")
        return doubt or expanded(ids)

    async def _once_more(self, said: list[Any], confirmed: list[Any]) -> list[Any]:
        """Send in full what the server did not know; it runs only now, so durability is asked for again."""
        unknown = [at for at, reply in enumerate(said) if _is_unknown_script(reply)]
        if unknown:
            again = [self._batches[at].producer.script.in_full(*self._calls[at]) for at in unknown]
            more = await self._link.batch(*again, *self._confirming, timeout=self._patience)
            for at, reply in zip(unknown, more, strict=False):
                said[at] = reply
            confirmed = more[len(again) :]
        return confirmed


class Producers:
    """Commands: new jobs are added, and what the server remembers of producers is forgotten."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._announcements = Announcements(access.shared.queues)
        self.plain = Plainness()

    def producer(self, queue: str, name: str, *, plain: bool = True) -> Producer:
        """The producer of this name, for ``plain`` jobs or others. Raises ``ConfigurationError`` for the bad name of a
        queue."""
        keys = self._access.keys(queue)
        record, script = keys.producer + name, scripts.ENQUEUE if plain else scripts.ADMIT
        return Producer(queue, script, script.on(keys, producer=record), record)

    def forget_queue(self, queue: str) -> None:
        """The queue is removed: the next batch makes it anew, and puts it on the list."""
        self.plain.forget(queue)
        self._announcements.forget(queue)

    def begin(self, link: Link, batches: Sequence[Batch], durability: Durability) -> Flight | None:
        """Send batches of queues of one server now; ``None``, and nothing is sent, where that needs more than sending.

        Raises ``UsageError`` for what cannot be written: nothing is sent then.
        """
        if not link.connected:
            return None
        new = self._announcements.due(link, batches)
        if new and link.server is not self._access.servers.home:
            return None
        return self._flight(link, batches, durability, new)

    def _flight(
        self, link: Link, batches: Sequence[Batch], durability: Durability, new: Sequence[str],
        within: float | None = None,
    ) -> Flight:  # fmt: skip
        seconds = within or self._access.settings.enqueue_timeout
        how = (self._announcements, new, self.plain, within is not None)
        return Flight(link, batches, durability, seconds, *how)

    async def submit(
        self, link: Link, batches: Sequence[Batch], durability: Durability, within: float | None = None
    ) -> list[Answer]:
        """Send batches of queues of one server in one round trip and return what became of each, ``within`` seconds, by
        default ``settings.enqueue_timeout``.

        Connects where it must. Raises what a ``Link`` raises, when it is known of none.
        """
        new = self._announcements.due(link, batches)
        if new and link.server is not self._access.servers.home:
            await self._announce(new)
            new = []
        await link.connect()
        return await self._flight(link, batches, durability, new, within).answers()

    async def submit_each(
        self, links: Links, batches: Sequence[Batch], durability: Durability, within: float | None = None
    ) -> list[Answer]:
        """The same of queues of any servers, each batch over the connection to its own."""

        async def send(link: Link, places: Sequence[int]) -> list[Answer]:
            return await self.submit(link, [batches[at] for at in places], durability, within)

        return await links.pipeline([batch.producer.queue for batch in batches], send)

    async def _announce(self, queues: Sequence[str]) -> None:
        """Put queues on their list where that is on another server than they: before their jobs, as these are found
        by it. Refused, it stops no batch."""
        try:
            reply = await self._access.pool.call_home(*self._announcements.command(queues))
        except StreamqError as error:
            reply = error
        self._announcements.note(queues, reply, only=True)

    async def forget(self, link: Link, producers: Sequence[Producer], *, timeout: float) -> None:
        """Forget the last batches of producers: nobody sends them again."""
        records = [producer.record for producer in producers]
        for at in range(0, len(records), FORGOTTEN_AT_ONCE):
            await link.batch(
                *[("DEL", record) for record in records[at : at + FORGOTTEN_AT_ONCE]], timeout=timeout
            )


def _call(batch: Batch) -> tuple[scripts.Named, Sequence[Any]]:
    keys, jobs = batch.producer.keys, batch.jobs
    if batch.producer.script is scripts.ADMIT:
        return keys, _admitted(batch)
    if len(jobs) == 1 and not jobs[0].due:
        return keys, (batch.number, PRODUCER_MEMORY_MS, 1, 0, *jobs[0][:3])
    later = [job for job in jobs if job.due]
    at_once = [job for job in jobs if not job.due] if later else jobs
    arguments: list[Any] = [
        batch.number,
        PRODUCER_MEMORY_MS,
        len(at_once),
        parked_sequence() if later else 0,
    ]
    for job in at_once:
        arguments += job[:3]  # task, payload, headers
    for job in later:
        arguments += job[:4]  # and when it is due
    return keys, arguments


def _admitted(batch: Batch) -> Sequence[Any]:
    """Jobs that follow each other and are alike are a group."""
    remembered = batch.producer.remembered
    arguments: list[Any] = [
        batch.number,
        remembered,
        parked_sequence(),
        batch.placed.generation,
        batch.placed.asks,
    ]
    terms: tuple[Any, ...] = ()
    at = 0
    for task, payload, headers, due, demand in batch.jobs:
        lane, key, *unique = demand or UNDEMANDING
        own = (lane, *unique, "1" if due else "")
        if own != terms or arguments[at] == GROUPED:
            at, terms = len(arguments), own
            arguments += (0, *own)
        arguments[at] += 1
        arguments += (task, payload, headers)
        if key:
            arguments.append(key)
        if due:
            arguments.append(due)
    return arguments


_APART: Final = 1024
"""More than the jobs of a call: what two calls of a process make within a millisecond has its order, by number and by
text."""
_sequences = count(secrets.randbits(47), _APART)


def _begin_elsewhere() -> None:
    """A child must not make the ids that its parent makes."""
    global _sequences  # noqa: PLW0603  # of this process
    _sequences = count(secrets.randbits(47), _APART)


os.register_at_fork(after_in_child=_begin_elsewhere)


def parked_sequence() -> int:
    """Behind the dash of the ids of jobs that are born parked: the top bit of 48 is set, so far no stream ever counts
    within a millisecond."""
    return next(_sequences) % (1 << 47) | 1 << 47


def _is_unknown_script(reply: object) -> bool:
    return isinstance(reply, Exception) and isinstance(translate(reply, sent=True), NoScript)


def _refusal(batch: Batch, reply: Exception) -> StreamqError:
    """Why the server took none of the batch."""
    word, _, told = str(reply).partition(" ")
    if word == "FULL":
        return full(queue_of(batch.producer.queue), told)
    if word == "STALE" and told in ("partitions", "home"):
        return Stale(is_home=told == "home")
    return translate(reply, sent=True)


def _in_order(jobs: Sequence[New], ids: list[str]) -> list[str]:
    """The script answers those at once first, and then the delayed ones."""
    if len(jobs) == 1:
        return ids
    at_once = [job.due for job in jobs].count("")
    if at_once in {0, len(jobs)}:
        return ids
    now, then = iter(ids[:at_once]), iter(ids[at_once:])
    return [next(then if job.due else now) for job in jobs]


def expanded(reply: str) -> list[str]:
    """The ids that enqueue.lua answers: ``5-0+2`` stands for ``5-0 5-1 5-2``."""
    if "+" not in reply:
        return reply.split()
    ids: list[str] = []
    for run in reply.split():
        first, _, more = run.partition("+")
        if more:
            ms, _, number = first.partition("-")
            start = int(number)
            ids += [f"{ms}-{n}" for n in range(start, start + int(more) + 1)]
        else:
            ids.append(first)
    return ids


def _confirming(durability: Durability, seconds: float) -> tuple[tuple[Any, ...], ...]:
    limit = int(seconds * 1000) or 1  # none would be for ever
    return (("WAITAOF", 1, 0, limit) if durability == "fsync" else ("WAIT", 1, limit),)


def _doubt(durability: Durability, confirmed: Sequence[Any]) -> StreamqError | None:
    """What is wrong with the durability of all that was sent before; ``None`` when it is as asked."""
    for reply in confirmed:
        if isinstance(reply, Exception):
            error = NotDurable(
                f"durability {durability!r} is not available on this server: {reply}; the jobs are in its memory. "
                "Change the server or enqueue with another durability; repeat() asks again and adds nothing twice"
            )
            error.__cause__ = reply
            return error
        if (reply[0] if isinstance(reply, list) else reply) < 1:
            return OutcomeUnknown(
                f"the jobs are in the server's memory, but {durability!r} was not confirmed in time: "
                "repeat() asks again and adds nothing twice"
            )
    return None
