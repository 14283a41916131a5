"""A terminal that closes under a worker."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from streamq import State

from ..processes import Fleet
from ..rig import ON_ONE_SERVER, until
from ..servers import Server


@ON_ONE_SERVER
async def test_a_worker_that_is_hung_up_gives_back_what_it_runs_uncharged(
    fleet: Fleet, producer: Callable[..., Any], breakable: Server
) -> None:
    app = await producer(breakable.url)
    worker = fleet.start("--no-duties")
    job = await app.enqueue("q", "work", {"number": 1, "seconds": 60})
    await until(lambda: fleet.ledger("start"))
    worker.send_signal(signal.SIGHUP)
    await until(lambda: worker.poll() is not None)
    assert worker.returncode == 0, fleet.log
    record = await job.status()
    assert (record.state, record.crashes, record.attempt) == (State.WAITING, 0, 0)
