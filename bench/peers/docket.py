"""docket (the package is pydocket). It has no bulk call: concurrent `add`s share its connections.

With all slots busy its worker waits ``minimum_check_interval`` (250 ms by default, which allows 200 jobs a second), and
at a concurrency of 100 it runs out of connections. A zero ``execution_ttl`` keeps nothing of a finished job.
"""

from datetime import timedelta

from docket import Docket, Worker

from .adapter import JOBS, OPEN, Payload, Sender

PACKAGES = "pydocket redis hiredis uvloop"
SETTINGS = "concurrency 50, minimum_check_interval 5 ms, execution_ttl 0"

TICK = timedelta(milliseconds=5)


async def job(payload: Payload) -> None:
    JOBS.ran(payload)


async def _docket(url: str) -> Docket:
    docket = await OPEN.enter_async_context(Docket(name="bench", url=url, execution_ttl=timedelta(0)))
    docket.register(job)
    return docket


async def sending(url: str) -> Sender:
    docket = await _docket(url)
    return Sender(lambda payload: docket.add(job)(payload), chunk=50)  # noqa: PLW0108 - each `add` makes a key


async def work(url: str) -> None:
    """A worker that looks often."""
    docket = await _docket(url)
    async with Worker(
        docket, concurrency=50, minimum_check_interval=TICK, scheduling_resolution=TICK
    ) as worker:
        await worker.run_forever()
