"""People know the queue: no line of a log, no finding and no answer names a partition as only the store knows it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import redis

from streamq import App
from streamq.doctor import examine
from streamq.liveness.recovery import recover

from ..rig import ON_ONE_SERVER, until, working
from .parted import QUEUE

INTERNAL = re.compile(rf"(?<!\{{){QUEUE}#\d")
"""The name of a partition, but in that of a key: an operator finds a key by its name alone."""

pytestmark = ON_ONE_SERVER


@pytest.fixture(autouse=True)
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """What was logged in the test, with the fields of each line; none of it may name a partition."""
    caplog.set_level(logging.DEBUG, "streamq")
    said: list[str] = []
    yield said
    for line in caplog.get_records("call"):
        fields = [str(value) for name, value in line.__dict__.items() if name in ("job", "queue", "worker")]
        for text in (line.getMessage(), *fields):
            assert not INTERNAL.search(text), f"{line.name} says {text!r}"


def messages(caplog: pytest.LogCaptureFixture, logger: str, level: int = logging.INFO) -> list[str]:
    """What was logged there so far."""
    return [line.getMessage() for line in caplog.records if line.name == logger and line.levelno >= level]


@pytest.fixture
async def busy(make_app: Callable[..., App]) -> AsyncIterator[App]:
    """An app with a queue of six partitions."""
    app = make_app()

    @app.task(queue=QUEUE, attempts=1)
    async def send(number: int) -> None:
        if number < 0:
            raise ValueError("a number below zero")
        await asyncio.sleep(number)

    app.queue(QUEUE, partitions=6)
    async with app:
        yield app


async def test_in_the_life_of_a_queue(busy: App, caplog: pytest.LogCaptureFixture) -> None:
    queue = busy.queue(QUEUE)
    await busy.schedules.put("often", task="send", queue=QUEUE, payload=0, every="1s", group="g3")
    async with working(busy, concurrency=50):
        await busy.enqueue_many(QUEUE, "send", [0, -1] * 60)
        await queue.pause("provider down")
        await queue.resume()
        await queue.limit(max_waiting=60, concurrency=30)
        await until(lambda: has_ended(busy, 120), 10)
        await (await queue.retry_all("state:failed", canary=2)).wait(10)
        await (await queue.purge()).wait(10)
        await queue.partition(9)
        await busy.enqueue_many(QUEUE, "send", [30] * 20)
        await until(lambda: are_active(busy))
    (ended,) = [line for line in messages(caplog, "streamq.worker") if "has ended" in line]
    assert re.search(rf"gave \d+ jobs back, uncharged: \d+ on {QUEUE}$", ended)
    assert Counter(messages(caplog, "streamq.steered"))[f"{QUEUE} is resumed"] <= 1


async def has_ended(app: App, count: int) -> bool:
    counts = await app.queue(QUEUE).counts()
    return counts.completed + counts.failed >= count


async def are_active(app: App) -> bool:
    return (await app.queue(QUEUE).counts()).active >= 18


@pytest.mark.keeps_keys
async def test_where_several_partitions_cannot_be_used_that_is_told_once_of_their_queue(
    busy: App, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    names = await busy.client.partition_names(QUEUE)
    strange = [busy.client.store.keys(name).delayed for name in names[2:5]]
    for key in strange:
        client.set(key, "another program wrote it")
    async with working(busy):
        await until(lambda: "cannot promote" in caplog.text, 10)
        await asyncio.sleep(1.0)
        client.delete(*strange)
        await until(lambda: f"can promote jobs of {QUEUE} again" in caplog.text, 20)
    told = Counter(line.partition(":")[0] for line in messages(caplog, "streamq.promoter"))
    assert set(told.values()) == {1}, told
    found = [finding.said for finding in await examine(busy)]
    assert not [said for said in found if INTERNAL.search(said)]


async def test_of_a_worker_that_is_lost(
    busy: App, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = await busy.enqueue_many(QUEUE, "send", [0] * 600)
    store, links = busy.client.store, busy.client.store.links()
    names = await busy.client.partition_names(QUEUE)
    await store.delivery.join(links, names)
    _, entries = await store.delivery.fetch(links, names[3], "gone", 5)
    assert entries
    found = [finding for finding in await examine(busy) if finding.code == "unknown-holders"]
    assert [finding.said for finding in found] == [f"{QUEUE}: jobs are active under unknown workers: gone"]
    for name in names:
        await recover(store, links, name, "gone", None, "its process ended")
    await links.close()
    (said,) = messages(caplog, "streamq.reclaimer")
    ids = re.findall(r"\d+-\d+\.3", said)
    assert said.startswith(f"worker gone is lost (its process ended): of its jobs on {QUEUE} 5 start again")
    assert set(ids) <= {job.id for job in jobs}
    assert len(ids) == 5


async def test_keys_of_another_type_are_in_the_way_of_the_queue(busy: App, client: redis.Redis) -> None:
    key = busy.client.store.keys(f"{QUEUE}#2").finished
    client.set(key, "another program wrote it")
    (found,) = await busy.misplaced_keys()
    assert (found.key, found.queue) == (key, QUEUE)
    client.delete(key)
