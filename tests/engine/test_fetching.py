"""Fetching: whose jobs are read, what it costs, and that no job stays with a worker that never saw it."""

from __future__ import annotations

import asyncio
import random
import time
from itertools import cycle

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from streamq import App
from streamq.model.envelope import Delivery
from streamq.model.keys import GROUP, Keys
from streamq.model.lanes import READY
from streamq.worker import reads, suspects, unseen
from streamq.worker.sources import Sources
from streamq.worker.turns import UNKNOWN, Turns

from ..rig import ON_ONE_SERVER, census, of_one_server, until, working
from .fetching import JOB, Hands, calls, fill, settle

# -- turns ------------------------------------------------------------------------------------------------------


@ON_ONE_SERVER
@pytest.mark.parametrize(("count", "slots"), [(100, 10), (1_000, 100)])
async def test_many_queues_with_few_slots_get_equal_shares_at_about_one_read_a_job(
    app: App, client: redis.Redis, prefix: str, count: int, slots: int
) -> None:
    queues = [f"q{number}" for number in range(count)]
    fill(client, prefix, queues, 30)
    hands, free = Hands(app, queues, slots), cycle((1, 1, 3, 10, 2, 7, 1))
    async with hands.fetching():
        before, done = calls(client, "xreadgroup"), 0
        while done < 8 * count:
            await until(lambda: len(hands.held) == slots)
            gone = hands.let_go(next(free) * slots // 10)
            settle(client, prefix, gone)
            done += len(gone)
        reads = calls(client, "xreadgroup") - before
    assert hands.at_once == slots
    assert max(hands.taken.values()) <= 2 * min(hands.taken[queue] for queue in queues)
    assert reads <= 1.3 * sum(hands.taken.values()), "reads that found nothing"


@ON_ONE_SERVER
async def test_a_small_queue_beside_full_ones_is_served_at_once(
    app: App, client: redis.Redis, prefix: str
) -> None:
    queues = [f"q{number}" for number in range(30)]
    fill(client, prefix, queues[1:], 200)
    hands = Hands(app, queues, slots=3)
    async with hands.fetching():
        for _ in range(20):
            await until(lambda: len(hands.held) == 3)
            settle(client, prefix, hands.let_go())
        fill(client, prefix, queues[:1], 1)
        served_before, deadline = sum(hands.taken.values()), time.monotonic() + 5
        while not hands.taken["q0"] and time.monotonic() < deadline:
            await asyncio.sleep(0.005)
            settle(client, prefix, hands.let_go())
    assert hands.taken["q0"] == 1
    assert sum(hands.taken.values()) - served_before < 1_000, "a turn, not a backlog"


@ON_ONE_SERVER
async def test_a_queue_whose_delivered_entries_were_deleted_by_hand_still_gets_its_turns(
    app: App, client: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its depth is counted too low, as those entries are still pending."""
    monkeypatch.setattr(reads, "THOROUGH", 0.3)
    queues = ["damaged", "full", "third"]
    hands = Hands(app, queues, slots=2)
    async with hands.fetching():
        for number in range(20):
            client.xadd(Keys(prefix, "damaged").ready, JOB, id=f"1-{number + 1}")
        client.xreadgroup(GROUP, "other", {Keys(prefix, "damaged").ready: ">"}, count=100)
        client.xdel(Keys(prefix, "damaged").ready, *[f"1-{number + 1}" for number in range(20)])
        taken = hands.taken["damaged"]
        fill(client, prefix, ["full"], 3_000)
        await until(lambda: hands.taken["full"] > 0)
        fill(client, prefix, ["damaged"], 2)
        while hands.taken["damaged"] < taken + 2:
            assert hands.taken["full"] < 2_900, "only when the others had nothing left"
            await asyncio.sleep(0.005)
            settle(client, prefix, hands.let_go())


@ON_ONE_SERVER
@of_one_server("one read is of many queues")
async def test_more_than_the_free_slots_is_never_kept(app: App, client: redis.Redis, prefix: str) -> None:
    queues = [f"q{number}" for number in range(40)]
    hands, sent = Hands(app, queues, slots=2), 0
    async with hands.fetching():
        for size in (1, 40, 3, 17, 40):
            client.evalsha(  # all at once, as a blocked read sees them together
                client.script_load("for i, k in ipairs(KEYS) do redis.call('XADD', k, '*', 'task', 't') end"),
                size, *[Keys(prefix, queue).ready for queue in random.sample(queues, size)],
            )  # fmt: skip
            sent += size
            while sum(hands.taken.values()) < sent:
                await asyncio.sleep(0.002)
                settle(client, prefix, hands.let_go())
            settle(client, prefix, hands.let_go())
    assert hands.at_once <= 2
    assert sum(hands.taken.values()) == sent


@ON_ONE_SERVER
@of_one_server("a worker blocks at its queues")
async def test_one_queue_is_read_by_one_command_a_round(app: App, client: redis.Redis, prefix: str) -> None:
    hands = Hands(app, ["q"], slots=10)
    async with hands.fetching():
        client.xadd(Keys(prefix, "q").ready, JOB)
        await until(hands.let_go)
        client.config_resetstat()
        for number in range(50):
            client.xadd(Keys(prefix, "q").ready, JOB)
            await until(lambda number=number: hands.taken["q"] == number + 2)
            hands.let_go()
        stats = client.info("commandstats")
    ours = {
        name: row["calls"] for name, row in stats.items() if name != "cmdstat_xadd" and "info" not in name
    }
    assert set(ours) - {"cmdstat_config|resetstat"} == {"cmdstat_xreadgroup"}
    assert ours["cmdstat_xreadgroup"] <= 51


QUEUES = st.integers(0, 9).map("q{}".format)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("learn"), QUEUES, st.sampled_from([0, 1, 2, 50, UNKNOWN])),
            st.tuples(st.just("forget"), QUEUES),
            st.tuples(
                st.just("round"),
                st.integers(1, 30),
                st.integers(1, 40),
                st.lists(st.integers(0, 30), max_size=10),
            ),
        )
    )
)
def test_a_round_never_asks_for_more_than_the_slots_and_for_nothing_in_vain(steps: list[tuple]) -> None:
    sources, known, most = Sources(Turns()), set(), 1
    for step in steps:
        match step:
            case ("learn", queue, backlog):
                sources.learn((queue, READY), backlog)
                known = known | {queue} if backlog else known - {queue}
            case ("forget", queue):
                sources.forget([queue])
                known -= {queue}
            case ("round", slots, quantum, came):
                shares = sources.shares(slots, quantum)
                most = max(most, quantum)  # a circle that has begun keeps its quantum
                assert {queue for queue, _ in shares} <= known
                assert sum(shares.values()) == (slots if known else 0)
                assert min(shares.values(), default=1) > 0
                assert len(shares) >= min(len(known), slots // most)
                for (source, asked), got in zip(shares.items(), came, strict=False):
                    sources.served(source, asked, min(asked, got))
                    if got < asked:
                        known -= {source[0]}
                known = {queue for queue in known if (queue, READY) in sources}
        assert bool(sources) == bool(known)


@given(st.integers(1, 60), st.lists(st.integers(1, 40), min_size=1, max_size=200), st.integers(1, 20))
def test_equal_queues_differ_by_one_turn_however_the_slots_come_free(
    queues: int, rounds: list[int], quantum: int
) -> None:
    sources, got = Sources(Turns()), dict.fromkeys(map(str, range(queues)), 0)
    for queue in got:
        sources.learn((queue, READY))
    for slots in rounds:
        for source, asked in sources.shares(slots, quantum).items():
            sources.served(source, asked, asked)
            got[source[0]] += asked
    assert max(got.values()) - min(got.values()) <= quantum


# -- the read that is under way while jobs start ------------------------------------------------------------------


@ON_ONE_SERVER
@of_one_server("the next read is sent before the jobs of the last one start")
@pytest.mark.parametrize("then", ["stop", "audit", "loss"])
async def test_what_is_read_while_jobs_start_is_neither_lost_nor_started_twice(
    app: App, client: redis.Redis, prefix: str, then: str
) -> None:
    """Whatever happens in between: the worker stops, an audit is due, or the connection is lost."""
    lane, hands = Keys(prefix, "q").ready, Hands(app, ["q"], slots=1_000)

    def at_the_first(_: Delivery) -> None:
        hands.on_start = lambda _: None
        while client.xpending(lane, GROUP)["pending"] < 1_000:
            time.sleep(0.01)
        if then == "stop":
            hands.slots.stop()
        elif then == "audit":
            hands.fetcher._unseen.suspected()  # else it is due in half a minute
        else:
            client.client_kill_filter(_id=next(c["id"] for c in client.client_list() if c["name"] == "hands"))

    hands.on_start = at_the_first
    fill(client, prefix, ["q"], 1_200)
    async with hands.fetching():
        await until(lambda: hands.taken["q"] == 1_000)
    pending = {row["message_id"] for row in client.xpending_range(lane, GROUP, "-", "+", 2_000)}
    assert pending == {delivery.entry.decode() for delivery in hands.held}
    assert len({delivery.job_id for delivery in hands.held}) == 1_000
    assert client.xlen(lane) == 1_200


@ON_ONE_SERVER
async def test_after_a_small_read_all_slots_that_came_free_meanwhile_are_filled_by_the_next(
    app: App, client: redis.Redis, prefix: str
) -> None:
    hands = Hands(app, ["q"], slots=200)
    fill(client, prefix, ["q"], 400)
    async with hands.fetching():
        await until(lambda: hands.taken["q"] == 200)
        before = calls(client, "xreadgroup")
        client.client_pause(100, all=False)  # of writes, as the read is
        hands.let_go(1)
        await asyncio.sleep(0.05)  # it is sent, for the one slot
        hands.let_go(150)
        await until(lambda: hands.taken["q"] == 351)
        assert calls(client, "xreadgroup") - before <= 4
    assert hands.at_once == 200


# -- the self-audit ---------------------------------------------------------------------------------------------


async def test_what_never_arrived_can_be_given_back_after_the_last_read(
    app: App, client: redis.Redis, prefix: str
) -> None:
    hands = Hands(app, "ab", slots=2)
    async with hands.fetching():
        fill(client, prefix, "a", 1)
        await until(lambda: hands.held)
    fill(client, prefix, "ab", 2)
    for queue in "ab":
        client.xreadgroup(GROUP, "hands", {Keys(prefix, queue).ready: ">"})
    assert await hands.fetcher.give_back_unseen() == 4
    assert await hands.fetcher.give_back_unseen() == 0
    assert [client.xpending(Keys(prefix, queue).ready, GROUP)["pending"] for queue in "ab"] == [1, 0]
    await until(lambda: "hands" not in {row["name"] for row in client.client_list()})


async def test_what_was_delivered_under_a_living_workers_name_and_never_arrived_is_found(
    app: App, client: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "BLOCK_MS", 300)
    monkeypatch.setattr(unseen, "EVERY", 0.3)
    monkeypatch.setattr("streamq.store.delivery.PENDING_PAGE", 3)
    monkeypatch.setattr(suspects, "LOOK", 0.3)
    keys, ran = Keys(prefix, "q"), list[int]()
    hold = asyncio.Event()

    @app.task(queue="q")
    async def work(x: int) -> int:
        ran.append(x)
        await hold.wait()
        return x

    async with working(app, concurrency=8, name="w1"):
        jobs = await work.enqueue_many(range(8))
        await until(lambda: len(ran) == 8)  # it reads no more, so another can do so under its name
        for lane, payload, headers in (
            (keys.ready, 97, ""),
            (keys.ready, 98, ""),
            (keys.alone, 99, '{"id":"5-5"}'),
        ):
            client.xadd(lane, {"task": "work", "payload": payload, "headers": headers})
        client.xreadgroup(GROUP, "w1", {keys.ready: ">", keys.alone: ">"})
        held = [client.xpending(lane, GROUP)["pending"] for lane in keys.lanes[:2]]
        assert held == [10, 1]
        await until(lambda: client.xpending(keys.ready, GROUP)["pending"] == 8)
        hold.set()
        await asyncio.gather(*[job.result(5) for job in jobs])
        await until(lambda: len(ran) == 11, 20)
    assert sorted(ran) == [*range(8), 97, 98, 99], "what it holds is not taken from it"
    census(client, prefix, "q").check()
