"""Sentinels and clusters that are spoken to in TLS."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamq import App, Unavailable
from streamq.redis.thread_link import ThreadLink

from .. import tls
from ..clusters import Cluster
from ..rig import ON_ONE_SERVER, QUICK, until, working
from ..sentinels import NAME, Sentinel
from ..servers import Server, binary_of

UNTRUSTED = r"authority that is not trusted here.*STREAMQ_REDIS_CA"


@pytest.fixture
def binary(server_kind: str) -> Path:
    binary = binary_of(server_kind)
    assert binary is not None
    return binary


class Watched:
    """A primary and its replica, with three Sentinels; all speak TLS."""

    def __init__(self, binary: Path, certificate: Path, stack: contextlib.ExitStack) -> None:
        self.servers = [
            stack.enter_context(Server(binary, tcp=True, options=tls.options(certificate))) for _ in "ab"
        ]
        first, second = self.servers
        with second.client() as client:
            client.replicaof("127.0.0.1", str(tls.port(first)))
        self.sentinels: list[Sentinel] = []
        self._ports: list[str] = []
        for _ in range(3):
            sentinel = Sentinel(binary, first, 2)
            stack.callback(sentinel.close)
            self._in_tls(sentinel, first, certificate)
            self.sentinels.append(sentinel.start())

    def _in_tls(self, sentinel: Sentinel, primary: Server, certificate: Path) -> None:
        file = sentinel.directory / "sentinel.conf"
        words = tls.options(certificate)
        self._ports.append(words[1])
        lines = [
            f"{name.removeprefix('--')} {value}" for name, value in zip(words[::2], words[1::2], strict=True)
        ]
        plain = file.read_text().replace(f" {primary.port} ", f" {tls.port(primary)} ")
        file.write_text(plain + "\n".join(lines) + "\n")

    @property
    def url(self) -> str:
        return f"rediss+sentinel://{','.join(f'127.0.0.1:{port}' for port in self._ports)}/{NAME}"

    def primary(self) -> int:
        return self.sentinels[0].primary()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return tls.certificate(tmp_path, "own")


@pytest.fixture
def watched(binary: Path, certificate: Path) -> Iterator[Watched]:
    with contextlib.ExitStack() as stack:
        yield Watched(binary, certificate, stack)


@pytest.fixture
def cluster(binary: Path, certificate: Path) -> Iterator[Cluster]:
    with Cluster(binary, options=lambda: [*tls.options(certificate), "--tls-cluster", "yes"]) as cluster:
        yield cluster


def address(cluster: Cluster) -> str:
    return f"rediss+cluster://{','.join(f'127.0.0.1:{tls.port(node)}' for node in cluster.primaries)}"


@ON_ONE_SERVER
async def test_sentinels_that_speak_tls_lead_to_servers_that_do_and_to_the_next_one(
    watched: Watched, certificate: Path
) -> None:
    app = App(redis_url=watched.url, redis_ca=certificate, **{**QUICK, "enqueue_timeout": 15.0})

    @app.task(queue="q")
    async def double(number: int) -> int:
        return 2 * number

    async with app, working(app):
        assert await (await double.enqueue(1)).result(10) == 2
        await until(lambda: all(sentinel.knows(1, 2) for sentinel in watched.sentinels), 20)
        before = watched.primary()
        with watched.sentinels[0].client() as client:
            client.execute_command("SENTINEL", "FAILOVER", NAME)
        await until(lambda: watched.primary() != before, 20)
        assert await (await double.enqueue(2)).result(15) == 4
    assert {before, watched.primary()} == set(map(tls.port, watched.servers))


@ON_ONE_SERVER
async def test_a_cluster_is_spoken_to_at_the_ports_of_tls_that_its_nodes_announce(
    cluster: Cluster, certificate: Path
) -> None:
    app = App(redis_url=address(cluster), redis_ca=certificate, **QUICK)

    async def double(number: int) -> int:
        return 2 * number

    for queue in "abcdef":
        app.task(queue=queue, name=f"double-{queue}")(double)
    async with app, working(app):
        jobs = [await app.enqueue(queue, f"double-{queue}", at) for at, queue in enumerate("abcdef")]
        assert [await job.result(10) for job in jobs] == [0, 2, 4, 6, 8, 10]
        ports = {place.port for server in app.client.store.servers.all for place in server.places}
        assert ports == set(map(tls.port, cluster.primaries))


@ON_ONE_SERVER
@pytest.mark.parametrize("kind", ["watched", "cluster"])
async def test_a_certificate_of_another_authority_is_told_in_one_clear_sentence(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    server_kind: str,  # which it is, those that are asked for know
) -> None:
    there = request.getfixturevalue(kind)
    url = there.url if isinstance(there, Watched) else address(there)
    other = tls.certificate(tmp_path, "other")
    async with App(redis_url=url, redis_ca=other) as app:
        with pytest.raises(Unavailable, match=UNTRUSTED):
            await app.enqueue("q", "t", 1)
        with pytest.raises(Unavailable, match=UNTRUSTED):
            await app.wait_ready(5)
        thread = ThreadLink(app.client.store.servers.home, "thread")
        with pytest.raises(Unavailable, match=UNTRUSTED):
            await asyncio.to_thread(thread.connect)
