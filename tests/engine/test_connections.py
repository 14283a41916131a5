"""Finding the server: which address, how long to wait, and what is said when it cannot be reached."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import redis

from streamq import App, ConfigurationError, NotDurable, OutcomeUnknown, Rejected, Unavailable
from streamq.client.orders import BATCH_BYTES
from streamq.redis.addressed import servers_at
from streamq.redis.link import Link, SharedLink
from streamq.settings import Settings

from ..rig import ON_ONE_SERVER, of_one_server, until, working
from ..servers import Server

NOWHERE = "unix:///nonexistent/s"


@pytest.fixture
async def mute() -> AsyncIterator[str]:
    """The address of a server that accepts connections and never says a word."""
    open_ = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await open_.wait()
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        open_.set()


async def test_the_next_address_is_taken_when_one_does_not_answer(own_server: Callable[..., Server]) -> None:
    async with App(redis_url=f"{NOWHERE}, {own_server().url}") as app:
        assert await app.ping() < 5


async def test_callers_of_a_shared_connection_each_get_their_own_answer(server_url: str) -> None:
    link = SharedLink(servers_at(Settings.load(redis_url=server_url)).home)
    answers = await asyncio.gather(*[link.call("ECHO", number) for number in range(20)])
    assert answers == [str(number).encode() for number in range(20)]
    assert link.generation == 1
    await link.close()


async def test_when_no_address_answers_each_is_named_with_its_reason() -> None:
    async with App(redis_url=f"{NOWHERE},redis://127.0.0.1:1") as app:
        with pytest.raises(Unavailable) as caught:
            await app.ping()
    assert not isinstance(caught.value, OutcomeUnknown | Rejected)
    assert NOWHERE in str(caught.value)
    assert "redis://127.0.0.1:1" in str(caught.value)


async def test_waiting_for_a_server_ends_when_it_answers(own_server: Callable[..., Server]) -> None:
    server = own_server(tcp=True)
    server.stop()
    async with App(redis_url=server.url) as app:
        waiting = asyncio.create_task(app.wait_ready(10))
        await asyncio.sleep(0)
        await asyncio.to_thread(server.start)
        await waiting
        assert await app.ping() < 5


async def test_waiting_for_a_server_ends_in_a_clear_error_when_the_time_is_over() -> None:
    async with App(redis_url=NOWHERE) as app:
        start = time.monotonic()
        with pytest.raises(Unavailable, match=r"within 0\.5 s"):
            await app.wait_ready(0.5)
    assert time.monotonic() - start < 1.5


async def test_waiting_is_bounded_even_when_the_server_accepts_and_says_nothing(mute: str) -> None:
    async with App(redis_url=mute) as app:
        start = time.monotonic()
        with pytest.raises(Unavailable):
            await app.wait_ready(0.5)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("login", ["", "user:secret@"])
async def test_a_command_is_bounded_even_when_the_server_accepts_and_says_nothing(
    mute: str, login: str
) -> None:
    url = mute.replace("//", f"//{login}")
    async with App(redis_url=url, connect_timeout=0.3, command_timeout=0.3) as app:
        async with asyncio.timeout(3):
            with pytest.raises(Unavailable):
                await app.ping()


@ON_ONE_SERVER
async def test_a_wrong_password_is_told_at_once_without_the_password(
    own_server: Callable[..., Server],
) -> None:
    server, other = own_server(password="sesame"), own_server()
    for options in (
        {"redis_url": f"unix://{server.socket}", "redis_password": "guess-1"},
        {"redis_url": f"unix://:guess-1@{server.socket}"},
        {"redis_url": f"unix://{server.socket}"},
        {"redis_url": f"unix://:guess-1@{server.socket},{other.url}"},  # the search ends here
    ):
        async with App(**options) as app:
            start = time.monotonic()
            with pytest.raises(Rejected) as caught:
                await app.wait_ready(20)
            assert time.monotonic() - start < 2
            assert "guess-1" not in str(caught.value)


@ON_ONE_SERVER
async def test_user_and_password_come_from_the_settings_where_the_address_has_none(
    own_server: Callable[..., Server],
) -> None:
    server = own_server(password="open", users=["alice on >sesame ~* &* +@all"])
    plain = f"unix://{server.socket}"
    async with App(redis_url=plain, redis_password="open") as app:
        await app.ping()
    async with App(redis_url=plain, redis_username="alice", redis_password="sesame") as app:
        assert await app.client.store.pool.call_home("ACL", "WHOAMI") == b"alice"
    async with App(redis_url=plain.replace("//", "//alice:sesame@"), redis_password="wrong") as app:
        assert await app.client.store.pool.call_home("ACL", "WHOAMI") == b"alice"


def test_the_password_is_in_no_text_that_people_read() -> None:
    app = App(redis_url="redis://user:hidden-1@127.0.0.1:1/0", redis_password="hidden-2")
    servers = servers_at(app.settings)
    assert servers.names == ("redis://127.0.0.1:1/0",)
    assert "hidden-2" not in repr(app.settings) + str(app.settings) + repr(app) + str(servers.names)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://user:hidden@h.example/", "redis://, rediss:// or unix://"),
        ("localhost:6379", "redis://, rediss:// or unix://"),
        ("redis://user:hidden@127.0.0.1:notaport/0", "host and port cannot be read"),
        ("redis://127.0.0.1:6379,ftp://h.example", "cannot be read"),
        ("redis://127.0.0.1:6379,redis://:hid/den@h.example", "address number 2"),
    ],
)
async def test_an_address_that_is_none_is_refused_and_named_without_its_password(url: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        async with App(redis_url=url):
            pass
    assert said in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_the_options_of_tls_are_read_from_the_address_and_the_settings(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    settings = Settings.load(redis_ca=authority)
    server = servers_at(settings, "rediss://h.example:6380/2?ssl_check_hostname=true").home
    connection = server.connection(server.places[0], "x")
    context = connection.ssl_context  # type: ignore[attr-defined]
    assert context.ca_certs == str(authority)
    assert context.cert_reqs == ssl.CERT_REQUIRED
    assert context.check_hostname is True
    server = servers_at(settings, "rediss://h.example").home
    threaded = server.threaded_connection(server.places[0], "x")
    assert threaded.ca_certs == str(authority)  # type: ignore[attr-defined]
    assert threaded.socket_timeout == settings.connect_timeout  # type: ignore[attr-defined]


async def test_what_the_server_forgets_of_scripts_is_sent_again(app: App, client: redis.Redis) -> None:
    @app.task
    async def work(x: int) -> int:
        return x

    async with working(app):
        for number in range(3):
            client.script_flush()
            job = await work.enqueue(number)
            assert await job.result(5) == number
            client.script_flush()
            assert (await job.status()).result == number


@ON_ONE_SERVER
async def test_a_cancelled_command_takes_its_connection_along(app: App) -> None:
    link = Link(app.client.store.servers.home)
    try:
        assert await link.call("ECHO", "one") == b"one"
        blocked = asyncio.create_task(link.call("BLPOP", "nothing-comes", 5))
        await until(lambda: _blocked(app))
        blocked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await blocked
        assert not link.connected
        assert await link.call("ECHO", "two") == b"two"
        assert link.generation == 2
    finally:
        await link.close()


@ON_ONE_SERVER
async def test_a_connection_the_server_closed_is_replaced_before_it_is_used(
    app: App, client: redis.Redis
) -> None:
    await app.ping()
    client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await asyncio.sleep(0)  # one turn of the loop, in which it hears of it
    await until(lambda: not app.client.store.pool._free[0].connected, 1)
    await app.ping()


@ON_ONE_SERVER
@of_one_server("of a cluster any node is asked at first, and then those that have the queues")
async def test_ordinary_commands_share_a_bounded_number_of_connections(
    make_app: Callable[..., App], client: redis.Redis
) -> None:
    async with make_app(connections=3) as app:
        await asyncio.gather(*[app.ping() for _ in range(200)])
        assert len([each for each in client.client_list() if each["name"] == "streamq"]) <= 3


@ON_ONE_SERVER
async def test_a_server_with_no_room_for_a_connection_is_unavailable(
    own_server: Callable[..., Server],
) -> None:
    server = own_server(options=["--maxclients", "1"])
    with server.client() as only:
        only.ping()
        async with App(redis_url=server.url) as app:
            with pytest.raises(Unavailable) as caught:
                await app.ping()
    assert not isinstance(caught.value, Rejected), "it will have room again"


async def _blocked(app: App) -> bool:
    return b"cmd=blpop" in await app.client.store.pool.call_home("CLIENT", "LIST")


@ON_ONE_SERVER
async def test_each_durability_has_a_connection_and_one_more_for_jobs_over_a_mebibyte(
    make_app: Callable[..., App], client: redis.Redis
) -> None:
    def producers() -> int:
        return sum(each["name"] == "streamq-producer" for each in client.client_list())

    before = producers()
    async with make_app(max_payload=3 * BATCH_BYTES) as app:
        await app.enqueue("q", "t", "x" * (BATCH_BYTES // 2))
        assert producers() - before == 1
        await app.enqueue("q", "t", "x" * (BATCH_BYTES + 1))
        assert producers() - before == 2
        with contextlib.suppress(NotDurable):
            await app.enqueue("q", "t", 1, durability="fsync")
        assert producers() - before == 3
    assert BATCH_BYTES == 2**20
