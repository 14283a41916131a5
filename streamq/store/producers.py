"""Sending new jobs: the batches of several queues in one round trip, each answered for itself."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from streamq.errors import NotDurable, OutcomeUnknown, StreamqError
from streamq.model.clock import monotonic
from streamq.model.envelope import New
from streamq.redis import scripts
from streamq.redis.answers import NoScript, translate
from streamq.redis.link import Link
from streamq.settings import Durability, Settings
from streamq.store.access import Access

log = logging.getLogger("streamq.outbox")

PRODUCER_MEMORY_MS: Final = 3_600_000
"""How long the server remembers a producer's last batch."""
ANNOUNCED_FOR: Final = 30.0
"""Seconds after which a queue that is enqueued to is put on the list of queues again: somebody may have emptied it."""

FORGOTTEN_AT_ONCE: Final = 500
"""Producers that are forgotten in one round trip."""


class Batch(NamedTuple):
    """Jobs of one queue under a number of their producer: sent again under it, they are answered and not added."""

    queue: str
    producer: str
    number: int
    jobs: Sequence[New]


Answer = list[str] | StreamqError
"""What became of a batch: the ids of its jobs, or why there are none."""


class Announcements:
    """When each queue was last put on the list of queues, which schedulers read. It goes out with a batch.

    Again after ``ANNOUNCED_FOR`` seconds and after a reconnection: the server may have come back empty.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._until: dict[str, float] = {}
        self._refused = False

    def due(self, link: Link, batches: Sequence[Batch]) -> list[str]:
        """The queues to announce along with these batches."""
        if not link.connected:
            self._until.clear()
        now, until = monotonic(), self._until.get
        return [batch.queue for batch in batches if until(batch.queue, 0.0) < now]

    def command(self, queues: Sequence[str]) -> tuple[Any, ...]:
        """What announces them."""
        return ("SADD", self._key, *queues)

    def note(self, queues: Sequence[str], reply: object, *, only: bool) -> None:
        """Take the server's reply. A refused announcement stops no batch; it is tried again with the next one.

        It is logged when it begins and when it ends, where it is the ``only`` thing refused.
        """
        if isinstance(reply, Exception):
            if not only:
                return
            if not self._refused:
                log.warning("%s cannot be put on the list of queues %s: %s", queues[0], self._key, reply)
            self._refused = True
            return
        if self._refused:
            log.info("queues are put on the list of queues %s again", self._key)
        self._refused = False
        self._until.update(dict.fromkeys(queues, monotonic() + ANNOUNCED_FOR))


class Producers:
    """Commands: new jobs are added, and what the server remembers of producers is forgotten."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._announcements = Announcements(access.queues_key)
        self._last_names: dict[str, tuple[str, scripts.Named]] = {}

    async def submit(self, link: Link, batches: Sequence[Batch], durability: Durability) -> list[Answer]:
        """Send batches of queues of one server in one round trip and return what became of each.

        Raises what a ``Link`` raises, when it is known of none.
        """
        settings, announced = self._access.settings, self._announcements
        new = announced.due(link, batches)
        if new and link.server is not self._access.servers.home:
            await self._announce(new)
            new = []
        if not new and len(batches) == 1 and durability == "memory":  # as nearly all that a lone caller sends
            (batch,) = batches
            call = self._call(batch)
            (reply,) = await link.batch(scripts.ENQUEUE.command(*call), timeout=settings.enqueue_timeout)
            if _is_unknown_script(reply):
                (reply,) = await link.batch(scripts.ENQUEUE.in_full(*call), timeout=settings.enqueue_timeout)
            return [_answer(batch, reply, None)]
        calls = [self._call(batch) for batch in batches]
        commands = [scripts.ENQUEUE.command(*call) for call in calls]
        if new:
            commands.append(announced.command(new))
        confirming = () if durability == "memory" else _confirming(durability, settings)
        patience = settings.enqueue_timeout * (1 + len(confirming))  # a producer waits for less than a worker
        replies = await link.batch(*commands, *confirming, timeout=patience)
        said, confirmed = replies[: len(calls)], replies[len(commands) :]
        if [reply for reply in said if isinstance(reply, Exception)]:
            unknown = [at for at, reply in enumerate(said) if _is_unknown_script(reply)]
            if unknown:  # these run only now, so durability is asked for again
                again = [scripts.ENQUEUE.in_full(*calls[at]) for at in unknown]
                more = await link.batch(*again, *confirming, timeout=patience)
                for at, reply in zip(unknown, more, strict=False):
                    said[at] = reply
                confirmed = more[len(again) :]
        if new:
            announced.note(new, replies[len(calls)], only=any(isinstance(reply, bytes) for reply in said))
        doubt = _doubt(durability, confirmed) if confirming else None
        return [_answer(batch, reply, doubt) for batch, reply in zip(batches, said, strict=True)]

    async def _announce(self, queues: Sequence[str]) -> None:
        """Put queues on their list where that is on another server than they: before their jobs, as these are found
        by it. Refused, it stops no batch."""
        try:
            reply = await self._access.pool.call_home(*self._announcements.command(queues))
        except StreamqError as error:
            reply = error
        self._announcements.note(queues, reply, only=True)

    def _call(self, batch: Batch) -> tuple[scripts.Named, Sequence[Any]]:
        names, jobs = self._names(batch.queue, batch.producer), batch.jobs
        if len(jobs) == 1 and not jobs[0].due:
            return names, (batch.number, PRODUCER_MEMORY_MS, 1, 0, *jobs[0][:3])
        later = [job for job in jobs if job.due]
        at_once = [job for job in jobs if not job.due] if later else jobs
        # the top bit of 48 set: no stream ever counts that far within a millisecond
        suffix = secrets.randbits(47) | 1 << 47 if later else 0
        arguments: list[Any] = [batch.number, PRODUCER_MEMORY_MS, len(at_once), suffix]
        for job in at_once:
            arguments += job[:3]  # task, payload, headers
        for job in later:
            arguments += job  # and when it is due
        return names, arguments

    def _names(self, queue: str, producer: str) -> scripts.Named:
        """The keys of a batch, made once for each queue, as a process has one producer of it at a time."""
        of, names = self._last_names.get(queue, ("", ()))
        if of != producer:
            keys = self._access.keys(queue)
            names = scripts.ENQUEUE.on(keys, producer=keys.producer + producer)
            self._last_names[queue] = producer, names
        return names

    async def forget(self, link: Link, producers: Sequence[tuple[str, str]], *, timeout: float) -> None:
        """Forget the last batches of producers (queue, name): nobody sends them again."""
        records = [self._access.keys(queue).producer + name for queue, name in producers]
        for at in range(0, len(records), FORGOTTEN_AT_ONCE):
            await link.batch(
                *[("DEL", record) for record in records[at : at + FORGOTTEN_AT_ONCE]], timeout=timeout
            )


def _is_unknown_script(reply: object) -> bool:
    return isinstance(reply, Exception) and isinstance(translate(reply, sent=True), NoScript)


def _answer(batch: Batch, reply: Any, doubt: StreamqError | None) -> Answer:
    if isinstance(reply, Exception):
        error = translate(reply, sent=True)
        error.__cause__ = reply
        return error
    return doubt or _in_order(batch.jobs, expanded(reply.decode()))


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


def _confirming(durability: Durability, settings: Settings) -> tuple[tuple[Any, ...], ...]:
    limit = int(settings.enqueue_timeout * 1000)
    return (("WAITAOF", 1, 0, limit) if durability == "fsync" else ("WAIT", 1, limit),)


def _doubt(durability: Durability, confirmed: Sequence[Any]) -> StreamqError | None:
    """What is wrong with the durability of all that was sent before; ``None`` when it is as asked."""
    for reply in confirmed:
        if isinstance(reply, Exception):
            error = NotDurable(
                f"durability {durability!r} is not to be had on this server: {reply}; the jobs are in its memory. "
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
