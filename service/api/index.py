"""The index of the API, and its document: what there is, for programs and for people."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

import streamq

from ..http.auth import Scope
from ..http.kept import kept
from ..http.openapi import words_of
from ..http.route import Asked, Callers, Route, Success
from ..site import Site

INDEX: Final = "/api/v1"
DOCUMENT: Final = INDEX + "/openapi.json"

TAGS: Final = {
    "jobs": "Send, look at, list and change jobs",
    "queues": "What each queue holds; pause, limit, empty and remove it",
    "groups": "Tenants and their parts in a queue: what waits, limits, pauses",
    "breakers": "Circuits that close the gate while too much fails",
    "shared-limits": "Limits from which several queues draw",
    "operations": "What is done to many jobs in the background",
    "schedules": "Jobs that are made again and again",
    "tasks": "What workers can do, with the JSON Schemas of payloads",
    "workers": "Who works, and on what",
    "slow": "What runs longest, now and in the last hour",
    "me": "What the key of a caller allows",
    "failures": "Failures that are alike, counted",
    "stats": "What jobs and messages came to, and how long they waited and ran",
    "capacity": "What the load takes, and how far the workers reach",
    "events": "What happens, as it happens",
    "audit": "Who changed what",
    "messages": "Text messages, e-mails and replies of models; their delivery and their recipients' wishes",
    "server": "Whether jobs are safe on the queue server, and how much room it has",
    "health": "Is it well; figures for Prometheus",
    "pages": "The index, this document, and the pages for people",
}
"""The resources, in the order in which people look for them."""
_BELOW_QUEUES: Final = {"breaker": "breakers"} | {
    name: name for name in ("jobs", "groups", "breakers", "failures", "stats")
}
"""What stands below a queue, and is a resource of its own."""
_BY_FIRST_WORD: Final = {
    **dict.fromkeys(("", "static", "docs", "openapi.json"), "pages"),
    **dict.fromkeys(("health", "ready", "metrics"), "health"),
    "autoscale": "capacity",
    **dict.fromkeys(("schedule-sms", "schedule-email", "ai-response", "webhooks", "deliveries"), "messages"),
    **dict.fromkeys(("opt-outs", "unsubscribe", "contacts", "channels", "inbox"), "messages"),
}
"""The resource of a path by its first word, where it is not that word."""


def tag_of(path: str) -> str:
    """The resource to which a path belongs."""
    words = [word for word in words_of(path) if not word.startswith("{")] or [""]
    below = _BELOW_QUEUES.get(words[1]) if words[0] == "queues" and len(words) > 1 else None
    return below or _BY_FIRST_WORD.get(words[0], words[0])


class Link(TypedDict):
    """Where something is, and what it is."""

    href: str
    title: str


class IndexDocument(TypedDict):
    """The name and the version of the service, and where its resources are."""

    name: str
    version: str
    links: dict[str, Link]


class OpenAPIDocument(TypedDict):
    """A document of OpenAPI 3.1."""

    openapi: str
    info: dict[str, Any]
    servers: list[dict[str, Any]]
    tags: list[dict[str, Any]]
    paths: dict[str, Any]
    components: dict[str, Any]


async def index(site: Site, _asked: Asked[None, None]) -> dict[str, Any]:
    """Every route that is asked without a name in its path."""
    base = site.settings.base_path
    found = {name: {"href": base + path, "title": title} for name, path, title in site.described.links}
    return {"name": "streamq", "version": str(streamq.__version__), "links": found}


async def document(site: Site, asked: Asked[None, None]) -> web.Response:
    """Made once, beside what else is answered: it takes a tenth of a second."""
    text, etag = await asyncio.to_thread(site.described.written)
    return kept(asked.request, text, etag, "application/json")


ROUTES: Final = (
    Route(
        method="GET", path=INDEX, handler=index, scope=Scope.READ,
        summary="what there is: the resources, and where they are",
        answers=(Success(200, "The index", IndexDocument),),
    ),
    Route(
        method="GET", path=DOCUMENT, handler=document, scope=None, without_keys=Callers.VISITS,
        summary="all routes as OpenAPI 3.1; `/api/docs` shows it to people",
        answers=(
            Success(200, "The document", OpenAPIDocument, headers=("ETag",)), Success(304, "It is as it was"),
        ),
    ),
)  # fmt: skip
