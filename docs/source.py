"""Reading the source, and writing Markdown: what the reference pages are made with.

Docstrings and signatures are read from the text, not from imported objects, so that every Python and every version
of a dependency gives the same page.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
NOTE: Final = "<!-- Written by docs/generate.py from the code; change the code and run `make docs`. -->"


# -- reading the source -------------------------------------------------------------------------------------


def source(module: str) -> ast.Module:
    """The syntax tree of ``streamq/task.py``."""
    return ast.parse((ROOT / module).read_text())


def doc(module: str) -> str:
    """The docstring of a module."""
    return ast.get_docstring(source(module)) or ""


def tables(module: str, skip: int = 1) -> str:
    """The docstring of a module below its first ``skip`` paragraphs, as preformatted text."""
    return fenced("\n\n".join(doc(module).split("\n\n")[skip:]).replace("``", "`"))


def attribute_docs(body: list[ast.stmt]) -> dict[str, str]:
    """``name = …`` followed by a string: names and strings."""
    found = {}
    for node, following in pairwise(body):
        target: ast.expr | None = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign):
            target = node.targets[0]
        if isinstance(target, ast.Name) and isinstance(following, ast.Expr):
            found[target.id] = ast.literal_eval(following.value)
    return found


def classes(module: str) -> dict[str, ast.ClassDef]:
    """The classes of a module, by name."""
    return {node.name: node for node in source(module).body if isinstance(node, ast.ClassDef)}


# -- writing Markdown ---------------------------------------------------------------------------------------


def fenced(text: str) -> str:
    """Preformatted text."""
    return f"```text\n{text.strip(chr(10))}\n```"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table; bars inside a cell are escaped."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines)


def prose(text: str) -> str:
    """A docstring as Markdown: double back quotes become single ones."""
    return re.sub(r"``(.+?)``", r"`\1`", text)


def first_line(text: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return prose(" ".join((text or "").partition("\n\n")[0].split()))


def page(title: str, *parts: str) -> str:
    """A whole page."""
    return "\n\n".join([f"# {title}", NOTE, *parts]) + "\n"
