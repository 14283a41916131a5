"""An operation by filter goes on elsewhere when its process is killed, and counts exactly what was done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from streamq import App, Operation

from ..processes import Fleet
from ..rig import ON_ONE_SERVER, until
from ..servers import Server

Producer = Callable[..., Awaitable[App]]
JOBS = 4_000


@ON_ONE_SERVER
@pytest.mark.parametrize("partitions", [1, 6])
async def test_operations_whose_processes_are_killed_go_on_and_count_what_a_ledger_counts(
    breakable: Server, fleet: Fleet, producer: Producer, partitions: int
) -> None:
    """A redrive with a canary: each job that is retried writes a line into the ledger, and runs once."""
    app = await producer(breakable.url)
    queue = app.queue("q")
    await queue.partition(partitions)
    await app.enqueue_many("q", "work", ({"number": n, "seconds": 0.0} for n in range(JOBS)), delay=3_600)
    cancel = await queue.cancel_all("payload.number>=1000", by="ada")
    await killed_on_its_way(fleet, cancel, (200,))
    record = await cancel.status()
    assert (record.done, record.skipped, (await queue.counts()).cancelled) == (JOBS - 1_000, 0, JOBS - 1_000)

    retry = await queue.retry_all("state:cancelled payload.number<2000", canary=5)
    await killed_on_its_way(fleet, retry, (100,))
    record = await retry.status()
    assert (record.done, record.skipped) == (1_000, 0)
    await until(lambda: has_run(fleet), 20)
    assert {line.number for line in fleet.ledger("end")} == set(range(1_000, 2_000))
    counts = await queue.counts()
    assert (counts.cancelled, counts.delayed) == (JOBS - 2_000, 1_000)


async def killed_on_its_way(fleet: Fleet, operation: Operation, bounds: tuple[int, ...]) -> None:
    """Kill the process that is at it whenever so many are done; it goes on to its end in the last one."""
    process = fleet.start()

    async def has_done(bound: int) -> bool:
        return (await operation.status()).done > bound

    async def has_ended() -> bool:
        return (await operation.status()).state == "done"

    for bound in bounds:
        await until(partial(has_done, bound), 20)
        process.kill()
        process.wait()
        process = fleet.start()
    await until(has_ended, 30)
    process.kill()
    process.wait()


async def has_run(fleet: Fleet) -> bool:
    if len({line.number for line in fleet.ledger("end")}) < 1_000 and fleet.processes[-1].poll() is not None:
        fleet.start()
    return len({line.number for line in fleet.ledger("end")}) == 1_000
