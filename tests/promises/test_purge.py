"""A purge goes on elsewhere when the process that is at it is killed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from streamq import App

from ..processes import Fleet
from ..rig import ON_ONE_SERVER, until
from ..servers import Server

Producer = Callable[..., Awaitable[App]]


@ON_ONE_SERVER
async def test_a_purge_whose_process_is_killed_goes_on_elsewhere_and_counts_each_job_once(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    app = await producer(breakable.url)
    jobs = ({"number": n, "seconds": 0.0} for n in range(10_000))
    await app.enqueue_many("q", "work", jobs, delay=3_600)
    first = fleet.start()
    await until(lambda: _registered(app))
    purge = await app.queue("q").purge(["delayed"])

    async def is_at_it() -> bool:
        return (await purge.status()).done > 100

    await until(is_at_it)

    first.kill()
    first.wait()
    left = await purge.status()
    assert left.state == "running"
    fleet.start()

    async def has_ended() -> bool:
        return (await purge.status()).state == "done"

    await until(has_ended, 20)
    assert (await purge.status()).done == 10_000
    counts = await app.queue("q").counts()
    assert (counts.delayed, counts.held) == (0, 0)


async def _registered(app: App) -> bool:
    return bool(await app.workers())
