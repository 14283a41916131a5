"""The page and its files: read once, served from memory, addressed relatively for any path prefix."""

from __future__ import annotations

import mimetypes
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from aiohttp import web

_FOLDER: Final = Path(__file__).with_name("static")


class _File(NamedTuple):
    body: bytes
    content_type: str
    etag: str


@cache
def _files() -> dict[str, _File]:
    return {path.name: _read(path) for path in _FOLDER.iterdir() if path.is_file()}


def _read(path: Path) -> _File:
    body = path.read_bytes()
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return _File(body, content_type, sha256(body).hexdigest()[:16])


async def index(request: web.Request) -> web.Response:
    """GET /"""
    return _served(request, "index.html")


async def static(request: web.Request) -> web.Response:
    """GET /static/{file}"""
    return _served(request, request.match_info["file"])


def _served(request: web.Request, name: str) -> web.Response:
    file = _files().get(name)
    if file is None:
        raise web.HTTPNotFound
    headers = {"Cache-Control": "no-cache", "ETag": f'"{file.etag}"'}
    if any(
        known.value in (file.etag, "*") for known in request.if_none_match or ()
    ):  # weak where a proxy packs it
        return web.Response(status=304, headers=headers)
    text = file.content_type.startswith("text/")
    return web.Response(
        body=file.body, content_type=file.content_type, charset="utf-8" if text else None, headers=headers
    )
