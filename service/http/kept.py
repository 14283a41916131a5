"""What callers may keep, and ask for again only where it has changed."""

from __future__ import annotations

from aiohttp import web

from .marks import marked


def kept(request: web.Request, body: bytes, etag: str, content_type: str) -> web.Response:
    """The whole of it, or 304 to a caller who has it as it is."""
    headers = marked(request, {"Cache-Control": "no-cache", "ETag": f'"{etag}"'})
    # compared without W/, which a proxy adds that packs it
    if any(known.value in (etag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    charset = "utf-8" if content_type.startswith("text/") else None
    return web.Response(body=body, content_type=content_type, charset=charset, headers=headers)
