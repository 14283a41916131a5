"""What operators ask of this worker: to be quiet, to go on, or to stop.

Each beat hears it. A signal rings the heartbeat, which then beats at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from streamq.model.worker_load import QUIET, STOP
from streamq.store.store import Store
from streamq.worker.fetcher import Fetcher
from streamq.worker.slots import Slots

log = logging.getLogger("streamq.worker")


class Asked:
    """Of one worker. ``do`` is called in the loop with what each beat has heard, ``ring`` makes it beat at once."""

    def __init__(
        self, store: Store, worker: str, queue: str, slots: Slots, fetcher: Fetcher, stop: Callable[[], None]
    ) -> None:  # fmt: skip
        self._store, self._queue, self._slots, self._fetcher, self._stop = store, queue, slots, fetcher, stop
        self._bell = f"worker {worker}".encode()
        self._done = ""
        self._listening: dict[str, Callable[[], None]] = {}
        self.ring: Callable[[], None] = lambda: None

    def listen(self) -> None:
        """Hear the bell from now on."""
        channels = {self._queue: self._store.keys(self._queue).signals}
        self._store.signals.listen_only(self._listening, channels, self._heard)

    def close(self) -> None:
        """Hear it no more."""
        self._store.signals.listen_only(self._listening, {}, self._heard)

    def _heard(self, _queue: str, message: bytes | None) -> None:
        if message == self._bell:
            self.ring()

    def do(self, ask: str) -> None:
        """Do what is asked, once; and tell that it is so."""
        if self._done in (ask, STOP):
            return
        self._done = ask
        if ask == STOP:
            log.info("an operator asks this worker to stop")
            self._stop()
        elif (quiet := ask == QUIET) != self._slots.quiet:
            log.info("an operator asks this worker to %s", "take no new jobs" if quiet else "take jobs again")
            self._fetcher.be_quiet(quiet=quiet)
        self.ring()
