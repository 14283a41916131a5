"""What the embedded server promises to the process that starts it, and to those that join."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import signal
import stat
import subprocess
from pathlib import Path

import psutil
import pytest
import redis

from streamq.embedded import folder as folders
from streamq.embedded import server as embedded
from streamq.embedded.binary import find_binary
from streamq.embedded.server import EmbeddedServer, running_url
from streamq.errors import ConfigurationError

from .embedded import client, ended, program, server_pid
from .rig import until
from .servers import binary_of


async def test_data_survives_a_restart(folder: Path, binary: Path) -> None:
    for expected in (1, 2, 3):
        async with EmbeddedServer(folder, binary=binary) as server:
            with client(server) as link:
                assert link.incr("starts") == expected


async def test_a_server_that_is_killed_comes_back_with_its_data_at_the_same_address(
    folder: Path, binary: Path
) -> None:
    async with EmbeddedServer(folder, binary=binary) as server:
        url, first = server.url, server.pid
        with redis.Redis.from_url(url) as client:
            client.config_set("appendfsync", "always")
            client.set("kept", "1")
            os.kill(first, signal.SIGKILL)
            await until(lambda: server.pid != first)
        with redis.Redis.from_url(url) as client:
            assert (server.url, client.get("kept")) == (url, b"1")


async def test_without_persistence_nothing_is_kept(folder: Path, binary: Path) -> None:
    for _ in range(2):
        async with EmbeddedServer(folder, binary=binary, persist=False) as server:
            with client(server) as link:
                assert link.incr("starts") == 1
    assert not (folder / "appendonlydir").exists()


async def test_it_says_what_it_is(folder: Path, binary: Path, server_kind: str) -> None:
    async with EmbeddedServer(folder, binary=binary) as server:
        assert server.product.lower() == ("valkey" if server_kind == "valkey" else "redis")
        assert psutil.Process(server.pid).is_running()
        with client(server) as link:
            about = link.info("server")
        assert server.version in {about["redis_version"], about.get("valkey_version")}
    assert not psutil.pid_exists(server.pid)


async def test_only_its_user_reaches_it(folder: Path, binary: Path) -> None:
    async with EmbeddedServer(folder, binary=binary) as server:
        with client(server) as link:
            assert link.config_get("port")["port"] == "0"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "redis.sock").stat().st_mode) == 0o700


async def test_no_job_is_evicted_and_every_second_is_on_the_disk(folder: Path, binary: Path) -> None:
    async with EmbeddedServer(folder, binary=binary) as server:
        with client(server) as link:
            settings = link.config_get("maxmemory-policy", "appendonly", "appendfsync", "save")
    assert settings == {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
    }


async def test_ctrl_c_in_the_terminal_does_not_reach_the_server(folder: Path, binary: Path) -> None:
    async with EmbeddedServer(folder, binary=binary) as server:
        assert os.getsid(server.pid) != os.getsid(0)


async def test_a_second_start_joins_and_leaves_the_server_running(folder: Path, binary: Path) -> None:
    async with EmbeddedServer(folder, binary=binary) as first:
        async with EmbeddedServer(folder, binary=binary) as second:
            assert (first.joined, second.joined) == (False, True)
            assert (second.pid, second.url, second.version) == (first.pid, first.url, first.version)
        with client(first) as link:
            assert link.ping()


async def test_another_process_joins_and_the_holder_stops_the_server_last(
    folder: Path, binary: Path, holder: subprocess.Popen[str]
) -> None:
    pid = server_pid(holder)
    async with EmbeddedServer(folder, binary=binary) as joined:
        assert joined.joined
        assert joined.pid == pid
    assert psutil.pid_exists(pid)
    holder.send_signal(signal.SIGINT)
    holder.wait(10)
    assert not psutil.pid_exists(pid)


async def test_two_that_start_at_once_share_one_server(folder: Path, binary: Path) -> None:
    first, second = EmbeddedServer(folder, binary=binary), EmbeddedServer(folder, binary=binary)
    await asyncio.gather(first.__aenter__(), second.__aenter__())
    assert first.pid == second.pid
    assert {first.joined, second.joined} == {False, True}
    await asyncio.gather(first.__aexit__(), second.__aexit__())


async def test_a_server_that_outlived_its_killed_holder_is_replaced_with_its_data(
    folder: Path, binary: Path, holder: subprocess.Popen[str]
) -> None:
    pid = server_pid(holder)
    with redis.Redis(unix_socket_path=str(folder / "redis.sock")) as link:
        link.set("written", "before the kill")
    holder.kill()
    holder.wait()
    assert psutil.pid_exists(pid)
    async with EmbeddedServer(folder, binary=binary) as server:
        assert not server.joined
        assert await ended(pid)
        with client(server) as link:
            assert link.get("written") == "before the kill"


async def test_a_server_left_behind_that_hangs_is_replaced_too(
    folder: Path, binary: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "STOP", 0.2)
    pid = server_pid(holder)
    holder.kill()
    holder.wait()
    os.kill(pid, signal.SIGSTOP)
    async with EmbeddedServer(folder, binary=binary) as server:
        assert server.pid != pid
        assert await ended(pid)


async def test_a_holder_whose_server_is_silent_is_named(
    folder: Path, binary: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "ANSWER", 0.2)
    pid = server_pid(holder)
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ConfigurationError, match=f"held by process {holder.pid},.*STREAMQ_DATA_DIR"):
        await EmbeddedServer(folder, binary=binary).__aenter__()
    os.kill(pid, signal.SIGCONT)
    holder.send_signal(signal.SIGINT)
    holder.wait(10)


async def test_a_folder_with_a_long_path_gets_its_socket_elsewhere(folder: Path, binary: Path) -> None:
    deep = folder / ("long" * 30)
    async with EmbeddedServer(deep, binary=binary) as server:
        socket = Path((deep / "socket").read_text())
        assert len(os.fsencode(socket)) <= folders.SOCKET_PATH_LIMIT
        assert server.url == f"unix://{socket}#own-user" == await running_url(deep)
        async with EmbeddedServer(deep, binary=binary) as second:
            assert second.joined
    assert not socket.parent.exists()
    assert not (deep / "socket").exists()


async def test_any_character_may_be_in_the_name_of_the_folder(folder: Path, binary: Path) -> None:
    async with EmbeddedServer(folder / 'it\'s 100% "ours" ü', binary=binary) as server:
        with client(server) as link:
            assert link.ping()


async def test_a_cancelled_owner_ends_its_server(folder: Path, binary: Path) -> None:
    server = EmbeddedServer(folder, binary=binary)

    async def own() -> None:
        async with server:
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(own(), 1)
    assert not psutil.pid_exists(server.pid)


async def test_a_start_that_fails_shows_the_end_of_the_log_and_frees_the_folder(
    folder: Path, binary: Path
) -> None:
    folder.mkdir(mode=0o700)
    broken = program(folder, "broken", "echo 'the disk is on fire' >&2; exit 3")
    with pytest.raises(ConfigurationError, match="ended with 3; its log ends with\nthe disk is on fire"):
        await EmbeddedServer(folder, binary=broken).__aenter__()
    async with EmbeddedServer(folder, binary=binary) as server:
        assert not server.joined


async def test_a_program_that_cannot_be_run_is_named(folder: Path) -> None:
    missing = folder / "no-such-server"
    with pytest.raises(ConfigurationError, match="no-such-server cannot be run"):
        await EmbeddedServer(folder, binary=missing).__aenter__()


async def test_a_server_that_never_answers_is_given_up_and_ended(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "ANSWER", 0.2)
    folder.mkdir(mode=0o700)
    silent = program(folder, "silent", "exec sleep 60")
    with pytest.raises(ConfigurationError, match=r"did not answer within 0.2 s; its log is empty"):
        await EmbeddedServer(folder, binary=silent).__aenter__()


async def test_running_url_says_where_a_server_of_another_process_is(folder: Path, binary: Path) -> None:
    with pytest.raises(ConfigurationError, match="no server runs on"):
        await running_url(folder)
    async with EmbeddedServer(folder, binary=binary) as server:
        assert await running_url(folder) == server.url


async def test_a_server_that_refuses_every_write_runs_all_the_same(folder: Path, binary: Path) -> None:
    """So does one on a full disk: it refuses even PING, and who looks is to be told that, not that none runs."""
    async with EmbeddedServer(folder, binary=binary) as server:
        with client(server) as link:
            (folder / "dump.rdb").mkdir()  # no file can take its place
            link.config_set("save", "3600 1")
            link.bgsave()
            await until(lambda: link.info("persistence")["rdb_last_bgsave_status"] == "err")
            with pytest.raises(redis.ResponseError, match="MISCONF"):
                link.ping()
            assert await running_url(folder) == server.url
            link.config_set("save", "")  # else it would not end before it is saved


def test_the_program_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = program(tmp_path, "redis-server", "echo 'Redis server v=99.1.2 sha=0'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find_binary() == ("redis-server", newest, "PATH", (99, 1, 2))


def test_a_program_that_is_too_old_or_broken_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "redis-server", "echo 'Redis server v=6.2.14 sha=0'")
    wanted = program(tmp_path, "valkey-server", "echo 'Valkey server v=7.2.5 sha=0'")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary().path == wanted
    wanted.write_bytes(b"\x7fELF, but not for this processor")
    assert find_binary().path == binary_of("valkey")


def test_without_a_program_the_error_names_the_three_ways_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_installed(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    old = program(tmp_path, "redis-server", "echo 'Redis server v=6.2.14 sha=0'")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.metadata, "files", not_installed)
    with pytest.raises(ConfigurationError) as raised:
        find_binary()
    for words in ("`redis-server`", "the extra `embedded`", "STREAMQ_REDIS_URL", f"{old} is 6.2.14"):
        assert words in str(raised.value)
