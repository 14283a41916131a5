"""A process that takes the steps of the operations of the queue ``q``: when it is killed, another follows at once.

Run by ``python -m tests.programs.operating``.
"""

from __future__ import annotations

from streamq import App, run
from streamq.duties.duty import tick
from streamq.duties.operator import Operator

from .forks import keep


async def operate() -> None:
    """What each of them does."""
    async with App() as app:
        await tick(Operator(app.client.store, lambda: ["q"]))


def work() -> None:
    """The same, until it is killed."""
    run(operate())


if __name__ == "__main__":
    keep(1, work)
