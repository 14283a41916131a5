"""Every promise of docs/security.md names tests that exist."""

from __future__ import annotations

import ast
import re
import resource

import pytest
from aiohttp import web
from streamq_service.api import events
from streamq_service.http import connections

from ..house.source import ROOT, tree_of

PAGE = ROOT / "docs" / "security.md"
_ROW = re.compile(r"^\|(?! ---)(.+)\|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def promises() -> list[tuple[str, str]]:
    """What each row of a table says, and its last cell."""
    rows = [[cell.strip() for cell in row.split("|")] for row in _ROW.findall(PAGE.read_text())]
    return [(row[0], row[-1]) for row in rows if row[-1] != "Kept by"]


def test_every_promise_of_security_is_kept_by_tests_that_exist() -> None:
    unkept = [
        said for said, kept_by in promises() if not _TEST.search(kept_by) or _TEST.sub("", kept_by).strip()
    ]
    assert not unkept, "these rows do not end in names of tests"
    named = {found for _, kept_by in promises() for found in _TEST.findall(kept_by)}
    assert len(named) > 30
    assert not sorted(f"{path}::{name}" for path, name in named if not _exists(path, name))


def _exists(path: str, name: str) -> bool:
    file = ROOT / path
    return file.exists() and any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
        for node in tree_of(file).body
    )


def test_everyone_who_is_trusted_with_something_has_a_table() -> None:
    titles = re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE)
    assert len(titles) >= 8
    parts = re.split(r"^## .+$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    assert not [title for title, part in zip(titles, parts, strict=True) if not _TEST.search(part)]


async def test_the_bounds_of_the_doors_are_those_that_the_page_names(monkeypatch: pytest.MonkeyPatch) -> None:
    text = " ".join((ROOT / "docs" / "how-to" / "deploy.md").read_text().split())
    for said in (
        f"a header has {connections.HEADER:g} seconds, a body {connections.BODY:g}",
        f"one more for each {connections.BODY_RATE // 1024} KiB that have come",
        f"an answer that is not read {connections.UNREAD:g}, an idle connection {connections.KEEP_ALIVE:g}.",
        f"Headers may have {connections.WHOLE_HEADER // 1024} KiB in all.",
        f"A process serves {connections.CONNECTIONS:,} connections",
        f"above {events.HEARTBEAT:g} seconds, its heartbeat",
    ):
        assert said in text, said
    monkeypatch.setattr(resource, "getrlimit", lambda _: (500, 1_000))
    assert connections.Doors(web.Server(_nothing))._limit == 250, "half as many as it may open files"


async def _nothing(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response()
