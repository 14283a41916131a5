"""A worker of three queues that writes statistics 50 times a second: when it is killed, another follows at once.

Run by ``python -m tests.programs.counted``.
"""

from __future__ import annotations

from streamq import App, run
from streamq.worker import tally

from .forks import keep

QUEUES = ("a", "b", "c")


def work() -> None:
    """What each of them does."""
    tally.EVERY = 0.02  # type: ignore[misc]
    app = App()

    @app.task(queue=QUEUES[0])
    async def t(number: int) -> None:
        """Nothing."""

    run(app.run_worker(queues=QUEUES, concurrency=20))


if __name__ == "__main__":
    keep(1, work)
