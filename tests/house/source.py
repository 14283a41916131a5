"""The source as the rules see it: files, their syntax trees and their imports."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Import(NamedTuple):
    """One name that a module imports: ``from module import name``, or ``import module`` with no name.

    ``when`` is ``"start"`` (as the module is loaded), ``"call"`` (inside a function) or ``"types"`` (for the
    type checker alone).
    """

    module: str
    name: str | None
    when: str
    line: int
    relative: bool = False


def python_files(*folders: str) -> list[Path]:
    """Every Python file of these folders of the checkout."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def shown(path: Path, line: int | None = None) -> str:
    """``folder/file.py:12``, as editors open it."""
    return f"{path.relative_to(ROOT)}" + (f":{line}" if line else "")


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def module_name(path: Path) -> str:
    """``streamq.worker.runner`` of ``streamq/worker/runner.py``; a package is named by its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[Import]:
    """All imports of a file, with relative ones made absolute."""
    name = module_name(path)
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    yield from _imports(tree_of(path), package, "start")


def _imports(node: ast.AST, package: list[str], when: str) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, None, when, child.lineno) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            above = package[: len(package) - child.level + 1] if child.level else []
            module = ".".join([*above, *([child.module] if child.module else [])])
            for alias in child.names:
                yield Import(module, alias.name, when, child.lineno, relative=child.level > 0)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _imports(child, package, "call")
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from (found for part in child.body for found in _imports_in(part, package, "types"))
            yield from (found for part in child.orelse for found in _imports_in(part, package, when))
        else:
            yield from _imports(child, package, when)


def _imports_in(statement: ast.stmt, package: list[str], when: str) -> Iterator[Import]:
    return _imports(ast.Module([statement], []), package, when)
