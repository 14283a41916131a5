"""Reading a body: bounded as it came, and bounded again as it is unpacked.

Nothing here runs before the caller is known, and aiohttp unpacks nothing by itself: what nobody reads costs nothing.
"""

from __future__ import annotations

import zlib
from typing import Final

from aiohttp import HttpVersion11, StreamReader, web

from .problems import BODY_TOO_LARGE, MALFORMED_ENCODING, UNSUPPORTED_ENCODING, Problem

_GZIP: Final = 16 + zlib.MAX_WBITS
_PACKINGS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}
_ZLIB: Final = 8
"""The low half of the first byte of a zlib stream; some senders of ``deflate`` leave the wrapping out."""


async def await_body(_request: web.Request) -> None:
    """For ``Expect: 100-continue``: the body is asked for when it is read, and not of callers that are refused."""


async def read_body(request: web.Request, limit: int) -> bytes:
    """The body, unpacked. Raises ``Problem`` 400, 413 or 415.

    ``limit`` in bytes holds for what is sent and for what comes of it, so that no body costs more than a plain one.
    """
    headers, content = request.headers, request.content
    wbits = _packing(request) if "Content-Encoding" in headers else None
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    if content.is_eof():  # as most come: with their headers, in one piece
        body = content.read_nowait()
        if len(body) > limit:
            raise _too_large(limit)
    else:
        if "Expect" in headers and request.version >= HttpVersion11:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # the answer is still to come
        body = await _received(content, limit)
    return body if wbits is None else _unpacked(body, wbits, limit)


def _packing(request: web.Request) -> int | None:
    """How the body is packed, for zlib; None when it is not."""
    said = ",".join(request.headers.getall("Content-Encoding", ())).strip().lower()
    if said in ("", "identity"):
        return None
    if said not in _PACKINGS:
        detail = "This Content-Encoding is not understood: send the body as it is, or packed once by gzip or deflate."
        raise Problem(UNSUPPORTED_ENCODING, detail, headers={"Accept-Encoding": "gzip, deflate"})
    return _PACKINGS[said]


async def _received(content: StreamReader, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
    return b"".join(chunks)


def _unpacked(body: bytes, wbits: int, limit: int) -> bytes:
    if wbits == zlib.MAX_WBITS and body and body[0] & 0x0F != _ZLIB:
        wbits = -wbits
    unpacker = zlib.decompressobj(wbits)
    try:
        plain = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise _broken() from None
    if len(plain) > limit:
        raise _too_large(limit)
    if not unpacker.eof or unpacker.unused_data:
        raise _broken()
    return plain


def _broken() -> Problem:
    detail = "The body is not what its Content-Encoding says: it cannot be unpacked, or does not end where it should."
    return Problem(MALFORMED_ENCODING, detail)


def _too_large(limit: int) -> Problem:
    detail = f"The body is too large: at most {limit:,} bytes are allowed."
    return Problem(BODY_TOO_LARGE, detail, headers={"Connection": "close"}, limit_bytes=limit)
