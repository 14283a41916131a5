"""What the fixtures promise to the other tests. The checks of the suite are themselves checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .servers import Server

pytest_plugins = ["pytester"]


def test_the_shared_server_is_of_the_kind_asked_for(shared_server: Server, server_kind: str) -> None:
    with shared_server.client() as client:
        about = client.info("server")
    assert ("valkey_version" in about) == (server_kind == "valkey")


@pytest.mark.keeps_keys
def test_a_key_kept_on_purpose_is_deleted_after_the_test(shared_server: Server, prefix: str) -> None:
    with shared_server.client() as client:
        client.set(f"{prefix}:kept", 1)


def test_an_own_server_keeps_its_data_over_a_kill_when_asked_to(own_server: Callable[..., Server]) -> None:
    server = own_server(aof=True)
    with server.client() as client:
        client.set("a", "1")
    server.kill()
    server.start()
    with server.client() as client:
        assert client.get("a") == "1"


def test_an_own_server_on_tcp_comes_back_on_the_same_port(own_server: Callable[..., Server]) -> None:
    server = own_server(tcp=True)
    url = server.url
    server.restart()
    assert server.url == url
    with server.client() as client:
        assert client.ping()


def test_an_own_server_can_be_frozen_and_continued(own_server: Callable[..., Server]) -> None:
    server = own_server()
    with redis.Redis.from_url(server.url, socket_timeout=0.2, retry=None) as client:
        assert client.ping()
        server.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        server.resume()
        assert client.ping()


def test_an_own_server_asks_for_its_password_and_knows_its_users(own_server: Callable[..., Server]) -> None:
    server = own_server(password="open", users=["alice on >sesame ~t* +@all"])
    stranger = redis.Redis.from_url(f"unix://{server.socket}", retry=Retry(NoBackoff(), 0))
    with stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with redis.Redis.from_url(f"unix://alice:sesame@{server.socket}") as client:
        assert client.ping()
    with server.client() as client:
        assert client.ping()


def test_an_own_server_refuses_writes_over_its_memory(own_server: Callable[..., Server]) -> None:
    def fill(client: redis.Redis) -> None:
        for number in range(100):
            client.set(str(number), "x" * 100_000)

    server = own_server(maxmemory=3_000_000)
    with server.client() as client, pytest.raises(redis.OutOfMemoryError):
        fill(client)


CULPRITS = {
    "a key": (
        "def test_it(shared_server, prefix):\n    shared_server.client().set(prefix + ':x', 1)",
        "the test left keys behind",
    ),
    "a foreign key": (
        "def test_it(shared_server, prefix):\n    shared_server.client().set('foreign', 1)",
        "the test wrote keys outside its prefix",
    ),
    "a process": (
        "import subprocess\ndef test_it():\n    subprocess.Popen(['sleep', '60'])",
        "the test left processes behind",
    ),
    "a task": (
        "import asyncio\nasync def test_it():\n    asyncio.ensure_future(asyncio.sleep(60))",
        "the test left tasks behind",
    ),
}


@pytest.mark.parametrize("culprit", CULPRITS)
def test_a_test_that_leaves_something_behind_fails(pytester: pytest.Pytester, culprit: str) -> None:
    body, complaint = CULPRITS[culprit]
    here = Path(__file__).parent
    package = pytester.mkpydir("inner")
    for name in (
        "children.py",
        "clusters.py",
        "crossing.py",
        "conftest.py",
        "embedded.py",
        "longest.py",
        "postgres.py",
        "servers.py",
    ):
        (package / name).write_text((here / name).read_text())
    (package / "test_it.py").write_text(body)
    pytester.makeini(
        f"[pytest]\npythonpath = {here.parent}\nasyncio_mode = auto\naddopts = -p no:valkey -p no:schemathesis\n"
        "markers = keeps_keys: on purpose\n"
    )
    result = pytester.runpytest_subprocess(package)
    result.stdout.fnmatch_lines([f"*{complaint}*"])
    assert result.ret == 1


async def test_the_task_check_lets_finished_tasks_pass() -> None:
    await asyncio.create_task(asyncio.sleep(0))
