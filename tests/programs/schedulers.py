"""Five schedulers: who is killed is followed by another at once.

Run by ``python -m tests.programs.schedulers``.
"""

from __future__ import annotations

from streamq import App, run

from .forks import keep

SCHEDULERS = 5


def schedule() -> None:
    """What each of them does."""
    run(App().run_scheduler())


if __name__ == "__main__":
    keep(SCHEDULERS, schedule)
