"""Files and functions stay small enough to be read at once."""

from __future__ import annotations

import ast

from .source import ROOT, python_files, shown, tree_of

FILE = 400
FUNCTION = 50
FOLDERS = ("streamq", "service", "bench", "tests", "docs")


def test_a_file_is_at_most_400_lines_long() -> None:
    files = [*python_files(*FOLDERS), *ROOT.glob("streamq/redis/lua/**/*.lua")]
    assert not {shown(path): lines for path in files if (lines := len(path.read_text().splitlines())) > FILE}


def test_a_function_is_at_most_50_lines_long() -> None:
    assert not {
        f"{shown(path, node.lineno)} {node.name}": lines
        for path in python_files(*FOLDERS)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION
    }
