"""What callers may keep, and ask for again only where it has changed."""

from __future__ import annotations

from functools import lru_cache

from aiohttp import web

from .marks import marked
from .packed import PACKED_FROM, headers_of, packed, takes_gzip

_packed = lru_cache(256)(packed)
"""The same few files are asked for again and again."""


def knows(request: web.Request, etag: str) -> bool:
    """Whether the caller has what is of this tag: compared without W/, which is added where an answer is packed."""
    return any(known.value in (etag, "*") for known in request.if_none_match or ())


def kept(request: web.Request, body: bytes, etag: str, content_type: str) -> web.Response:
    """The whole of it, or 304 to a caller who has it as it is."""
    own = {"Cache-Control": "no-cache", "ETag": f'"{etag}"'}
    headers = marked(request, own)
    if len(body) >= PACKED_FROM and takes_gzip(request):
        body, headers = _packed(body), marked(request, headers_of(own))
    if knows(request, etag):
        headers.pop("Content-Encoding", None)
        return web.Response(status=304, headers=headers)
    charset = "utf-8" if content_type.startswith("text/") else None
    return web.Response(body=body, content_type=content_type, charset=charset, headers=headers)
