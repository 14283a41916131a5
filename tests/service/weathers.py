"""Bad weather: what a provider, a model or a callback target may answer when all goes wrong."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import zlib
from collections.abc import Callable
from typing import Final

from .providers import Say, answer

MEGABYTE: Final = 1 << 20
GIGABYTE: Final = 1 << 30
HTML: Final = b"<!doctype html><html><title>Sign in</title><body>Please sign in</body></html>"
OK: Final = b"HTTP/1.1 200 OK\r\n"


def then(said: bytes, after: Callable[[asyncio.StreamWriter], None] | None = None) -> Say:
    """What says this, and then nothing for a long time, or does something."""

    async def say(writer: asyncio.StreamWriter, _head: bytes) -> None:
        writer.write(said)
        await writer.drain()
        if after is None:
            await asyncio.sleep(60)
        else:
            after(writer)

    return say


def without_end(begin: bytes, again: bytes, total: int = GIGABYTE) -> Say:
    """What says a gigabyte, unless it is cut off."""

    async def say(writer: asyncio.StreamWriter, _head: bytes) -> None:
        writer.write(begin)
        for _ in range(total // len(again)):
            writer.write(again)
            await writer.drain()

    return say


def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection off, so that the other side is told."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def bomb() -> bytes:
    """Half a gigabyte of nothing, packed twice as HTTP has it."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([packer.compress(bytes(MEGABYTE)) for _ in range(256)]) + packer.flush()


TAKEN: Final[dict[str, bytes | Say]] = {
    "html": answer(200, HTML, Content_Type="text/html"),
    "nothing in it": answer(204),
    "shorter than it says": answer(200, b'{"id": "m"}', Content_Length="5000"),
    "stalls in the body": then(OK + b'Content-Length: 100\r\n\r\n{"id"'),
    "breaks off in the body": then(OK + b'Content-Length: 100\r\n\r\n{"id"', reset),
    "a gigabyte": without_end(OK + b"Content-Length: %d\r\n\r\n" % GIGABYTE, b"x" * 65_536),
    "a gigabyte in chunks": without_end(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n%b\r\n" % (b"x" * 65_536)
    ),
    "broken gzip": answer(200, gzip.compress(b"x" * 5_000)[:-20] + b"?" * 20, Content_Encoding="gzip"),
    "no gzip": answer(200, b"plain", Content_Encoding="gzip"),
    "a bomb": answer(200, bomb(), Content_Encoding="gzip"),
    "an unknown packing": answer(200, b"???", Content_Encoding="snappy, br"),
    "no utf-8": answer(200, b'{"id": "\xff\xfe"}', Content_Type="application/json; charset=utf-9"),
    "without a length": b"HTTP/1.0 200 OK\r\n\r\n" + HTML,
}  # fmt: skip
"""The status says that it was taken, so it was, whatever follows."""

AGAIN: Final[dict[str, bytes | Say]] = {
    "an error page": answer(503, HTML, Content_Type="text/html"),
    "a redirect": answer(302, b"", Location="http://127.0.0.1:9/"),
    "a redirect without a place": answer(301),
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "a shorter error than it says": answer(500, b"oh", Content_Length="5000"),
    "nothing": b"",
    "half a status line": b"HTTP/1.1 2",
    "a garbage status line": b"\x00\xff garbage\r\n\r\n",
    "a status that is none": b"HTTP/1.1 twohundred OK\r\n\r\n",
    "another language": b"220 mail.example.com ESMTP\r\n",
    "a length that is none": OK + b"Content-Length: -5\r\n\r\n",
    "two lengths": OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "a header without an end": without_end(OK + b"X: ", b"y" * 65_536),
    "headers without an end": without_end(OK, b"X: yyyyyyyy\r\n" * 5_000),
    "a status line without an end": without_end(b"HTTP/1.1 200 ", b"y" * 65_536),
    "stalls in the headers": then(OK + b"Content-Le"),
    "breaks off in the headers": then(OK + b"Content-Le", reset),
    "never answers": then(b""),
    "breaks off at once": then(b"", reset),
    "longer than it says": answer(200, b'{"id": "m"}' * 100, Content_Length="2"),
    "chunks that are none": OK + b"Transfer-Encoding: chunked\r\n\r\nnot a number\r\nx\r\n",
    "goes on being about to answer": without_end(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
}
"""Nobody knows, or it was not taken: it is tried again."""


def _event(text: str) -> bytes:
    return b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % text.encode()


STREAM: Final = OK + b"Content-Type: text/event-stream\r\nConnection: close\r\n\r\n"
_STOP: Final = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'

NO_REPLY: Final[dict[str, bytes | Say]] = {
    "garbage": STREAM + b"\x00\x01garbage\n" * 100,
    "garbage without an end": without_end(STREAM, b"garbage " * 1_000 + b"\n"),
    "lines without anything": without_end(STREAM, b"\n" * 65_536),
    "remarks without an end": without_end(STREAM, b": still thinking\n\n" * 4_000),
    "events that say nothing": without_end(STREAM, b"data: {}\n\n" * 4_000),
    "a line without an end": without_end(STREAM + b"data: ", b"x" * 65_536),
    "half a reply": STREAM + _event("Half "),
    "half an event": STREAM + _event("Half ") + b'data: {"choices":[{"del',
    "half a reply, broken off": then(STREAM + _event("Half "), reset),
    "half a reply, then nothing": then(STREAM + _event("Half ")),
    "no utf-8": STREAM + _event("Half ") + b'data: {"choices":[{"delta":{"content":"\xff\xfe"}}]}\n\n' + _STOP,
    "half a character": STREAM + b'data: {"choices":[{"delta":{"content":"\\ud800"}}]}\n\n' + _STOP,
    "other shapes": STREAM + b'data: {"choices":{"0":[]}}\n\ndata: {"choices":[[null]]}\n\n' + _STOP,
    "an empty reply": STREAM + _STOP + b"data: [DONE]\n\n",
    "one answer, no stream": answer(200, b'{"choices":[{"message":{"content":"Hello"}}]}'),
    "nested without an end": STREAM + b"data: " + b"[" * 50_000 + b"\n\n",
}  # fmt: skip
"""Streams of a model that are no reply."""

REPLIES: Final[dict[str, bytes | Say]] = {
    "ends without a mark": STREAM + _event("Hello.") + _STOP,
    "has a mark alone": STREAM + _event("Hello.") + b"data: [DONE]\n\n",
    "stalls after its end": then(STREAM + _event("Hello.") + _STOP),
    "breaks off after its end": then(STREAM + _event("Hello.") + _STOP, reset),
    "has other line ends": STREAM + (_event("Hello.") + _STOP).replace(b"\n", b"\r\n"),
    "counts garbage": STREAM
    + _event("Hello.")
    + _STOP
    + b'data: {"choices":[],"usage":{"total_tokens":-5}}\n\n',
}
"""Odd ones that are replies all the same."""
