"""The hold of a channel, a circuit breaker: when the provider refuses the sender, no message is failed for it.

When the provider refuses the login of this service, or shows a certificate that is not trusted, every message would
get the same answer. The channel is held for a time that doubles with each further refusal; waiting meanwhile costs a
message no attempt. Then one message is tried while the others go on waiting. Each worker process has its own hold.

result of a call                  what follows
-------------------------------   ----------------------------------------------------------------
401, 407, an untrusted TLS peer   the channel is held
403                               the message waits alone; the third in a row holds the channel
taken                             the channel is open again
anything else                     the message's own fate; a held channel is tried by the next one

403 may be about one message after all: one that is refused for the third time, while others were taken each time
between, is failed.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Final, NoReturn

from streamq import Fail, Notes, Snooze

from .spread import Spread

log = logging.getLogger("streamq.messaging")

FIRST = 30.0
"""Seconds of the first hold: short, as the refusal may be a passing one. Each further refusal doubles them,"""
LONGEST = 600.0
"""up to these: a person corrects a login within minutes at best."""
LOOK = 60.0
"""Seconds a message waits before it checks again, so that a corrected login shows soon, also in another process."""
TURN = 1.0
"""Seconds a message waits while another one is tried: most answers come within that."""
IN_A_ROW: Final = 3
"""Consecutive refusals that hold the channel, when each may be about its message: two may be chance."""
ITS_OWN: Final = 3
"""Refusals of one message, others taken in between, after which it is failed: as above, two may be chance."""
MISSED: Final = 5
"""Calls in a row without an answer of use that hold a provider, where there is another one to go to."""
REMEMBERED: Final = 1_000
"""Refused messages that are remembered: some hundred kilobytes at most."""


class Hold:
    """Whether the channel is open. ``remedy`` says what to do: in the log, and in the note of the worker."""

    def __init__(self, channel: str, remedy: str, spread: Spread, notes: Notes) -> None:
        self._channel, self._remedy, self._spread, self._notes = channel, remedy, spread, notes
        self._holds = self._taken = self._in_a_row = self._missed = 0
        self._until = 0.0
        self._reason = ""
        self._trier: object | None = None
        self._refused: OrderedDict[str, tuple[int, int]] = OrderedDict()

    @property
    def reason(self) -> str | None:
        """Why the channel is held; None while it is open."""
        return self._reason if self._holds else None

    @contextmanager
    def passage(self) -> Iterator[None]:
        """The way of one message to the provider. Raises ``Snooze`` while it is closed."""
        trier = object()
        if self._holds:
            self._admit(trier)
        try:
            yield
        finally:
            if self._trier is trier:
                self._trier = None

    def _admit(self, trier: object) -> None:
        left = self._until - monotonic()
        if left > 0 or self._trier is not None:
            raise self._snooze(min(left, LOOK) if left > 0 else TURN, self._reason)
        self._trier = trier

    def taken(self, message: str) -> None:
        """The provider took a message, so it accepts the sender."""
        self._taken += 1
        self._in_a_row = self._missed = 0
        if self._refused:
            self._refused.pop(message, None)
        if self._holds:
            self._holds = 0
            self._notes.clear(self._channel)
            log.warning("channel %s is open again: the provider took a message", self._channel)

    def refused(self, message: str, said: str, *, sure: bool) -> NoReturn:
        """The provider refused the sender, or (not ``sure``) perhaps the message. Raises ``Snooze`` or ``Fail``."""
        times, seen = self._refused.pop(message, (0, -1))
        times += seen != self._taken
        if times >= ITS_OWN:
            raise Fail(f"{said} ({times} times, while it takes others)")
        self._refused[message] = times, self._taken
        if len(self._refused) > REMEMBERED:
            self._refused.popitem(last=False)
        self._in_a_row += 1
        if sure or self._holds or self._in_a_row >= IN_A_ROW:
            self.close(said)
        raise self._snooze(FIRST, said)

    def missed(self, said: str) -> None:
        """The provider did not answer, or could not take a message, and another one is there."""
        self._missed += 1
        if self._missed >= MISSED or self._holds:
            with suppress(Snooze):
                self.close(said)

    def close(self, said: str) -> NoReturn:
        """Hold the channel, or hold it longer. Raises ``Snooze``."""
        left = self._until - monotonic()
        if not self._holds or left <= 0:  # calls that were under way when the hold began do not prolong it
            self._holds += 1
            left = min(LONGEST, FIRST * 2.0 ** min(self._holds - 1, 20))
            self._until = monotonic() + left
            self._reason = said
            self._notes.set(self._channel, f"held: {said}. {self._remedy}")
            level = logging.ERROR if self._holds == 1 else logging.DEBUG
            log.log(
                level, "channel %s is held: %s; no message is failed for it, one tries again in %.0f s. %s",
                self._channel, said, left, self._remedy,
            )  # fmt: skip
        raise self._snooze(min(left, LOOK), said)

    def _snooze(self, seconds: float, said: str) -> Snooze:
        return Snooze(self._spread.longer(seconds), said)
