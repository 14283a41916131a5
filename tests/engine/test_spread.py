"""How partitions are spread: over the slots of a cluster, the calls of producers, and the reads of workers."""

from __future__ import annotations

import asyncio
import random
import string
from collections import Counter

import pytest

from streamq import App
from streamq.model.keys import Keys
from streamq.model.places import partition, place_of
from streamq.model.slots import SLOTS, slot_of, slot_of_queue, tag_of
from streamq.worker.sources import Sources
from streamq.worker.turns import UNKNOWN, Turns

from .parted import QUEUE, numbers

CHANCE = random.Random(7)  # noqa: S311  # names are no secret
NAMES = ["sms", *("".join(CHANCE.choices(string.ascii_letters + "-._", k=n % 40 + 1)) for n in range(200))]


def of_nodes(queue: str, count: int, nodes: int) -> list[int]:
    """How many of the partitions are on each of the nodes, which have equal ranges of the slots."""
    slots = [slot_of_queue(partition(queue, number)) for number in range(count)]
    found = Counter(min(nodes - 1, int(slot * nodes / SLOTS)) for slot in slots)
    return [found[node] for node in range(nodes)]


@pytest.mark.parametrize(
    ("count", "nodes", "most"),
    [(12, 3, 4), (24, 3, 8), (4, 4, 1), (12, 4, 3), (16, 4, 4), (12, 6, 2), (24, 8, 3)],
)
def test_partitions_are_evenly_spread_over_nodes_whatever_the_name_of_their_queue(
    count: int, nodes: int, most: int
) -> None:
    fullest = Counter(max(of_nodes(name, count, nodes)) for name in NAMES)
    assert fullest[most] >= 0.97 * len(NAMES), "but where a slot lies at the very border of two nodes"
    assert max(fullest) <= most + 1


def test_the_tag_of_a_partition_is_for_ever_and_that_of_a_queue_is_its_name() -> None:
    assert [tag_of(name) for name in ("sms", "sms#1", "sms#13")] == ["sms", "sms#1#aFJ", "sms#13#eNN"]
    keys = Keys("sq", "sms#13")
    assert keys.ready == "sq:{sms#13#eNN}:ready"
    assert slot_of(keys.ready) == slot_of_queue("sms#13")


def test_each_partition_of_each_queue_has_a_slot_of_its_own() -> None:
    for name in NAMES:
        assert len({slot_of_queue(partition(name, number)) for number in range(64)}) == 64


async def test_jobs_that_are_sent_at_the_same_time_go_together_and_lone_ones_go_round(
    parted: App,
) -> None:
    await parted.enqueue(QUEUE, "send", 0)
    together = await asyncio.gather(*(parted.enqueue(QUEUE, "send", n) for n in range(100)))
    assert len({place_of(QUEUE, job.id)[0] for job in together}) == 1
    lone = [(await parted.enqueue(QUEUE, "send", n)).id for n in range(12)]
    assert set(numbers(lone).values()) == {3}
    many = await asyncio.gather(*(parted.enqueue(QUEUE, "send", n) for n in range(8_000)))
    assert set(numbers([job.id for job in many]).values()) == {2_000}, "four calls that are full"


def test_a_partition_is_read_some_time_and_then_the_next_and_all_get_the_same() -> None:
    sources, names = Sources(Turns()), [partition("sms", number) for number in range(4)]
    sources.know(names)
    for name in names:
        sources.learn((name, 1), UNKNOWN)
    assert (len(sources), sources.places) == (1, 4)
    rounds = [sources.shares(500, 500, 1_000) for _ in range(16)]
    assert [len(shares) for shares in rounds] == [1] * 16, "one read, and one batch of outcomes"
    got: Counter[str] = Counter()
    for shares in rounds:
        got += Counter({queue: count for (queue, _), count in shares.items()})
    assert set(got.values()) == {2_000}
