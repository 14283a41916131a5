"""Every example of the README and of docs/ runs, and prints what the page says it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..house.source import ROOT
from .markdown import blocks, pages
from .session import Session

OWN_SERVER = re.compile(r"^\$ (streamq|make) up\b|EmbeddedServer\(", re.MULTILINE)


def with_examples(*, own_server: bool) -> list[object]:
    """The pages with something to run: those that start their own server, or those that need one."""
    return [
        pytest.param(page, id=str(page.relative_to(ROOT)))
        for page in pages()
        if any(block.language in ("python", "console") for block in blocks(page))
        if bool(OWN_SERVER.search(page.read_text())) is own_server
    ]


@pytest.mark.parametrize("page", with_examples(own_server=True))
def test_a_page_that_starts_its_own_server_does_what_it_says(page: Path) -> None:
    with Session(page, {}) as session:
        session.follow()


@pytest.mark.keeps_keys
@pytest.mark.parametrize("page", with_examples(own_server=False))
def test_a_page_that_needs_a_server_does_what_it_says(page: Path, server_url: str, prefix: str) -> None:
    with Session(page, {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}) as session:
        session.follow()


def test_every_block_says_what_it_is() -> None:
    known = {"python", "console", "text", "mermaid", "json", "sh", "ini", "yaml", "nginx"}
    assert not [
        f"{page.name}:{block.line} is {block.language or 'nothing'!r}"
        for page in pages()
        for block in blocks(page)
        if block.language not in known
    ]


def test_the_comparison_sees_a_difference() -> None:
    session = Session(ROOT / "README.md", {})
    with session:
        shown = "id 1795449758578-0 at 2026-11-23T23:57:23.234Z in 3 ms"
        came = "id 1800000000000-7 at 2030-01-01T00:00:00.000Z in 14.5 ms"
        assert session._match(shown, came) == {
            "1795449758578-0": "1800000000000-7", "2026-11-23T23:57:23.234Z": "2030-01-01T00:00:00.000Z", "3": "14.5",
        }  # fmt: skip
        assert session._match("completed 3", "completed 4") is None
        assert session._match("a ... z", "a b c z") == {}
        assert session._match("a ... z", "a b c") is None


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
def test_a_page_that_shows_something_else_is_found(page: str, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(page)
    unreachable = {"STREAMQ_REDIS_URL": "redis://127.0.0.1:1", "STREAMQ_READY_TIMEOUT": "0.1"}
    with Session(tmp_path / "page.md", unreachable) as session, pytest.raises(AssertionError):
        session.follow()
