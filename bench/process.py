"""Child processes: one of the roles of ``child``, or any program of ours. They always end with the bench."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import IO, Any, Final

import aiohttp
import orjson

ROOT: Final = Path(__file__).resolve().parents[1]
"""Where this package lies; a child started here finds it under the same name."""
END: Final = 5.0
"""Seconds a child may take to end in order."""


class Gone(Exception):
    """A child ended before it had said what it was to say."""


class Child:
    """A process that reports in JSON lines."""

    def __init__(self, process: Process, name: str) -> None:
        self.process, self.name = process, name

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    async def told(self) -> dict[str, Any]:
        """Its next report. Raises ``Gone``."""
        assert self.process.stdout is not None  # noqa: S101 - it was started with a pipe
        line = await self.process.stdout.readline()
        if not line:
            raise Gone(f"the {self.name} process ended with {await self.process.wait()}")
        said: dict[str, Any] = orjson.loads(line)
        return said

    async def reports(self) -> AsyncIterator[dict[str, Any]]:
        """All its reports, to its end."""
        assert self.process.stdout is not None  # noqa: S101 - it was started with a pipe
        async for line in self.process.stdout:
            yield orjson.loads(line)

    async def stamps(self, count: int) -> dict[int, int]:
        """The next ``count`` starts: number of the job by monotonic ns. A job that starts twice counts once."""
        starts: dict[int, int] = {}
        while len(starts) < count:
            said = await self.told()
            starts.setdefault(said["number"], said["at"])
        return starts

    def say(self) -> None:
        """Ask what has run, or let a child that waits at its gate begin."""
        assert self.process.stdin is not None  # noqa: S101 - it was started with a pipe
        self.process.stdin.write(b"\n")

    async def ran(self) -> dict[str, Any]:
        """What has run until now, as ``Counter.tell`` says it. Raises ``Gone``."""
        self.say()
        return await self.told()

    async def starts(self) -> dict[int, int]:
        """When the jobs that have arrived since the last time began: number of the job by monotonic ns."""
        return await self.stamps((await self.ran())["starts"])

    async def end(self) -> dict[str, Any]:
        """End it in order; what it has run in all. Raises ``Gone``."""
        assert self.process.stdin is not None  # noqa: S101 - the same
        self.process.stdin.close()
        return await self.told()

    async def kill(self) -> None:
        """SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


def role(name: str, *, log: IO[bytes] | None = None, **config: Any) -> AbstractAsyncContextManager[Child]:
    """A child in one of the roles of ``child``."""
    command = (sys.executable, "-m", f"{__package__}.child")
    return reporting(command, name, {"role": name, **config}, log=log)


@asynccontextmanager
async def reporting(
    command: Sequence[str],
    name: str,
    config: dict[str, Any],
    *,
    cwd: Path = ROOT,
    log: IO[bytes] | None = None,
) -> AsyncIterator[Child]:
    """A program that takes JSON as its last argument and reports in JSON lines; ended in order with the block.

    It ends when its standard input does. What it says on standard error goes to ``log``, by default to ours.
    """
    # A session of its own: Ctrl-C is for the bench, which ends its children itself.
    process = await asyncio.create_subprocess_exec(
        *command, orjson.dumps(config).decode(), cwd=cwd, stdin=PIPE, stdout=PIPE, stderr=log,
        start_new_session=True,
    )  # fmt: skip
    try:
        yield Child(process, name)
        assert process.stdin is not None  # noqa: S101 - it was started with a pipe
        process.stdin.close()
        await _ended(process)
    finally:
        await Child(process, name).kill()


@asynccontextmanager
async def program(*arguments: str, cwd: Path, log: Path, **environment: str) -> AsyncIterator[Process]:
    """A program with more in its environment; SIGTERM at the end of the block. Its output goes to ``log``."""
    command = [
        "env",
        "-u",
        "STREAMQ_REDIS_URL",
        *(f"{name}={value}" for name, value in environment.items()),
        *arguments,
    ]
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=cwd, stdin=DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await _ended(process)
    finally:
        await Child(process, arguments[0]).kill()


async def _ended(process: Process) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(END):
            await process.wait()


async def output_of(*command: str, cwd: Path = ROOT) -> str:
    """What a short command prints; empty when it fails or is not there."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=cwd, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
        )
    except OSError:
        return ""
    said, _ = await process.communicate()
    return said.decode().strip() if process.returncode == 0 else ""


async def resident(pid: int) -> int:
    """Bytes of memory a process has; 0 when that cannot be told."""
    return 1024 * int(await output_of("ps", "-o", "rss=", "-p", str(pid)) or 0)


def streamq(*arguments: str) -> Sequence[str]:
    """The command line of this installation."""
    return (sys.executable, "-m", "streamq", *arguments)


def free_port() -> int:
    """A TCP port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def answers(url: str, process: Process, seconds: float = 15.0) -> bool:
    """True once ``url`` answers 200; False when the process ends before, or it takes too long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    async with aiohttp.ClientSession() as session:
        while process.returncode is None and loop.time() < deadline:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as response:
                    if response.status == 200:
                        return True
            await asyncio.sleep(0.05)
    return False
