"""Rounds over queues of several servers, of which one is lost."""

from __future__ import annotations

import logging

import pytest

from streamq import Unavailable
from streamq.redis.troubles import Troubles

SERVERS = {"a": 1, "b": 1, "c": 2, "d": 2}


async def test_where_one_server_is_lost_its_queues_alone_are_put_aside_after_one_try() -> None:
    troubles, tried = Troubles("look after", logging.getLogger("test")), list[str]()

    async def look(queue: str) -> int:
        tried.append(queue)
        if SERVERS[queue] == 1:
            raise Unavailable("it is lost")
        return 1

    assert await troubles.each(list(SERVERS), look, SERVERS.__getitem__) == 2
    assert tried == ["a", "c", "d"]
    assert troubles.rested(SERVERS) == ["c", "d"]


async def test_where_all_servers_are_lost_the_round_ends() -> None:
    troubles = Troubles("look after", logging.getLogger("test"))

    async def look(queue: str) -> int:
        raise Unavailable(f"{queue} is lost")

    with pytest.raises(Unavailable, match="c is lost"):
        await troubles.each(list(SERVERS), look, SERVERS.__getitem__)
    assert troubles.rested(SERVERS) == list(SERVERS)
