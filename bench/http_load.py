"""HTTP clients that each send a request, wait for the answer, and send the next.

They write prepared bytes and read no more of an answer than its status and length: a full client would take as much of
the processor as the server it measures.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from .figures import percentile

WARM: Final = 0.2
"""Seconds that are not counted."""


async def load(url: str, body: dict[str, Any], clients: int, seconds: float) -> dict[str, float]:
    """Requests a second, and median and 99th percentile of their microseconds.

    Raises ``RuntimeError`` for an answer that is neither 200 nor 201.
    """
    parts, times = urlsplit(url), list[float]()
    host, port = parts.hostname or "", parts.port or 80
    request = _request(parts.path, host, orjson.dumps(body))
    begin = time.monotonic_ns() + int(WARM * 1e9)
    counted = begin, begin + int(seconds * 1e9)
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(_client(host, port, request, counted, times))
    return {"rate": len(times) / seconds, "median": percentile(times, 0.5), "p99": percentile(times, 0.99)}


def _request(path: str, host: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )  # fmt: skip
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def _client(host: str, port: int, request: bytes, counted: tuple[int, int], times: list[float]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        while (start := time.monotonic_ns()) < counted[1]:
            writer.write(request)
            await _answered(reader)
            now = time.monotonic_ns()
            if start >= counted[0] and now <= counted[1]:
                times.append((now - start) / 1e3)
    finally:
        writer.close()


async def _answered(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    answer = await reader.readexactly(int(length))
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        raise RuntimeError(f"the server answered {head.decode().splitlines()[0]}: {answer.decode()}")
