"""Backup, restore and moving of a server's data, by the very lines of the page that tells how."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from bench.process import free_port
from streamq import App, Limit

from ..house.source import ROOT
from ..rig import ON_ONE_SERVER, QUICK, until, working
from ..servers import Server

PAGE = (ROOT / "docs" / "how-to" / "back-up.md").read_text()
pytestmark = pytest.mark.skipif(shutil.which("redis-cli") is None, reason="redis-cli is not installed")


def lines_of(heading: str) -> list[str]:
    """The commands below a heading of the page."""
    part = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"```text\n(.*?)```", part, re.DOTALL)
    return [line for line in str(block).splitlines() if line]


def run(line: str, folder: Path, old: int, new: int) -> str:
    """A line as it stands there, with the ports of this test."""
    words = [{"6379": str(old), "6380": str(new)}.get(word, word) for word in line.split()]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    assert not done.stdout.startswith("ERR"), f"{line}: {done.stdout}"
    return done.stdout


@pytest.fixture
def restored() -> Iterator[int]:
    """The port on which the page starts a server, which ends with the test."""
    port = free_port()
    yield port
    with redis.Redis(port=port) as client:
        client.shutdown(nosave=True, now=True, force=True)


@ON_ONE_SERVER
async def test_what_is_restored_is_as_it_was_and_goes_on(
    own_server: Callable[..., Server], tmp_path: Path, restored: int
) -> None:
    old = own_server(tcp=True, aof=True)
    ran: list[int] = []

    def declared(url: str) -> App:
        app = App(redis_url=url, **QUICK)

        @app.task(name="work", queue="q")
        async def work(number: int) -> int:
            ran.append(number)
            return number

        return app

    async with declared(old.url) as app:
        async with working(app):
            done = await app.enqueue("q", "work", 1)
            assert await done.result(10) == 1
        waiting = [await app.enqueue("q", "work", number) for number in range(2, 6)]
        later = await app.enqueue("q", "work", 9, delay=3600)
        await app.queue("q").limit(concurrency=2)
        await app.schedules.put("s", task="work", queue="q", payload=7, cron="0 0 1 1 *")
        for line in lines_of("Back up"):
            run(line, tmp_path, old.port, restored)
        counts = (await app.queue("q").counts()).asdict()
        await app.enqueue("q", "work", 99)
        async with working(app):
            await until(lambda: len(ran) == 6)
        ran.clear()
    old.kill()
    for line in lines_of("Restore"):
        run(line, tmp_path, old.port, restored)
    async with declared(f"redis://127.0.0.1:{restored}") as app:
        assert (await app.queue("q").counts()).asdict() == counts
        assert (await app.queue("q").get(done.id)).result == 1
        assert (await app.queue("q").get(later.id)).state == "delayed"
        assert (await app.queue("q").limits())["queue"].told == Limit(concurrency=2)
        assert [each.schedule.name for each in await app.schedules.list()] == ["s"]
        async with working(app):
            for job in waiting:
                assert await app.queue("q").get(job.id)
            await until(lambda: len(ran) == 4)
        assert sorted(ran) == [2, 3, 4, 5], (
            "what has ended since then runs again, and what came since then is missing"
        )
        with redis.Redis(port=restored, decode_responses=True) as client:
            assert client.config_get("appendonly") == {"appendonly": "yes"}


@ON_ONE_SERVER
async def test_a_server_is_moved_while_jobs_come_and_run_and_none_is_lost_or_runs_twice(
    own_server: Callable[..., Server], tmp_path: Path
) -> None:
    quick = ["--repl-diskless-sync-delay", "0"]
    old, new = own_server(tcp=True, options=quick), own_server(tcp=True, options=quick)
    app, ran, sent = App(redis_url=f"{old.url},{new.url}", **QUICK), Counter[int](), 0

    @app.task(queue="q")
    async def work(number: int) -> None:
        await asyncio.sleep(0.01)
        ran[number] += 1

    async def send(many: int) -> None:
        nonlocal sent
        for _ in range(many):
            await work.enqueue(sent)
            sent += 1
            await asyncio.sleep(0.002)

    first, look, last = lines_of("Move")
    async with app, working(app):
        with new.client() as client:
            client.flushall()
        await asyncio.to_thread(run, first, tmp_path, old.port, new.port)

        async def is_up() -> bool:
            said = await asyncio.to_thread(run, look, tmp_path, old.port, new.port)
            return "master_link_status:up" in said

        await until(is_up)
        sending = asyncio.create_task(send(500))
        await until(lambda: sent > 50)
        await asyncio.to_thread(run, last, tmp_path, old.port, new.port)
        await sending
        await send(50)
        await until(lambda: len(ran) == sent)
    assert set(ran.values()) == {1}
    with new.client() as one, old.client() as other:
        assert (one.info("replication")["role"], other.info("replication")["role"]) == ("master", "slave")


@ON_ONE_SERVER
async def test_a_server_that_is_told_to_have_an_append_only_file_and_finds_none_begins_empty(
    own_server: Callable[..., Server], tmp_path: Path, restored: int
) -> None:
    old = own_server(tcp=True)
    with old.client() as client:
        client.set("k", "v")
    for line in lines_of("Back up"):
        run(line, tmp_path, old.port, restored)
    for line in lines_of("Restore")[:-1]:
        run(line.replace("--appendonly no", "--appendonly yes"), tmp_path, old.port, restored)
    with redis.Redis(port=restored) as client:

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

        await until(answers)
        assert client.dbsize() == 0
