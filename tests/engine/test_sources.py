"""Whose turn it is: queues by weight or in strict order, and within a queue its lanes by priority."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from streamq import App, ConfigurationError, Worker
from streamq.model.envelope import Delivery
from streamq.model.lanes import BY_PRIORITY, PRIORITIES
from streamq.model.weights import as_text, weights_of
from streamq.worker.sources import Sources
from streamq.worker.turns import UNKNOWN, Turns

from ..rig import ON_ONE_SERVER, until, working
from .fetching import Hands, fill

LANES = [BY_PRIORITY[name] for name in PRIORITIES]


@pytest.mark.parametrize("slots", [1, 2, 7, 15, 100])
def test_a_share_of_every_fetch_is_kept_for_lower_priorities(slots: int) -> None:
    sources = Sources(Turns())
    for lane in LANES:
        sources.learn(("q", lane), UNKNOWN)
    got: Counter[int] = Counter()
    while got.total() < 1_500:
        for (_, lane), count in sources.shares(slots).items():
            got[lane] += count
    per = got.total() / 15
    assert [round(got[lane] / per) for lane in LANES] == [8, 4, 2, 1]


def test_what_a_lane_has_no_backlog_for_is_the_others() -> None:
    sources = Sources(Turns())
    sources.learn(("q", LANES[0]), 3)
    sources.learn(("q", LANES[3]), UNKNOWN)
    assert sources.shares(100) == {("q", LANES[0]): 3, ("q", LANES[3]): 97}
    sources.served(("q", LANES[0]), 3, 3)
    assert sources.shares(100) == {("q", LANES[3]): 100}
    sources.served(("q", LANES[3]), 100, 50)
    assert not sources


def test_queues_get_shares_by_their_weights() -> None:
    sources = Sources(Turns({"a": 3}))
    for queue in "abc":
        sources.learn((queue, 1), UNKNOWN)
    got: Counter[str] = Counter()
    for _ in range(1_000):
        got += Counter({queue: count for (queue, _), count in sources.shares(1).items()})
    assert got == {"a": 600, "b": 200, "c": 200}


def test_in_strict_order_no_queue_gets_anything_while_one_before_it_has_jobs() -> None:
    sources = Sources(Turns(strict=("a", "b", "c")))
    sources.learn(("b", 1), 5)
    sources.learn(("c", 1), UNKNOWN)
    assert sources.shares(3) == {("b", 1): 3}
    assert sources.shares(8) == {("b", 1): 5, ("c", 1): 3}
    sources.learn(("a", 1), UNKNOWN)
    assert sources.shares(8) == {("a", 1): 8}


@pytest.mark.parametrize(
    "given", ["critical:3,mail", " critical:3 , mail,", ("critical:3", "mail"), {"critical": 3, "mail": 1}]
)
def test_queues_are_named_with_their_weights(given: Any) -> None:
    assert weights_of(given) == {"critical": 3, "mail": 1}
    assert as_text(weights_of(given)) == ("critical:3", "mail")


@pytest.mark.parametrize("given", ["a:0", "a:-1", "a:1001", "a:", "a:x", "a:1.5", "a:2,b,a:3", {"a": 0}, 5])
def test_a_weight_that_cannot_be_is_refused_with_what_is_possible(app: App, given: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"write NAME or NAME:WEIGHT|named twice"):
        Worker(app, queues=given)


def test_weights_in_strict_order_are_refused(app: App) -> None:
    with pytest.raises(ConfigurationError, match="a weight means nothing"):
        Worker(app, queues="a:2,b", strict_queues=True)
    with pytest.raises(ConfigurationError, match="strict_queues='no' is not possible: use True or False"):
        Worker(app, queues="a,b", strict_queues="no")  # type: ignore[arg-type]


@ON_ONE_SERVER
async def test_a_worker_of_strict_queues_takes_the_first_of_them_first(app: App) -> None:
    order: list[str] = []

    @app.task(name="note")
    async def note(queue: str) -> None:
        order.append(queue)

    for queue in ("reports", "mail", "urgent"):
        await app.enqueue_many(queue, "note", [queue] * 40)
    async with working(app, queues=["urgent", "mail", "reports"], strict_queues=True, concurrency=2):
        await until(lambda: len(order) == 120)
    assert order == [queue for queue in ("urgent", "mail", "reports") for _ in range(40)]


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(1, 30), st.integers(1, 12)), min_size=1, max_size=60),
)
def test_a_quantum_that_changes_gives_no_queue_more_than_another(
    queues: int, rounds: list[tuple[int, int]]
) -> None:
    turns, got = Turns(), Counter[str]()
    for number in range(queues):
        turns.learn(f"q{number}")
        if number % 3 == 0:
            turns.had(f"q{number}", 1)  # by a read of all queues
            got[f"q{number}"] += 1
    for slots, quantum in rounds:
        shares = turns.shares(slots, quantum)
        assert sum(shares.values()) == slots
        got.update(shares)
    of_each = [got[f"q{number}"] for number in range(queues)]
    assert max(of_each) - min(of_each) <= 12, "one turn"


@ON_ONE_SERVER
async def test_of_100_busy_queues_each_gets_its_share_and_none_waits_for_three_rounds_of_the_others(
    app: App, client: redis.Redis, prefix: str
) -> None:
    queues, turns = [f"q{n}" for n in range(100)], list[str]()
    fill(client, prefix, queues, 130)
    hands = Hands(app, queues, slots=10)

    def take(delivery: Delivery) -> None:
        turns.append(delivery.queue)

    hands.on_start = take
    async with hands.fetching():
        while len(turns) < 10_000:
            await asyncio.sleep(0)
            hands.let_go()
    got = Counter(turns[:10_000])
    assert max(got.values()) - min(got.values()) <= 10, "10 % of 100"
    most = 3 * max(len(list(run)) for _, run in itertools.groupby(turns))
    for queue in queues[::9]:
        places = [place for place, of in enumerate(turns) if of == queue]
        for begin, end in itertools.pairwise(places):
            assert max(Counter(turns[begin + 1 : end]).values(), default=0) <= most
