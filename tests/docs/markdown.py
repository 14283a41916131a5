"""The pages as the tests see them: fenced blocks, links and headings."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..house.source import ROOT

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block; ``output`` is the text block right below it, which shows what it prints."""

    language: str
    text: str
    line: int
    output: str | None = None


def pages() -> list[Path]:
    """The README, the changelog and everything in docs/."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@functools.cache
def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order; an output is not a block of its own."""
    text, last_end = page.read_text(), -1
    found: list[Block] = []
    for fence in _FENCE.finditer(text):
        block = Block(fence["language"], fence["text"], text.count("\n", 0, fence.start()) + 1)
        between = text[last_end : fence.start()] if found else "-"
        if block.language == "text" and not between.strip() and found[-1].language == "python":
            found[-1] = found[-1]._replace(output=block.text)
        else:
            found.append(block)
        last_end = fence.end()
    return found


def typed(page: str, heading: str) -> list[str]:
    """The commands of the first block under a heading, without what is said beside each after two spaces or more."""
    path = ROOT / page
    line = path.read_text().splitlines().index(f"## {heading}") + 1
    block = next(block for block in blocks(path) if block.line > line)
    return [re.split(r" {2,}", command)[0] for command in block.text.splitlines()]


def without_blocks(page: Path) -> str:
    """The page's prose."""
    return _FENCE.sub("", page.read_text())


def links(page: Path) -> Iterator[str]:
    """The targets of the links and images in the prose."""
    return (found["target"] for found in _LINK.finditer(without_blocks(page)))


def anchors(page: Path) -> set[str]:
    """What ``page.md#…`` may name: its headings as GitHub writes them."""
    titles = _HEADING.findall(without_blocks(page))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
