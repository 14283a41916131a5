"""Fixtures of the embedded server's tests: its program, its folder, and another process that holds it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from streamq.embedded.server import EmbeddedServer

from .servers import binary_of

HOLDER = """
import asyncio, pathlib, sys
from streamq.embedded.server import EmbeddedServer

async def hold():
    async with EmbeddedServer(pathlib.Path(sys.argv[1]), binary=pathlib.Path(sys.argv[2])) as server:
        print(server.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(hold())
"""


@pytest.fixture
def binary(server_kind: str) -> Path:
    found = binary_of(server_kind)
    assert found is not None
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a path that is short enough for a socket on every system."""
    with tempfile.TemporaryDirectory(prefix="sq-") as name:
        yield Path(name) / "data"


@pytest.fixture
def holder(folder: Path, binary: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder; its first line is the pid of its server."""
    arguments = [sys.executable, "-c", HOLDER, folder, binary]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as process:
        yield process
        process.kill()


def server_pid(holder: subprocess.Popen[str]) -> int:
    assert holder.stdout is not None
    return int(holder.stdout.readline())


async def ended(pid: int) -> bool:
    """Whether it ends within five seconds. Nobody may be there to wait for an orphan: a zombie has ended."""
    for _ in range(500):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        await asyncio.sleep(0.01)
    return False


def client(server: EmbeddedServer) -> redis.Redis:
    return redis.Redis.from_url(server.url, decode_responses=True)


def program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path
