"""A fork after an app was opened: the child begins anew, and the parent notices nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from ..rig import ON_ONE_SERVER, census

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]

COMMON = """
import asyncio, gc, json, multiprocessing, os, sys
from streamq import App, NotOpen, run

app, fork = App(), multiprocessing.get_context("fork")
run = {"asyncio": asyncio.run, "streamq": run}[sys.argv[1]]

async def some():
    return [(await app.enqueue("q", "t", number)).id for number in range(10)]

async def anew():
    try:
        await app.ping()
    except NotOpen as error:
        assert type(error) is NotOpen  # not: open elsewhere
        async with app:
            return await some()

def forked(act):
    # what the child returns; the parent's loop stands still meanwhile
    mine, theirs = fork.Pipe(False)
    process = fork.Process(target=lambda: (theirs.send(act()), gc.collect()))
    process.start()
    theirs.close()
    found = mine.recv()
    process.join()
    assert process.exitcode == 0
    return found
"""

PROGRAMS = {
    "a loop in the child": """
async def main():
    async with app:
        ids = await some()
        for _ in range(3):
            ids += forked(lambda: asyncio.run(anew()))
            ids += await some()
        return ids

print(json.dumps(run(main())))
""",
    "a child while jobs are on their way": """
async def main():
    async with app:
        ids = await some()
        flying = [asyncio.create_task(some()) for _ in range(5)]
        await asyncio.sleep(0)
        ids += forked(lambda: asyncio.run(anew()))
        for flight in flying:
            ids += await flight
        return ids

print(json.dumps(run(main())))
""",
    "a child that uses app.sync": """
def by_hand():
    return [app.sync.enqueue("q", "t", number).id for number in range(10)]

async def main():
    async with app:
        ids = await some()
        ids += forked(by_hand)
        ids += await asyncio.to_thread(by_hand)
        ids += forked(by_hand)
        return ids + await some()

print(json.dumps(run(main()) + by_hand() + forked(by_hand)))
""",
    "a grandchild": """
async def main():
    async with app:
        ids = await some()
        ids += forked(lambda: asyncio.run(anew()) + forked(lambda: asyncio.run(anew())))
        return ids + await some()

print(json.dumps(run(main())))
""",
    "a bare fork that ends as a program ends": """
async def main():
    async with app:
        ids = await some()
        mine, theirs = os.pipe()
        if os.fork() == 0:
            os.write(theirs, json.dumps(asyncio.run(anew())).encode())
            gc.collect()
            os._exit(0)
        os.close(theirs)
        with open(mine) as pipe:
            ids += json.load(pipe)
        os.wait()
        return ids + await some()

print(json.dumps(run(main())))
""",
}


@pytest.mark.parametrize("loop", ["asyncio", "streamq"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_parent_and_child_add_what_each_was_told_is_added(
    program: str, loop: str, server_url: str, client: redis.Redis, prefix: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMON + PROGRAMS[program], loop],
        env={**os.environ, "STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ids = json.loads(done.stdout)
    counted = census(client, prefix, "q")
    counted.check()
    assert len(ids) == len(set(ids))
    assert set(counted.places) == set(ids)
