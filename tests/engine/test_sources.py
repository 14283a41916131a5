"""Whose turn it is: queues by weight or in strict order, and within a queue its lanes by priority."""

from __future__ import annotations

from collections import Counter

import pytest

from streamq.model.lanes import BY_PRIORITY, PRIORITIES
from streamq.worker.sources import Sources
from streamq.worker.turns import UNKNOWN, Turns

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
