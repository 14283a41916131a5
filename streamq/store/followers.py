"""Followers: which task has a job when one of another task has failed for good. The scripts that bury a job read it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from streamq.errors import StreamqError
from streamq.model.places import queue_of
from streamq.redis.links import Links
from streamq.redis.thread_links import ThreadLinks
from streamq.store.access import Access

log = logging.getLogger("streamq.store")


class Followers:
    """Commands: workers write what their tasks name."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def publish(self, links: Links, queues: Sequence[str], followers: Mapping[str, str | None]) -> None:
        """Write, for each queue, the follower of each task, ``None`` for none. What is refused is logged."""
        of, commands = self._commands(queues, followers)
        _tell(of, await links.commands(of, commands))

    def publish_again(
        self, links: ThreadLinks, queues: Sequence[str], followers: Mapping[str, str | None]
    ) -> None:
        """The same from the worker's own thread, of those that there are: the server may have lost them."""
        of, commands = self._commands(queues, {name: task for name, task in followers.items() if task})
        if of:
            _tell(of, links.commands(of, commands))

    def _commands(
        self, queues: Sequence[str], followers: Mapping[str, str | None]
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        named = [part for name, follower in followers.items() if follower for part in (name, follower)]
        without = [name for name, follower in followers.items() if not follower]
        of, commands = [], list[tuple[Any, ...]]()
        for queue in queues:
            key = self._access.keys(queue).followers
            for command in (("HSET", key, *named), ("HDEL", key, *without)):
                if len(command) > 2:
                    of.append(queue)
                    commands.append(command)
        return of, commands


def _tell(queues: Sequence[str], replies: Sequence[object]) -> None:
    refused = {
        (queue_of(queue), str(reply)): reply
        for queue, reply in zip(queues, replies, strict=True) if isinstance(reply, StreamqError)
    }  # fmt: skip
    for (queue, _), reply in refused.items():
        log.warning("what follows the failed jobs of %s cannot be written: %s", queue, reply)
