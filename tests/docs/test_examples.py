"""Every example of the README and of docs/ runs, and prints what the page says it prints."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from ..house.source import ROOT
from ..postgres import Postgres
from ..rig import ON_ONE_SERVER
from . import session
from .markdown import blocks, pages

OWN_SERVER = re.compile(r"^\$ (streamq|make) up\b|EmbeddedServer\(", re.MULTILINE)
DATABASE = "$ streamq intake init\n"
"""A page with this line needs a database, too."""


def with_examples(*, own_server: bool = False, database: bool = False) -> list[object]:
    """The pages with something to run: those that start their own server, those that need one, or a database too."""
    return [
        pytest.param(
            page, id=str(page.relative_to(ROOT)), marks=pytest.mark.slow if page.name == "tutorial.md" else ()
        )
        for page in pages()
        if any(block.language in ("python", "console") for block in blocks(page))
        if (DATABASE in page.read_text()) is database
        if database or bool(OWN_SERVER.search(page.read_text())) is own_server
    ]


@pytest.mark.parametrize("page", with_examples(own_server=True))
def test_a_page_that_starts_its_own_server_does_what_it_says(page: Path) -> None:
    with session.Session(page, {}) as reader:
        reader.follow()


@ON_ONE_SERVER
@pytest.mark.keeps_keys
@pytest.mark.parametrize("page", with_examples())
def test_a_page_that_needs_a_server_does_what_it_says(page: Path, server_url: str, prefix: str) -> None:
    with session.Session(page, {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}) as reader:
        reader.follow()


@ON_ONE_SERVER
@pytest.mark.keeps_keys
@pytest.mark.parametrize("page", with_examples(database=True))
def test_a_page_that_needs_a_database_does_what_it_says(
    page: Path, server_url: str, prefix: str, postgres: Postgres
) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS reader WITH (FORCE)")
        connection.execute("CREATE DATABASE reader")
    servers = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_INTAKE_URL": postgres.url_of("reader")}
    with session.Session(page, {**servers, "STREAMQ_PREFIX": prefix}) as reader:
        reader.follow()


def test_no_block_is_skipped_because_its_language_is_misspelt() -> None:
    known = {"", "python", "console", "text", "mermaid", "nginx"}
    assert not [
        f"{page.name}:{block.line} is {block.language!r}"
        for page in pages()
        for block in blocks(page)
        if block.language not in known
    ]


def test_the_comparison_sees_a_difference() -> None:
    with session.Session(ROOT / "README.md", {}) as reader:
        shown = "id 1795449758578-0 at 2026-11-23T23:57:23.234Z in 3 ms"
        came = "id 1800000000000-7 at 2030-01-01T00:00:00.000Z in 14.5 ms"
        assert reader._match(shown, came) == {
            "1795449758578-0": "1800000000000-7", "2026-11-23T23:57:23.234Z": "2030-01-01T00:00:00.000Z", "3": "14.5",
        }  # fmt: skip
        assert reader._match("completed 3", "completed 4") is None
        assert reader._match("a ... z", "a b c z") == {}
        assert reader._match("a ... z", "a b c") is None


@pytest.mark.parametrize(
    "page",
    [
        "```console\n$ python -c 'print(1)'\n2\n```\n",
        "```console\n$ python \\\n    -c 'print(1)'\n2\n```\n",
        "```python\nprint(1)\n```\n\n```text\n2\n```\n",
        "```python\nraise ValueError\n```\n",
        "```console\n$ streamq api\nsomething else\n```\n",
    ],
)
def test_a_page_that_shows_something_else_is_found(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "PATIENCE", 2.0)
    (tmp_path / "page.md").write_text(page)
    unreachable = {"STREAMQ_REDIS_URL": "redis://127.0.0.1:1", "STREAMQ_READY_TIMEOUT": "0.1"}
    with session.Session(tmp_path / "page.md", unreachable) as reader, pytest.raises(AssertionError):
        reader.follow()
