"""Mail servers of another kind: they speak SMTP up to a step, and do there what they are told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

Do = Callable[[asyncio.StreamWriter], Awaitable[None]]
STEPS = ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", ".")
"""Of a message, in order: ``.`` is its end."""
_WELL = {"CONNECT": "220 ready", "EHLO": "250 hello", "DATA": "354 go on", "QUIT": "221 bye"}


@dataclass
class Post:
    """What it does at each step, and how many messages it has taken."""

    does: dict[str, str | bytes | Do] = field(default_factory=dict)
    """An answer without its line end, as text where it is a refusal, or something else; by step, or by ``<`` and the
    begin of a recipient."""
    times: int = 1_000_000
    """How often it does so; after that all is well."""
    url: str = ""
    taken: list[bytes] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await self._at("CONNECT", "CONNECT", writer)
            while line := await reader.readline():
                step = line.split()[0].upper().decode("latin-1") if line.strip() else ""
                well = await self._at(step, line.decode("latin-1"), writer)
                if well and step == "DATA":
                    content = await reader.readuntil(b"\r\n.\r\n")
                    if await self._at(".", "", writer):
                        self.taken.append(content)

    async def _at(self, step: str, line: str, writer: asyncio.StreamWriter) -> bool:
        """Whether all is well."""
        found = next(
            (each for name, each in self.does.items() if name == step or (name[0] == "<" and name in line)),
            None,
        )
        if found is not None and self.times > 0:
            self.times -= 1
            if isinstance(found, bytes):
                writer.write(found + b"\r\n")
                return True
            if isinstance(found, str):
                writer.write(found.encode("latin-1") + b"\r\n")
                if found.startswith("421"):
                    writer.close()
            else:
                await found(writer)
            return False
        writer.write(_WELL.get(step, "250 OK").encode() + b"\r\n")
        return True


async def drops(writer: asyncio.StreamWriter) -> None:
    """Close without a word."""
    writer.close()


async def never_answers(_writer: asyncio.StreamWriter) -> None:
    """Stay silent."""
    await asyncio.sleep(60)


async def a_line_without_end(writer: asyncio.StreamWriter) -> None:
    """A gigabyte on one line."""
    writer.write(b"250 ")
    for _ in range(16_384):
        writer.write(b"x" * 65_536)
        await writer.drain()


async def lines_without_end(writer: asyncio.StreamWriter) -> None:
    """A gigabyte of lines that all say that another one comes."""
    for _ in range(16_384):
        writer.write(b"250-more\r\n" * 6_553)
        await writer.drain()


async def slowly(writer: asyncio.StreamWriter) -> None:
    """An answer that takes its time."""
    await asyncio.sleep(0.25)
    writer.write(b"250 OK\r\n")


async def half_a_line(writer: asyncio.StreamWriter) -> None:
    """Stall in the middle of an answer."""
    writer.write(b"25")
    await writer.drain()
    await asyncio.sleep(60)


@contextlib.asynccontextmanager
async def post_office(post: Post) -> AsyncIterator[Post]:
    """It serves on a free port of this machine."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await post.serve(reader, writer)

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    async with server:
        post.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield post
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the transports close in the next round of the loop
