"""Followers: which task has a job when one of another task has failed for good. The scripts that bury a job read it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from streamq.errors import StreamqError
from streamq.redis.links import Links
from streamq.store.access import Access

log = logging.getLogger("streamq.store")


class Followers:
    """Commands: workers write what their tasks name."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def publish(self, links: Links, queues: Sequence[str], followers: Mapping[str, str | None]) -> None:
        """Write, for each queue, the follower of each task, ``None`` for none. What is refused is logged."""
        named = [part for name, follower in followers.items() if follower for part in (name, follower)]
        without = [name for name, follower in followers.items() if not follower]
        of, commands = [], []
        for queue in queues:
            key = self._access.keys(queue).followers
            for command in (("HSET", key, *named), ("HDEL", key, *without)):
                if len(command) > 2:
                    of.append(queue)
                    commands.append(command)
        for queue, reply in zip(of, await links.commands(of, commands), strict=True):
            if isinstance(reply, StreamqError):
                log.warning("what follows the failed jobs of %s cannot be written: %s", queue, reply)
