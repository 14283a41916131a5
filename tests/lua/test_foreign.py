"""Whatever others write into the keys of a queue: no script and no view raises, and a sound job goes its way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamq import App, JobNotFound, State, WrongState
from streamq.model.envelope import Delivery, New
from streamq.model.keys import GROUP, QUEUE_KEYS, Keys
from streamq.model.outcomes import COMPLETED
from streamq.model.record import record
from streamq.redis.links import Links
from streamq.store.outcomes import Settlement

from ..rig import ON_ONE_SERVER, enqueue_batch
from ..servers import Server
from . import foreign

DELAYED, FAILED, DONE = b"1795449758578-140737488355329", b"1795449758578-2", b"1795449758578-3"
SOUND = {DELAYED.decode(), FAILED.decode(), DONE.decode()}
LOOKED_FOR = (b"1-1", b"5-5", b"01-1", b"1-1 ", b"9" * 5000 + b"-1")
SCORES = [b"-inf", b"+inf", b"0", b"-5", b"1", b"1e300", b"99999999999999999"]
MANY = settings(
    max_examples=500, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)

_fields = st.one_of(
    st.builds(lambda headers: [b"task", b"t", b"payload", b"1", b"headers", headers], foreign.headers),
    st.lists(st.tuples(st.sampled_from([b"task", b"payload", b"headers", b""]), foreign.texts), min_size=1, max_size=3)
    .map(lambda pairs: [part for pair in pairs for part in pair]),
)  # fmt: skip
_envelopes = st.one_of(
    foreign.texts, foreign.headers.map(lambda headers: b"t\n" + headers.replace(b"\n", b" ") + b"\n1")
)
_FIRST_LINES = [
    b"f5 0 w", b"c5 0 w", b"f-5 0 w", b"c99999999999999999 x y", b"f", b"", b"fnan nan", b"x1 1 w", b"cinf 1 \xff",
]  # fmt: skip
_records = st.one_of(
    foreign.texts,
    st.builds(
        lambda first, headers, outcome: b"\n".join((first, b"t", headers.replace(b"\n", b" "), outcome, b"1")),
        st.sampled_from(_FIRST_LINES), foreign.headers, foreign.values,
    ),
)  # fmt: skip


def _some(keys: Any, values: Any) -> Any:
    return st.dictionaries(keys, values, max_size=3)


_drawn = st.tuples(
    st.lists(_fields, max_size=4), _some(foreign.ids, _envelopes), _some(foreign.ids, st.sampled_from(SCORES)),
    _some(foreign.ids, _records), st.lists(foreign.ids, max_size=4), _some(foreign.ids, foreign.pointers),
    foreign.texts,
)  # fmt: skip
"""Entries, parked envelopes, due times, records, ids of order lists, ``moved``, and what a producer was answered."""


class _Queue:
    """A queue with sound jobs and what others wrote; every script runs over it."""

    def __init__(self, app: App, link: Links, keys: Keys) -> None:
        self.app, self.link, self.keys = app, link, keys

    async def fill(self, drawn: Any) -> None:
        keys, (entries, parked, scores, records, orders, moved, producer) = self.keys, drawn
        now = await self.link.home.call("TIME")
        birth = b"%d" % (int(now[0]) * 1000)
        commands: list[tuple[Any, ...]] = [("DEL", *[getattr(keys, name) for name in QUEUE_KEYS])]
        commands += [("XADD", keys.ready, "*", *fields) for fields in entries[:1]]
        commands += [("XADD", keys.ready, "*", "task", "t", "payload", '"sound"', "headers", "")]
        commands += [("XADD", keys.ready, "*", *fields) for fields in entries[1:]]
        commands += [
            ("HSET", keys.parked, *pair)
            for pair in (*parked.items(), (DELAYED, b't\n{"id":"%b"}\n"sound"' % DELAYED))
        ]
        commands += [
            ("ZADD", keys.delayed, score, member) for member, score in (*scores.items(), (DELAYED, 1))
        ]
        sound = {
            FAILED: b'f%b 0 w\nt\n\n{"type":"E","message":""}\n"sound"',
            DONE: b'c%b 0 w\nt\n\n7\n"sound"',
        }
        sound = {job_id: text % (b"%d" % (int(birth) - 1795449758578)) for job_id, text in sound.items()}
        commands += [("HSET", keys.finished, *pair) for pair in (*records.items(), *sound.items())]
        commands += [("RPUSH", keys.completed, *orders, DONE)]
        commands += [("ZADD", keys.failures, 2**41, job_id) for job_id in (*orders, FAILED)]
        commands += [("HSET", keys.moved, *pair) for pair in moved.items()]
        commands += [("SET", keys.producer + "p", producer)]
        replies = await self.link.home.calls(*commands)
        self.born = replies[1 + len(entries[:1])].decode()
        self.given = sorted(text for fields in entries for text in foreign.passed_on(_headers_of(fields)))
        self.moved = set(moved)

    async def take(self, worker: str) -> list[Delivery]:
        await self.app.client.store.delivery.join(self.link, ["q"])
        taken: list[Delivery] = []
        while True:
            lane, raw = await self.app.client.store.delivery.fetch(self.link, "q", worker, 100)
            if not raw:
                return taken
            taken += [Delivery("q", lane, entry) for entry in raw]

    async def through_every_script(self) -> None:
        store, link = self.app.client.store, self.link
        while (await store.delayed.promote(link, ["q"], 100))["q"].jobs:
            pass
        held = await self.take("w1")
        assert await store.delivery.release(link, "q", [(d.lane, d.entry) for d in held]) == len(held)
        await self.take("w2")
        for lane in (self.keys.ready, self.keys.alone):
            await link.home.call("XGROUP", "DELCONSUMER", lane, GROUP, "w2")
        assert await store.recovery.audit(link, "q") == len(held)
        assert len(await self.take("w3")) == len(held)
        await self.look()
        done = await store.recovery.reclaim(link, "q", "w3", None)
        assert done.again + done.suspects + done.failed == len(held)
        await store.jobs.requeue("q", FAILED.decode())
        for job_id in LOOKED_FOR:
            with contextlib.suppress(JobNotFound):
                await self.app.queue("q").get(job_id.decode())
            with contextlib.suppress(JobNotFound, WrongState):
                await store.jobs.requeue("q", job_id.decode())
        await self.steer()
        await enqueue_batch(store, link, "q", "p", 7, [New("t", b'"sound"')], "memory")
        await store.retention.prune("q")

    async def steer(self) -> None:
        """Jobs of others are cancelled, changed and deleted, as far as they are jobs; ours are changed."""
        queue = self.app.queue("q")
        for job_id in LOOKED_FOR:
            ours = job_id in (DELAYED, FAILED, DONE)
            for act in (
                lambda job: queue.change(job, payload="sound"),
                *(() if ours else (queue.delete, queue.cancel, queue.retry)),
            ):
                with contextlib.suppress(JobNotFound, WrongState):
                    await act(job_id.decode())

    async def look(self) -> None:
        queue = self.app.queue("q")
        await queue.counts()
        for state in State:
            for job in (await queue.jobs(state)).items:
                assert job.asdict()["id"] == job.id

    async def end(self) -> None:
        """All jobs are completed; then nothing of them is left in the lanes, and no pointer to them."""
        held = await self.take("w4")
        by_id = {delivery.job_id: delivery for delivery in held}
        assert {self.born, DELAYED.decode(), FAILED.decode()} <= set(by_id)
        assert by_id[self.born].headers["crashes"] == by_id[DELAYED.decode()].headers["crashes"] == 1
        assert {by_id[job_id].payload for job_id in (self.born, DELAYED.decode())} == {b'"sound"'}
        # a job that was cancelled and retried meanwhile has its headers on one line
        passed = {_on_one_line(text) for d in held for text in foreign.passed_on(d.raw_headers)}
        assert not [text for text in self.given if _on_one_line(text) not in passed]
        outcomes = [
            Settlement(
                COMPLETED, d.lane, d.entry, d.job_id, record(COMPLETED, d, 0, 0, b"w", d.raw_headers, b"1")
            )
            for d in held
        ]
        assert await self.app.client.store.outcomes.settle(self.link, {"q": outcomes}) == []
        await self.look()
        lengths = await self.link.home.calls(*[("XLEN", lane) for lane in self.keys.lanes])
        assert not any(lengths)
        assert set(await self.link.home.call("HKEYS", self.keys.moved)) <= self.moved
        assert (await self.app.queue("q").get(DONE.decode())).result == 7


def _on_one_line(text: bytes) -> bytes:
    return text.replace(b"\n", b" ")


def _headers_of(fields: list[bytes]) -> bytes:
    return dict(zip(fields[::2], fields[1::2], strict=True)).get(b"headers", b"")


@contextlib.asynccontextmanager
async def _queue(url: str, prefix: str) -> AsyncIterator[_Queue]:
    async with App(redis_url=url, prefix=prefix) as app:
        link = app.client.store.links()
        yield _Queue(app, link, app.client.store.keys("q"))
        await link.home.call("FLUSHDB")
        await link.close()


@ON_ONE_SERVER
def test_500_random_faults_in_the_keys_of_a_queue_stop_no_script_and_no_neighbour(
    shared_server: Server, prefix: str
) -> None:
    with asyncio.Runner() as runner:
        queues = _queue(shared_server.url, prefix)
        queue = runner.run(queues.__aenter__())

        @MANY
        @given(_drawn)
        def tried(drawn: Any) -> None:
            async def one() -> None:
                await queue.fill(drawn)
                await queue.through_every_script()
                await queue.end()

            runner.run(one())

        try:
            tried()
        finally:
            runner.run(queues.__aexit__(None, None, None))
