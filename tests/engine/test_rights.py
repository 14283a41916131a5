"""The rights and the secrets of a deployment: what compose.yaml gives is enough, and a rotation stops nobody."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streamq import App, Job, JobFailed, Rejected, State, StreamqError
from streamq.doctor import examine
from streamq.redis import scripts
from streamq.store import server
from streamq.task import Task

from ..docs.markdown import typed
from ..house.source import ROOT, python_files, tree_of
from ..rig import QUICK, working
from ..servers import Server

COMPOSE = (ROOT / "compose.yaml").read_text()


def rights(kind: str) -> str:
    """Those of compose.yaml. Redis 7.0 does not know WAITAOF, which the durability `fsync` needs."""
    found = re.search(r"RIGHTS: >-\n((?:        .+\n)+)", COMPOSE)
    assert found
    return " ".join(right for right in found[1].split() if kind == "valkey" or right != "+waitaof")


DOCTORS = {"ACL", "CONFIG", "FLUSHALL", "SHUTDOWN", "TYPE"}
"""Only the doctor asks for these, or whether our user may run them, and it does without."""

OF_A_MOVE = {"RENAME", "XSETID"}
"""Only `streamq migrate` sends these, and the doctor's TYPE: `tests/moving` runs it with them."""
OF_A_CLUSTER = {"ASKING", "CLUSTER", "CLUSTER|INFO", "CLUSTER|SHARDS", "SPUBLISH", "SUNSUBSCRIBE"}
"""Only the nodes of a cluster are sent these."""


def words_of_python() -> set[str]:
    """All words in capitals that the floors say which send commands; what the scripts are made with is read there."""
    paths = [
        *python_files("streamq/store"),
        *(path for path in python_files("streamq/redis") if path.name != "script_text.py"),
    ]
    found = (
        node.value for path in paths for node in ast.walk(tree_of(path)) if isinstance(node, ast.Constant)
    )
    return {
        text
        for each in found
        if (text := each.decode("latin-1") if isinstance(each, bytes) else str(each)).isupper()
    }


def words_of_scripts() -> set[str]:
    """The same of the scripts as the server gets them."""
    made = [script for script in vars(scripts).values() if isinstance(script, scripts.Script)]
    return {word for script in made for word in re.findall(r"'([A-Z]+)'", script._text.decode())}


def test_every_command_that_is_sent_is_among_the_rights_of_compose_and_of_the_doctor(
    client: redis.Redis,
) -> None:
    """What is a command of the server is taken for one wherever it is written."""
    commands = {name.upper() for name in client.eval("return redis.call('COMMAND', 'LIST')", 0)}
    used = (words_of_python() | words_of_scripts()) & commands - DOCTORS - OF_A_MOVE - OF_A_CLUSTER - {
        "READONLY"
    }  # is an answer, too
    assert {"HINCRBY", "ZLEXCOUNT", "MULTI", "XACK", "SREM", "EVALSHA"} <= used, "they are found"
    assert used <= {
        right[1:].partition("|")[0].upper() for right in rights("valkey").split() if right[0] == "+"
    }
    of_connections = {"CLIENT", "EVAL", "EVALSHA", "HELLO", "UNSUBSCRIBE", "WAITAOF"}
    of_use = {"INFO", "PUBLISH", "PUBSUB", "SUBSCRIBE", "WAIT"}
    by_hand = {"SCAN", "XGROUP", "XINFO", "XREADGROUP"}
    assert used - of_connections - of_use - by_hand == {*server._KEYED, *server._KEYLESS}


@pytest.mark.parametrize("left_out", ["", "xtrim"])
async def test_the_rights_of_compose_are_enough_for_a_whole_life_of_jobs(
    own_server: Callable[..., Server], server_kind: str, left_out: str
) -> None:
    """Also those of a version before, which did not trim and had no groups."""
    given = rights(server_kind).replace(f"+{left_out or 'none'}", "")
    server = own_server(users=[f"streamq on >sesame {given}"])
    settings = {**QUICK, "redis_username": "streamq", "redis_password": "sesame"}
    app = App(redis_url=f"unix://{server.socket}", **settings)

    @app.task(queue="q", attempts=1)
    async def work(number: int) -> int:
        if number < 0:
            raise ValueError("no")
        return number

    async with app, working(app):
        await app.wait_ready()
        assert await (await work.enqueue(1)).result(5) == 1
        assert await (await work.options(delay=0.2).enqueue(2)).result(5) == 2
        jobs: list[Job[int]] = await work.enqueue_many(range(50))
        assert [await job.result(5) for job in jobs] == list(range(50))
        failing = await work.enqueue(-1)
        with pytest.raises(JobFailed):
            await failing.result(5)
        await app.queue("q").retry(failing.id)
        await app.queue("q").failures()
        for state in State:
            await app.queue("q").jobs(state)
        if not left_out:
            await live_in_groups(app, work)
        await app.schedules.put("s", task="work", payload=6, every="1h")
        assert await (await app.schedules.run("s")).result(5) == 6
        await app.schedules.pause("s")
        assert [each.name for each in await app.schedules.list()] == ["s"]
        await app.schedules.remove("s")
        assert len(await app.workers()) == 1
        findings = await examine(app, repair=True)
        assert not [finding for finding in findings if finding.verdict == "fail" and not left_out], findings
    with server.client() as client:
        denied = {(entry["object"], entry["reason"]) for entry in client.execute_command("ACL", "LOG")}
    doctor = {("acl|whoami", "command"), ("config|get", "command"), ("type", "command")}
    assert denied <= doctor | {(left_out, "command")}, "the doctor asks, and does without"
    assert not left_out or (left_out, "command") in denied


