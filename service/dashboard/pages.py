"""The page and its files: read once, served from memory, addressed relatively for any path prefix."""

from __future__ import annotations

import mimetypes
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiohttp import web

from ..http.kept import kept
from ..http.marks import marked
from ..http.problems import NOT_FOUND, nothing_at
from ..http.route import Asked, Callers, Route, Success

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


async def index(_site: Any, asked: Asked[None, None]) -> web.Response:
    """The page."""
    return _served(asked.request, "index.html")


async def docs(_site: Any, asked: Asked[None, None]) -> web.Response:
    """The page of the API's document."""
    return _served(asked.request, "docs.html")


async def static(_site: Any, asked: Asked[None, None]) -> web.Response:
    """A script, a style or an image of it."""
    return _served(asked.request, asked.request.match_info["file"])


async def to_the_page(_site: Any, asked: Asked[None, None]) -> web.Response:
    """Relative addresses need the trailing slash."""
    headers = marked(asked.request, {"Location": f"{asked.request.path}/"})
    return web.Response(status=308, text="308: Permanent Redirect", headers=headers)


def _served(request: web.Request, name: str) -> web.Response:
    file = _files().get(name)
    if file is None:
        raise nothing_at(request.path)
    return kept(request, file.body, file.etag, file.content_type)


ROUTES: Final = (
    Route(
        method="GET", path="/", handler=index, scope=None, without_keys=Callers.VISITS,
        summary="the dashboard",
        answers=(Success(200, "The page", media="text/html", headers=("ETag",)), Success(304, "It is as it was")),
    ),
    Route(
        method="GET", path="/api/docs", handler=docs, scope=None, without_keys=Callers.VISITS,
        summary="the API to be read: a page that is made of `/api/v1/openapi.json`",
        answers=(Success(200, "The page", media="text/html", headers=("ETag",)), Success(304, "It is as it was")),
    ),
    Route(
        method="GET", path="/static/{file}", handler=static, scope=None,
        summary="its files",
        answers=(Success(200, "The file", media="*/*", headers=("ETag",)), Success(304, "It is as it was")),
        problems=(NOT_FOUND,),
    ),
)  # fmt: skip
TO_THE_PAGE: Final = Route(
    method="GET", path="", handler=to_the_page, scope=None, without_keys=Callers.VISITS,
    summary="leads to the dashboard, where the service stands below a path",
    answers=(Success(308, "Where it is", headers=("Location",)),),
)  # fmt: skip
