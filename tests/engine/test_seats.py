"""The seats of upkeep when many want them, and when those who have them are lost."""

from __future__ import annotations

import asyncio

import pytest
import redis

from streamq import App
from streamq.duties.seats import Seats
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER, until
from ..servers import Server
from .test_upkeep import holders, ticking


@ON_ONE_SERVER
@pytest.mark.parametrize("brief", [False, True], ids=["a worker", "a scheduler"])
async def test_who_comes_before_both_holders_are_lost_at_once_takes_over_within_seconds(
    app: App, client: redis.Redis, shared_server: Server, prefix: str, brief: bool
) -> None:
    """They thought they were alone and had claimed for half a minute, in which nobody promoted or recovered."""
    pair = [Seats(app.client.store, lambda: ["q"], name) for name in ("a", "b")]

    async def claimed_for_long() -> bool:
        for seats in pair:
            seats.lost()
            await seats.once()
        return all(client.pttl(key) > 20_000 for key in Keys(prefix, "q").seats(1, 2))

    with shared_server.client() as first, shared_server.client() as second:  # their connections are there
        first.client_setname("a")
        second.client_setname("b")
        await until(claimed_for_long)
        async with ticking(
            Seats(app.client.store, lambda: ["q"], "c", brief=brief)
        ):  # and they say nothing any more
            await until(lambda: holders(client, prefix)[0] == "c", 10)
    for seats in pair:
        await seats.close()


@ON_ONE_SERVER
async def test_the_looks_of_those_who_stand_by_do_not_grow_with_their_number(
    app: App, client: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Schedulers are on no list of workers, so nobody knows how many there are."""
    monkeypatch.setattr("streamq.duties.seats.STAND_BY", (0.1, 2.0))
    seats = [Seats(app.client.store, lambda: ["q"], f"scheduler-{n}", brief=True) for n in range(30)]
    async with ticking(*seats):
        await until(lambda: all(holders(client, prefix)[:2]))
        await asyncio.sleep(4.0)  # in which they find out that there are others
        before = client.info("commandstats")["cmdstat_evalsha"]["calls"]
        await asyncio.sleep(2.0)
        looks = client.info("commandstats")["cmdstat_evalsha"]["calls"] - before
    assert looks < 150, f"{looks} calls in 2 s, of which 28 who look each by itself would make 560"
