"""Sentinels switch under load from a primary that is killed, and from one that lives: the table tells of the jobs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ..rig import ON_ONE_SERVER, until
from ..sentinels import DOWN_AFTER, NAME, Watched
from ..servers import Server, binary_of
from .conftest import FAULTS, RATE, Show
from .storm import Storm

pytestmark = [ON_ONE_SERVER, pytest.mark.slow, pytest.mark.timeout(900)]
BACK = DOWN_AFTER / 1000 + 5
"""Seconds within which the queues go on after a kill: Sentinels agree, and a replica is promoted."""
CASES = [("memory", False), ("replica", True), ("replica", False), ("memory", True)][
    : 2 if FAULTS == 1 else 4
]
"""In the suite two of four, to save time."""


@pytest.mark.parametrize(("durability", "planned"), CASES)
async def test_a_primary_is_followed(
    server_kind: str, tmp_path: Path, show: Show, durability: str, planned: bool
) -> None:
    """What a replica had is not lost, whether the primary died or was asked to go."""
    binary = binary_of(server_kind)
    assert binary is not None
    times = max(1, FAULTS // 4)
    with Watched(binary) as watched:
        await until(lambda: watched.ready, 20)
        async with Storm(watched.url, tmp_path, RATE, durability=durability) as load:
            for _ in range(times):
                await switched(watched, planned=planned)
                await load.goes_on()
    how = "is asked to go" if planned else "is killed"
    show(row := load.row(f"Sentinel: a primary {how} ({times}), {durability}"))
    assert row.lost == 0 or durability == "memory"
    assert row.gap <= BACK


async def switched(watched: Watched, *, planned: bool) -> None:
    """Have another be the primary; the former one comes back as a replica."""
    await until(lambda: watched.ready and all_follow(watched), 30)
    former = watched.primary
    if planned:
        with watched.sentinels[0].client() as client:
            client.execute_command("SENTINEL", "FAILOVER", NAME)
    else:
        await asyncio.to_thread(former.kill)
    await until(lambda: all(s.primary() != former.port for s in watched.sentinels), 20)
    if not planned:
        await asyncio.to_thread(former.start)


def all_follow(watched: Watched) -> bool:
    """Whether each replica has what the primary has."""
    return all(follows(server) for server in watched.servers if server is not watched.primary)


def follows(server: Server) -> bool:
    """Whether a server is a replica that is up to date."""
    with server.client() as client:
        role = client.execute_command("ROLE")
    return bool(role[0] == "slave" and role[3] == "connected")
