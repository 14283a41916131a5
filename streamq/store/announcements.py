"""What producers know of queues: when each was last put on the list of queues, and which of them are plain."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from streamq.model.clock import monotonic
from streamq.model.places import queue_of
from streamq.redis.link import Link
from streamq.store.batch import Batch

log = logging.getLogger("streamq.outbox")

PLAIN_FOR: Final = 1.0
"""Seconds for which a queue to which nothing was told is taken to be plain: as late is a producer with a bound or a
pause that is new."""
ANNOUNCED_FOR: Final = 30.0
"""Seconds after which a queue that is enqueued to is put on the list of queues again: somebody may have emptied it."""


class Announcements:
    """When each queue was last put on the list of queues, which schedulers read. It goes out with a batch.

    Again after ``ANNOUNCED_FOR`` seconds and after a reconnection: the server may have come back empty.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._until: dict[str, float] = {}
        self._refused = False

    def due(self, link: Link, batches: Sequence[Batch]) -> list[str]:
        """The queues to announce along with these batches."""
        if not link.connected:
            self._until.clear()
        now, until = monotonic(), self._until.get
        if len(batches) == 1:
            queue = batches[0].producer.queue
            return [queue] if until(queue, 0.0) < now else []
        return [batch.producer.queue for batch in batches if until(batch.producer.queue, 0.0) < now]

    def forget(self, queue: str) -> None:
        """The queue was taken off the list."""
        self._until.pop(queue, None)

    def command(self, queues: Sequence[str]) -> tuple[Any, ...]:
        """What announces them."""
        return ("SADD", self._key, *queues)

    def note(self, queues: Sequence[str], reply: object, *, only: bool) -> None:
        """Take the server's reply. A refused announcement stops no batch; it is tried again with the next one.

        It is logged when it begins and when it ends, where it is the ``only`` thing refused.
        """
        if isinstance(reply, Exception):
            if not only:
                return
            if not self._refused:
                log.warning(
                    "%s cannot be put on the list of queues %s: %s", queue_of(queues[0]), self._key, reply
                )
            self._refused = True
            return
        if self._refused:
            log.info("queues are put on the list of queues %s again", self._key)
        self._refused = False
        self._until.update(dict.fromkeys(queues, monotonic() + ANNOUNCED_FOR))


class Plainness:
    """Until when each queue is known to be plain: nothing was told to it, so that enqueue.lua serves.

    What is told to a queue concerns producers who know nothing of it. So they send by admit.lua, which decides, once in
    ``PLAIN_FOR`` seconds, and learn by its answer.
    """

    def __init__(self) -> None:
        self.until: dict[str, float] = {}
        """By queue, by the monotonic clock."""

    def __contains__(self, queue: str) -> bool:
        return self.until.get(queue, 0.0) > monotonic()

    def heard(self, queue: str, *, steered: bool) -> None:
        """What the script said."""
        self.until[queue] = 0.0 if steered else monotonic() + PLAIN_FOR

    def forget(self, queue: str) -> None:
        """Something is told to it now."""
        self.until.pop(queue, None)
