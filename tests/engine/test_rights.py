"""The rights and the secrets of a deployment: what compose.yaml gives is enough, and a rotation stops nobody."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from streamq import App, Job, JobFailed, Rejected, State, StreamqError
from streamq.doctor import examine

from ..house.source import ROOT
from ..rig import QUICK, working
from ..servers import Server

COMPOSE = (ROOT / "compose.yaml").read_text()


def rights(kind: str) -> str:
    """Those of compose.yaml. Redis 7.0 does not know WAITAOF, which the durability `fsync` needs."""
    found = re.search(r"RIGHTS: >-\n((?:        .+\n)+)", COMPOSE)
    assert found
    return " ".join(right for right in found[1].split() if kind != "redis" or right != "+waitaof")


async def test_the_rights_of_compose_are_enough_for_a_whole_life_of_jobs(
    own_server: Callable[..., Server], server_kind: str
) -> None:
    server = own_server(users=[f"streamq on >sesame {rights(server_kind)}"])
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
        jobs: list[Job[int]] = await work.enqueue_many([3, 4, 5])
        assert [await job.result(5) for job in jobs] == [3, 4, 5]
        failing = await work.enqueue(-1)
        with pytest.raises(JobFailed):
            await failing.result(5)
        await app.queue("q").retry(failing.id)
        for state in State:
            await app.queue("q").jobs(state)
        assert len(await app.workers()) == 1
        findings = await examine(app, repair=True)
        assert not [finding for finding in findings if finding.verdict == "fail"], findings
    with server.client() as client:
        denied = {(entry["object"], entry["reason"]) for entry in client.execute_command("ACL", "LOG")}
    assert not denied, denied


async def test_the_rights_of_compose_allow_nothing_beside_the_keys(
    own_server: Callable[..., Server], server_kind: str
) -> None:
    server = own_server(users=[f"streamq on >sesame {rights(server_kind)}"])
    async with App(redis_url=f"unix://streamq:sesame@{server.socket}", **QUICK) as app:
        for command in (("GET", "x"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("ACL", "LIST")):
            with pytest.raises(Rejected):
                await app.store.pool.call(*command)


async def test_a_password_in_a_file_is_rotated_without_a_stop(
    own_server: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, file = own_server(users=["alice on >old ~* &* +@all"]), tmp_path / "password"
    file.write_text("old\n")
    monkeypatch.setenv("STREAMQ_REDIS_PASSWORD_FILE", str(file))
    app = App(redis_url=f"unix://{server.socket}", redis_username="alice", **QUICK)

    @app.task(queue="q")
    async def work(number: int) -> int:
        return number

    async with app, working(app):
        assert await (await work.enqueue(1)).result(5) == 1
        with server.client() as admin:
            admin.execute_command("ACL", "SETUSER", "alice", ">new")
            file.write_text("new\n")
            admin.execute_command("ACL", "SETUSER", "alice", "<old")
            admin.execute_command("CLIENT", "KILL", "USER", "alice")
        with contextlib.suppress(StreamqError):  # this connection was cut; the next has the new password
            await app.ping()
        assert await app.ping() < 5
        assert await (await work.enqueue(2)).result(10) == 2
        file.unlink()
        assert app.settings.secret("redis_password") == "new", "while it is gone, the one before counts"


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
