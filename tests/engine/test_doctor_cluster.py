"""What `streamq doctor`, roles and clients say of clusters and Sentinels that cannot be used as they are."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.process import free_port
from streamq import App, Unavailable
from streamq.doctor import examine
from streamq.doctor.finding import Finding

from ..clusters import Cluster
from ..rig import ON_ONE_SERVER, QUICK, until
from ..sentinels import Watched
from ..servers import binary_of


@pytest.fixture
def binary(server_kind: str) -> Path:
    binary = binary_of(server_kind)
    assert binary is not None
    return binary


@pytest.fixture
def cluster(binary: Path) -> Iterator[Cluster]:
    with Cluster(binary) as cluster:
        yield cluster


async def examined(url: str, **settings: object) -> dict[str, list[Finding]]:
    """The findings by their codes."""
    found: dict[str, list[Finding]] = {}
    async with App(redis_url=url, connect_timeout=0.5, **{**QUICK, **settings}) as app:  # type: ignore[arg-type]
        for finding in await examine(app):
            found.setdefault(finding.code, []).append(finding)
    return found


async def part_lost(cluster: Cluster) -> int:
    """A node of a cluster is gone for good. Returns how many slots the others serve."""
    cluster.nodes[0].kill()
    await until(lambda: int(cluster.nodes[1].info()["cluster_slots_ok"]) < 16384, 40)
    await until(lambda: int(cluster.nodes[2].info()["cluster_slots_ok"]) < 16384, 40)
    return int(cluster.nodes[1].info()["cluster_slots_ok"])


async def refuses_all(cluster: Cluster) -> None:
    """The others serve nothing any more."""
    for node in cluster.nodes[1:]:
        node.ask("CONFIG", "SET", "cluster-require-full-coverage", "yes")
        node.ask(
            "CLUSTER", "SETSLOT", "0", "STABLE"
        )  # a node reckons its state at what happens to slots alone
    await until(lambda: all(node.info()["cluster_state"] == "fail" for node in cluster.nodes[1:]), 40)


@ON_ONE_SERVER
async def test_each_node_is_asked_for_its_settings_and_what_is_so_of_all_is_told_once(
    cluster: Cluster,
) -> None:
    odd = cluster.nodes[2]
    odd.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    found = await examined(cluster.url)
    (evicts,) = found["evicts"]
    assert evicts.said.startswith(f"redis://127.0.0.1:{odd.port}: maxmemory-policy is allkeys-lru")
    assert len(found["no-eviction"]) == 2
    assert [len(found[code]) for code in ("version", "aof-off", "slots", "rights")] == [1, 1, 1, 1]


@ON_ONE_SERVER
async def test_a_right_that_is_missing_on_one_node_is_named_with_the_node(cluster: Cluster) -> None:
    for node in cluster.nodes:
        lacks = ["-spublish", "-asking"] if node is cluster.nodes[1] else []
        node.ask("ACL", "SETUSER", "ada", "on", ">pw", "~*", "&*", "+@all", *lacks)
    found = await examined(cluster.url.replace("//", "//ada:pw@"))
    name = f"redis://127.0.0.1:{cluster.nodes[1].port}: "
    assert [each.said for each in found["right-missing"]] == [f"{name}this user may not run ASKING"]
    assert [each.said for each in found["right-of-use-missing"]] == [f"{name}this user may not run SPUBLISH"]


@ON_ONE_SERVER
async def test_slots_that_nobody_serves_are_counted(cluster: Cluster) -> None:
    served = await part_lost(cluster)
    (finding,) = (await examined(cluster.url))["slots-missing"]
    assert finding.said.startswith(f"{served} of 16384 slots are served")
    await refuses_all(cluster)
    found = await examined(cluster.url)
    assert found["cluster-down"][-1].said.count(f"{served} of 16384 slots are served") >= 1


@ON_ONE_SERVER
async def test_an_announced_address_that_cannot_be_reached_is_named_with_what_to_do(cluster: Cluster) -> None:
    port = free_port()
    node = cluster.nodes[1]
    node.ask("CONFIG", "SET", "cluster-announce-port", port)
    seen = cluster.nodes[0]
    await until(lambda: any(port in row[2] for row in seen.ask("CLUSTER", "SLOTS")), 20)
    url = f"redis+cluster://127.0.0.1:{seen.port}"
    found = await examined(url)
    (refused,) = found["refused"]
    assert f"127.0.0.1:{port}" in refused.said
    assert "cluster-announce-ip" in refused.remedy
    async with App(redis_url=url, connect_timeout=0.5, **QUICK) as app:
        await app.client.store.servers.prepare()
        away = next(
            queue for queue in "abcdefghij" if app.client.store.servers.of(queue).places[0].port == port
        )
        with pytest.raises(Unavailable, match=rf"127.0.0.1:{port}.*cluster-announce-ip"):
            await app.queue(away).counts()


@ON_ONE_SERVER
async def test_a_primary_that_sentinels_name_and_nobody_reaches_is_told(binary: Path) -> None:
    with contextlib.ExitStack() as stack:
        watched = stack.enter_context(Watched(binary, replicas=0))
        server = watched.servers[0]
        async with App(redis_url=watched.url, connect_timeout=0.5, **QUICK) as app:
            await app.ping()
            server.kill()
            with contextlib.suppress(Unavailable):  # the connection ends
                await app.ping()
            with pytest.raises(Unavailable, match=rf"127.0.0.1:{server.port}.*replica-announce-ip"):
                await app.ping()
        found = await examined(watched.url)
        assert all("replica-announce-ip" in each.remedy for each in found["refused"])


@ON_ONE_SERVER
async def test_a_role_says_what_is_wrong_with_a_cluster_in_one_sentence_and_no_traceback(
    cluster: Cluster,
) -> None:
    served = await part_lost(cluster)
    await refuses_all(cluster)
    words = ["-m", "streamq", "scheduler", "--redis-url", cluster.url, "bench.served:app"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, env={"STREAMQ_READY_TIMEOUT": "1", "PATH": ""},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = (await process.communicate())[0].decode()
    assert process.returncode != 0
    assert f"{served} of 16384 slots are served" in said
    assert "Traceback" not in said
