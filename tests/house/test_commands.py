"""Every Redis command is written in the store, by subject, or below it: nobody else sends one."""

from __future__ import annotations

import ast
from pathlib import Path

from streamq.store import server

from .source import imports_of, module_name, python_files, shown, tree_of

MAY_SEND = ("streamq.store.", "streamq.redis.")
SENDING = {
    "call",
    "calls",
    "call_home",
    "batch",
    "commands",
    "pipeline",
    "send_command",
    "run_each",
    "in_full",
}
"""Methods of connections and scripts that send what they are given, or make what is sent."""
COMMANDS = {
    *server._KEYED, *server._KEYLESS, "ACL", "CLIENT", "CONFIG", "EVAL", "EVALSHA", "HELLO", "INFO", "PUBLISH",
    "SUBSCRIBE", "WAIT", "WAITAOF", "XGROUP", "XINFO", "XREADGROUP",
}  # fmt: skip
OTHERS = [path for path in python_files("streamq") if not module_name(path).startswith(MAY_SEND)]


def first_of(node: ast.AST) -> object:
    """The first argument of a call, or the first part of a tuple, where it is written out."""
    parts = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
    return parts[0].value if parts and isinstance(parts[0], ast.Constant) else None


def sends(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SENDING


def found_in(path: Path) -> list[str]:
    return [
        shown(path, node.lineno)
        for node in ast.walk(tree_of(path))
        if sends(node) or (isinstance(node, ast.Call | ast.Tuple) and first_of(node) in COMMANDS)
    ]


def test_no_redis_command_is_written_outside_the_store() -> None:
    assert not [place for path in OTHERS for place in found_in(path)]


def test_no_script_is_called_outside_the_store() -> None:
    assert not [
        f"{shown(path, found.line)} imports the scripts"
        for path in OTHERS
        for found in imports_of(path)
        if "streamq.redis.scripts" in (found.module, f"{found.module}.{found.name}")
    ]
