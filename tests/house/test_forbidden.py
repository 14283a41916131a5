"""What the source must not contain."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from .source import ROOT, imports_of, python_files, shown, tree_of

CODE = python_files("streamq", "service", "bench")
CLOCKS = {ROOT / "streamq" / "model" / "clock.py", ROOT / "service" / "clock.py"}
KEYS = ROOT / "streamq" / "model" / "keys.py"
SETTINGS = {ROOT / "streamq" / "settings" / "variables.py"}

UNSAFE_MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "yaml"}
UNSAFE_CALLS = {"eval", "exec", "__import__"}
WALL_CLOCK = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
OUTLETS = {"click.echo", "click.secho", "click.echo_via_pager", "sys.stdout", "sys.stderr", "print"}
ENVIRONMENT = {"os.environ", "os.getenv", "os.putenv"}

FORBIDDEN_HOSTS = {
    "50b406c2e27810088a43f04c80101f09e5117b5f7617acbf0f15ba33f70f50d9",
    "5ff32e7369f9a12d17216cc589e803307dd764f5dff8d2215e1da1af868dc093",
    "8743857e3ea00fd1c64bbc68b8af241954ad2c285e7a60340eec7ea5dcb200db",
    "87814dd775924cea79bef55a793fd9095ce6ed9af6444b529b98f9c85f3be2d3",
    "8b5bb5eb9d758455b8635855cf8aaf05b68775e3f83f0291e800ef338fb9783c",
    "a1c6c511fed75bcbae3623f870331bc2ae29f6e9a5b17b6bcd207d9bce664c3a",
    "a4aa2ac280bb8d1a0ce7a1be5a7bfb10292b49fe9435ad5cff19f421f3c70e41",
    "c06c417f0d41cf739f9626384633bd6090ecf8ccf202279ad81c08bdd23a1190",
}
"""SHA-256 of host names: package registries and other people's machines. They must not stand here either."""

FORBIDDEN_FOLDERS = {
    "00e13ed7af55b27622f1d6eab5bec0147e68efe28dc2b12461117afa1a5ed40e",
    "4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2",
    "4ea140588150773ce3aace786aeef7f4049ce100fa649c94fbbddb960f1da942",
    "7dfb4cf67742cb0660305e56ef816c53fcec892cae7f6ee39b75f34e659d672c",
    "cf10d3eb4b80f1fdd74306ab6e6152f1822b19451b959eba448ba2d0b2beb22b",
}
"""SHA-256 of the first folder of paths that exist on one machine alone."""

HOST = re.compile(r"(?<![a-z0-9-])[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE)
ABSOLUTE = re.compile(r"(?<![\w.~*<{})\]-])/([A-Za-z]+)/")


def names_in(path: Path) -> Iterator[tuple[str, int]]:
    """``datetime.now`` for every ``….datetime.now``, and every plain name."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute):
            yield ".".join(ast.unparse(node).split(".")[-2:]), node.lineno
        elif isinstance(node, ast.Name):
            yield node.id, node.lineno
    for found in imports_of(path):
        yield f"{found.module}.{found.name}", found.line


def texts() -> list[Path]:
    """Every text of the project; not the user's own `.env`."""
    top = [
        path for path in ROOT.iterdir() if path.is_file() and path.name not in {".env", ".coverage", ".git"}
    ]
    folders = ("streamq", "service", "bench", "tests", "docs", ".ci")
    inner = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(path for path in top + inner if "__pycache__" not in path.parts)


def digest(text: str) -> str:
    return hashlib.sha256(text.lower().encode()).hexdigest()


def domains(host: str) -> list[str]:
    """``a.b.c`` and each domain it is in: ``b.c``."""
    labels = host.split(".")
    return [".".join(labels[start:]) for start in range(len(labels) - 1)]


def used(names: set[str], allowed: set[Path]) -> list[str]:
    return [
        f"{shown(path, line)} uses {name}"
        for path in CODE
        if path not in allowed
        for name, line in names_in(path)
        if name in names
    ]


def test_nothing_runs_code_out_of_data() -> None:
    assert not used(UNSAFE_CALLS, set())
    assert not [
        f"{shown(path, found.line)} imports {found.module}"
        for path in CODE
        for found in imports_of(path)
        if found.module.split(".")[0] in UNSAFE_MODULES
    ]


def test_only_a_clock_module_reads_the_wall_clock() -> None:
    assert not used(WALL_CLOCK, CLOCKS)


def test_only_the_settings_read_the_environment() -> None:
    assert not used(ENVIRONMENT, SETTINGS)


def test_what_a_command_says_passes_the_one_outlet() -> None:
    """It shows control characters as escapes, as the logs do; the bench prints its own figures."""
    bench = {path for path in CODE if path.is_relative_to(ROOT / "bench")}
    assert not used(OUTLETS, {ROOT / "streamq" / "cli" / "outlet.py", ROOT / "streamq" / "logs.py", *bench})


def test_only_the_keys_module_builds_the_name_of_a_key() -> None:
    assert not [
        f"{shown(path, node.lineno)} builds a key: {node.value!r}"
        for path in CODE
        if path != KEYS
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.startswith("sq:") or node.value.endswith(":{")
    ]


def test_a_script_takes_its_keys_from_its_caller() -> None:
    scripts = list(ROOT.glob("streamq/redis/lua/**/*.lua"))
    assert scripts
    assert not [shown(path) for path in scripts if re.search(r"""['"]sq:""", path.read_text())]


def test_no_text_names_a_foreign_host() -> None:
    assert not [
        f"{shown(path)} names {host}"
        for path in texts()
        for host in set(HOST.findall(path.read_text(errors="ignore")))
        if {digest(name) for name in domains(host)} & FORBIDDEN_HOSTS
    ]


def test_no_text_has_a_path_of_one_machine() -> None:
    assert not [
        f"{shown(path)} has a path into /{folder}"
        for path in texts()
        for folder in set(ABSOLUTE.findall(path.read_text(errors="ignore")))
        if digest(folder) in FORBIDDEN_FOLDERS
    ]


def test_the_search_for_hosts_and_paths_finds_them() -> None:
    assert domains("a.example.com") == ["a.example.com", "example.com"]
    assert HOST.findall("redis://user:x@a.example.com:6379/0") == ["a.example.com"]
    text = 'open("/some/x") file:///else/y http://h.example/no/ a/no/b'
    assert ABSOLUTE.findall(text) == ["some", "else"]
