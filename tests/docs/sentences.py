"""Every sentence of the pages, with the tests that would fail if it were false: the list is `sentences.toml`.

A sentence that states no behaviour says in one word what it is instead: `KINDS`. After a page was edited,
``python -m tests.docs.sentences`` puts the list into the order of the pages, drops what is no longer said, and marks
what is new with ``"?"``, which the suite refuses until somebody has named its tests.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from ..house.source import ROOT
from .markdown import without_blocks

LIST = Path(__file__).with_name("sentences.toml")
PAGES = (
    "README.md", "docs/tutorial.md", "docs/security.md", "docs/explanation/guarantees.md",
    "docs/explanation/recovery.md", "docs/explanation/not-yet.md",
    *sorted(f"docs/how-to/{page.name}" for page in (ROOT / "docs" / "how-to").glob("*.md")),
)  # fmt: skip
"""The pages that tell a user what happens. The reference is written from the code, and the figures by the bench."""
KINDS = {
    "advice": "says what the reader should do",
    "reason": "says why something is as it is, and the sentence beside it says what",
    "pointer": "leads to another page, or says what the page is about",
    "example": "belongs to an example of the page, which the suite runs",
    "reference": "says what a reference page says that is written from the code",
    "figure": "gives a figure that the bench prints",
    "world": "is about a product, a protocol or a system that is not ours",
}

_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z`*\[(“\"]|\d)")
"""The end of a sentence. A heading in bold type belongs to the sentence after it."""
_ITEM = re.compile(r"^\s*(?:[-*]|\d+\.)\s+", re.MULTILINE)


def sentences(page: Path) -> Iterator[str]:
    """The sentences of a page in order, each on one line; a row of a table counts as one."""
    for paragraph in re.split(r"\n\s*\n", without_blocks(page)):
        lines = [line for line in paragraph.strip().splitlines() if not line.startswith(("#", "!["))]
        if lines and lines[0].startswith("|"):
            yield from (row.strip() for row in lines[2:])
            continue
        for item in _ITEM.split("\n".join(lines)):
            yield from (" ".join(said.split()) for said in _END.split(item) if said.strip())


def listed() -> dict[str, dict[str, list[str] | str]]:
    """By page: each sentence with its tests, or with the word that says what it is."""
    return tomllib.loads(LIST.read_text())


def renew() -> list[str]:
    """Write the list in the order of the pages; returns the sentences nobody has judged yet."""
    known, lines, new = listed() if LIST.exists() else {}, [], []
    for name in PAGES:
        if not (ROOT / name).exists():
            continue
        lines += ["", f"[{json.dumps(name)}]"]
        for said in dict.fromkeys(sentences(ROOT / name)):
            verdict = known.get(name, {}).get(said, "?")
            lines.append(f"{_quoted(said)} = {json.dumps(verdict)}")
            new += [f"{name}: {said}"] if verdict == "?" else []
    head = "# Each sentence of the pages, with the tests that keep it: see sentences.py."
    LIST.write_text("\n".join([head, *lines]) + "\n")
    return new


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    for sentence in renew():
        sys.stdout.write(f"not judged yet: {sentence}\n")
