"""Five schedulers, forked from one process that has loaded all of it: who is killed is followed by another at once.

Run by ``python -m tests.programs.schedulers``; they end with the process that they come from.
"""

from __future__ import annotations

import os
import threading
import time

from streamq import App, run

SCHEDULERS = 5


def schedule(parent: int) -> None:
    """What each of them does."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    run(App().run_scheduler())


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.05)
    os._exit(0)


def main() -> None:
    """Keep five of them."""
    living: set[int] = set()
    while True:
        while len(living) < SCHEDULERS:
            child = os.fork()
            if not child:
                schedule(os.getppid())
            living.add(child)
        living.discard(os.wait()[0])


if __name__ == "__main__":
    main()