async def live_in_groups(app: App, work: Task[Any, Any]) -> None:
    """Groups are limited, paused, looked at, and let go."""
    queue, group = app.queue("q"), app.queue("q").group("a:b")
    await queue.group("*:*").limit(concurrency=1, rate="1000/s", max_waiting=1000)
    await group.pause("why", until="1h")
    jobs = [
        *await work.options(group="a:b").enqueue_many(range(9)),
        *await work.options(group="c").enqueue_many(range(9)),
    ]
    assert (await queue.group("a").status()).waiting == 9
    assert "a:b" in [each.name for each in await queue.groups(order="longest")]
    await jobs[0].cancel()
    await jobs[1].why()
    await group.resume()
    for job in jobs[1:]:
        await job.result(5)


async def test_the_rights_of_compose_allow_nothing_beside_the_keys(
    own_server: Callable[..., Server], server_kind: str
) -> None:
    server = own_server(users=[f"streamq on >sesame {rights(server_kind)}"])
    async with App(redis_url=f"unix://streamq:sesame@{server.socket}", **QUICK) as app:
        for command in (("GET", "x"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("ACL", "LIST")):
            with pytest.raises(Rejected):
                await app.client.store.pool.call_home(*command)


REDIS_CLI = """#!{python}
import sys, redis
server = redis.Redis(unix_socket_path={socket!r}, password="admin")
print(server.execute_command(*sys.argv[1:]))
"""


@pytest.mark.keeps_keys
async def test_a_password_is_rotated_without_a_stop_by_the_commands_of_the_page(
    own_server: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = own_server(password="admin", users=["streamq on >old-password ~* &* +@all"])
    (tmp_path / "secrets").mkdir()
    for name, text in {"secrets/redis_password": "old", "old_password": "old", "new_password": "new"}.items():
        (tmp_path / name).write_text(f"{text}-password\n")
    (tmp_path / "redis-cli").write_text(REDIS_CLI.format(python=sys.executable, socket=str(server.socket)))
    (tmp_path / "redis-cli").chmod(0o755)
    monkeypatch.setenv("STREAMQ_REDIS_PASSWORD_FILE", str(tmp_path / "secrets" / "redis_password"))
    app = App(redis_url=f"unix://{server.socket}", redis_username="streamq", **QUICK)

    @app.task(queue="q")
    async def work(number: int) -> int:
        return number

    commands = typed("docs/how-to/rotate-secrets.md", "The password of Redis")
    assert len(commands) == 4
    async with app, working(app):
        for number, command in enumerate(commands):
            assert await (await work.enqueue(number)).result(10) == number
            done = await asyncio.create_subprocess_shell(
                command, cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}
            )
            assert await done.wait() == 0, command
        with contextlib.suppress(StreamqError):  # this connection was cut; the next has the new password
            await app.ping()
        assert await app.ping() < 5
        assert await (await work.enqueue(7)).result(10) == 7
        (tmp_path / "secrets" / "redis_password").unlink()
        assert app.settings.secret("redis_password") == "new-password", (
            "while it is gone, the one before counts"
        )
    with pytest.raises(redis.AuthenticationError):
        answered(server, username="streamq", password="old-password")


def test_the_file_of_users_that_compose_writes_lets_in_who_has_the_password(
    own_server: Callable[..., Server], server_kind: str, tmp_path: Path
) -> None:
    command = COMPOSE.partition("umask 077\n")[2].partition("        chown")[0].replace("$$", "$")
    assert "--aclfile /run/acl/users" in COMPOSE
    (tmp_path / "redis_password").write_text("sesame\n")
    (tmp_path / "acl").mkdir()
    for inside, here in {"/run/secrets": str(tmp_path), "/run/acl": str(tmp_path / "acl")}.items():
        command = command.replace(inside, here)
    environment = {"PATH": "/usr/bin:/bin", "RIGHTS": rights(server_kind)}
    subprocess.run(["/bin/sh", "-ec", command], env=environment, check=True)
    server = own_server(options=["--aclfile", str(tmp_path / "acl" / "users")])
    assert answered(server, username="streamq", password="sesame")
    with pytest.raises(redis.RedisError):
        answered(server)


def answered(server: Server, **login: str) -> bool:
    """Whether it answers with that login, at the first try."""
    with redis.Redis(unix_socket_path=str(server.socket), retry=Retry(NoBackoff(), 0), **login) as client:
        return bool(client.ping())


def test_compose_passes_every_setting_on() -> None:
    from streamq_service.settings import ServiceSettings

    passed = set(re.findall(r"^ {4,6}([A-Z_]+):", COMPOSE, re.MULTILINE))
    missing = [
        names
        for setting, names in ServiceSettings.variables().items()
        if not passed & {*names, *(f"{name}_FILE" for name in names if setting in ServiceSettings.secrets())}
    ]
    assert not missing
    known = {name for names in ServiceSettings.variables().values() for name in names}
    assert passed - known - {f"{name}_FILE" for name in known} == {"RIGHTS"}


def test_compose_publishes_no_port_of_the_server_and_shows_no_secret() -> None:
    server = COMPOSE.partition("  valkey:\n    image")[2].partition("  api:\n")[0]
    assert "ports:" not in server
    assert all(f"{limit}:" in server for limit in ("mem_limit", "cpus", "pids_limit"))
    assert "requirepass" not in COMPOSE
