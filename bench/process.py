"""Child processes: one of the roles of ``child``, or any program of ours. They always end with the bench."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Final, cast
from urllib.request import urlopen

import orjson

from .catalogue import ROOT

SERVED: Final = f"{__package__}.served:app"
"""The app with the tasks of the bench, for a command line."""
END: Final = 5.0
"""Seconds a child may take to end in order."""


class Gone(Exception):
    """A child ended before it had said what it was to say."""


class Child:
    """A process that reports in JSON lines, and whose standard input tells it to speak, to begin, or to end."""

    def __init__(self, process: Process, name: str) -> None:
        self.process, self.name = process, name

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    async def reports(self) -> AsyncIterator[dict[str, Any]]:
        """All its reports, to its end."""
        while line := await cast("StreamReader", self.process.stdout).readline():  # it was started with pipes
            yield orjson.loads(line)

    async def told(self) -> dict[str, Any]:
        """Its next report. Raises ``Gone``."""
        if line := await cast("StreamReader", self.process.stdout).readline():
            said: dict[str, Any] = orjson.loads(line)
            return said
        raise Gone(f"the {self.name} process ended with {await self.process.wait()}")

    async def stamps(self, count: int) -> dict[int, int]:
        """The next ``count`` starts: number of the job by monotonic ns. A job that starts twice counts once."""
        starts: dict[int, int] = {}
        while len(starts) < count:
            said = await self.told()
            starts.setdefault(said["number"], said["at"])
        return starts

    def say(self) -> None:
        """Ask what has run, or let a child that waits at its gate begin."""
        cast("StreamWriter", self.process.stdin).write(b"\n")

    async def starts(self) -> dict[int, int]:
        """When the jobs that have arrived since the last time began: number of the job by monotonic ns."""
        self.say()
        return await self.stamps((await self.told())["starts"])

    async def end(self) -> dict[str, Any]:
        """End it in order; what it has run in all, as ``Counter.tell`` says it. Raises ``Gone``."""
        self.close()
        return await self.told()

    def close(self) -> None:
        """Close its standard input: it ends then."""
        cast("StreamWriter", self.process.stdin).close()

    async def kill(self) -> None:
        """SIGKILL."""
        await _killed(self.process)


def role(name: str, *, log: IO[bytes] | None = None, **config: Any) -> AbstractAsyncContextManager[Child]:
    """A child in one of the roles of ``child``."""
    command = (sys.executable, "-m", f"{__package__}.child")
    return reporting(command, name, {"role": name, **config}, log=log)


@asynccontextmanager
async def reporting(
    command: Sequence[str], name: str, config: dict[str, Any], *, cwd: Path = ROOT, log: IO[bytes] | None = None
) -> AsyncIterator[Child]:  # fmt: skip
    """A program that takes JSON as its last argument and reports in JSON lines; ended in order with the block.

    It ends when its standard input does. What it says on standard error goes to ``log``, by default to ours.
    """
    arguments = (*command, orjson.dumps(config).decode())
    async with _running(arguments, cwd, stdin=PIPE, stdout=PIPE, stderr=log) as process:
        child = Child(process, name)
        yield child
        child.close()


@asynccontextmanager
async def program(*arguments: str, cwd: Path, log: Path, **environment: str) -> AsyncIterator[Process]:
    """A program with more in its environment; SIGTERM at the end of the block. Its output goes to ``log``."""
    given = (f"{name}={value}" for name, value in environment.items())
    command = ("env", "-u", "STREAMQ_REDIS_URL", *given, *arguments)
    with log.open("ab") as output:
        async with _running(command, cwd, stdin=DEVNULL, stdout=output, stderr=output) as process:
            yield process
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)


@asynccontextmanager
async def _running(command: Sequence[str], cwd: Path, **streams: Any) -> AsyncIterator[Process]:
    """A process in a session of its own: Ctrl-C is for the bench, which ends its children itself."""
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, start_new_session=True, **streams)
    try:
        yield process
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END):
                await process.wait()
    finally:
        await _killed(process)


async def _killed(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
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
    while process.returncode is None and loop.time() < deadline:
        with contextlib.suppress(OSError):  # it answers otherwise, or not at all
            await asyncio.to_thread(urlopen, url, timeout=1)
            return True
        await asyncio.sleep(0.05)
    return False


@asynccontextmanager
async def serving(role: str, *arguments: str, **environment: str) -> AsyncIterator[tuple[Process, str]]:
    """`streamq up` or `streamq api`, as people start it, and where it listens. Raises ``Gone``."""
    port = free_port()
    with TemporaryDirectory(prefix="streamq-bench-", ignore_cleanup_errors=True) as folder:
        data = ("--data-dir", f"{folder}/data") if role == "up" else ()
        command, url = streamq(role, *arguments, *data, "--port", str(port)), f"http://127.0.0.1:{port}"
        async with program(*command, cwd=ROOT, log=Path(folder) / "log", **environment) as process:
            if not await answers(f"{url}/ready", process):
                raise Gone(f"{url}/ready does not answer")
            yield process, url
