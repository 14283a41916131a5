"""A module imports from its own floor or those below, and nothing goes round in circles."""

from __future__ import annotations

import re
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

import pytest

import streamq

from .floors import FLOORS, ONLY_IN, SERVICE, UPPER
from .source import ROOT, Import, imports_of, module_name, python_files, shown

ENGINE = [path for path in python_files("streamq") if path != ROOT / "streamq" / "__init__.py"]
FOR_COMMANDS = {
    "streamq.cli.options", "streamq.cli.outlet", "streamq.runtime", "streamq.durations", "streamq.times",
    "streamq.settings", "streamq.exits", "streamq.cli.names", "streamq.otel",
}  # fmt: skip
"""What a command of another package is made of, its settings and exit codes; durations and times as people write."""
INSTALLED = {"streamq_service": "service", "streamq_bench": "bench"}


def part(module: str) -> str:
    """What FLOORS calls it: ``worker`` of ``streamq.worker.runner``."""
    return module.split(".")[1]


def stands_in(module: str, places: Iterable[str]) -> bool:
    """Whether it is one of these modules, or in one of these packages."""
    inner = module.removeprefix("streamq.")
    return any(inner == place or inner.startswith(f"{place}.") for place in places)


def floor_of(name: str) -> int:
    return next(number for number, names in enumerate(FLOORS.values()) if name in names)


def target(found: Import) -> str:
    """The module that is meant: ``from streamq import codec`` means ``streamq.codec``."""
    inner = f"{found.module}.{found.name}"
    where = ROOT.joinpath(*inner.split("."))
    return inner if where.with_suffix(".py").exists() or (where / "__init__.py").exists() else found.module


def top_of(found: Import) -> str:
    """The package, by the name of its folder in a checkout."""
    top = found.module.split(".")[0]
    return INSTALLED.get(top, top)


def test_every_module_of_the_engine_has_exactly_one_floor() -> None:
    named = [name for names in FLOORS.values() for name in names]
    assert len(named) == len(set(named))
    missing = {part(module_name(path)) for path in ENGINE} - set(named)
    assert not missing, f"say in tests/house/floors.py on which floor these stand: {sorted(missing)}"


def test_the_floors_are_documented_as_they_are() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
    rows = re.findall(r"^\| \*\*(\w+)\*\* \| ([^|]+) \|", page, re.MULTILINE)
    told = [
        (name, {word.rstrip("/") for word in re.findall(r"`([\w/]+)`", modules)}) for name, modules in rows
    ]
    assert told == [(name, set(modules)) for name, modules in reversed(FLOORS.items())]


def test_a_module_imports_from_its_own_floor_or_below() -> None:
    assert not [
        f"{shown(path, found.line)} imports {target(found)} from a floor above"
        for path in ENGINE
        for found in imports_of(path)
        if found.module.startswith("streamq.") or target(found).startswith("streamq.")
        if floor_of(part(target(found))) > floor_of(part(module_name(path)))
    ]


def test_only_the_mains_import_the_package_they_are_part_of() -> None:
    assert not [
        f"{shown(path, found.line)} imports {found.name or found.module} from the top of the package"
        for path in ENGINE
        for found in imports_of(path)
        if target(found) == "streamq" and part(module_name(path)) not in FLOORS["mains"]
    ]


def test_the_imports_of_the_engine_have_no_cycle() -> None:
    """Those for types and those inside functions count as well: what reads the one must read the other."""
    graph = {
        module_name(path): {
            target(found) for found in imports_of(path) if target(found).startswith("streamq.")
        }
        for path in ENGINE
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"imports go round: {' -> '.join(error.args[1])}")


def test_the_service_stands_on_floors_of_its_own() -> None:
    floors = {name: number for number, names in enumerate(SERVICE) for name in names}
    graph: dict[str, set[str]] = {}
    for path in python_files("service"):
        module = module_name(path)
        inner = [target(found) for found in imports_of(path) if target(found).startswith("service.")]
        graph[module] = {name for name in inner if name != module}
        if module != "service":
            above = [name for name in inner if floors[part(name)] > floors[part(module)]]
            assert not above, f"{shown(path)} imports from a floor above: {above}"
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"imports go round: {' -> '.join(error.args[1])}")


def test_a_foreign_package_is_imported_only_where_it_has_its_seam() -> None:
    assert not [
        f"{shown(path, found.line)} imports {found.module}"
        for path in ENGINE
        for found in imports_of(path)
        if not found.module.startswith("streamq.")
        if not stands_in(module_name(path), ONLY_IN.get(top_of(found), {part(module_name(path))}))
    ]


def test_the_engine_never_imports_what_stands_on_it() -> None:
    assert not [
        f"{shown(path, found.line)} imports {found.module}"
        for path in python_files("streamq")
        for found in imports_of(path)
        if top_of(found) in UPPER
    ]


def test_service_and_bench_import_only_what_the_engine_exports() -> None:
    assert not [
        f"{shown(path, found.line)} imports {found.name or found.module}, which the engine does not export"
        for path in python_files(*UPPER)
        for found in imports_of(path)
        if top_of(found) == "streamq"
        if found.module != "streamq" or found.name not in {None, *streamq.__all__}
        if found.module not in FOR_COMMANDS
    ]


def test_service_and_bench_do_not_reach_past_the_engine_or_for_each_other() -> None:
    assert not [
        f"{shown(path, found.line)} imports {found.module}"
        for path in python_files(*UPPER)
        for found in imports_of(path)
        if top_of(found) in UPPER[path.relative_to(ROOT).parts[0]]
    ]


def test_inside_service_and_bench_imports_are_relative() -> None:
    """A checkout has ``service``, an installation ``streamq_service``: only relative imports work in both."""
    assert not [
        f"{shown(path, found.line)} imports {found.module} by its full name"
        for path in python_files(*UPPER)
        for found in imports_of(path)
        if not found.relative and top_of(found) == path.relative_to(ROOT).parts[0]
    ]


def test_no_duty_needs_another() -> None:
    """What they share is in `duty`; `upkeep` puts them together, and roles take them from there."""
    shared = {"streamq.duties.duty", "streamq.duties.alarm", "streamq.duties.lost"}
    assert not [
        f"{shown(path, found.line)} imports {target(found)}"
        for path in python_files("streamq/duties")
        if path.stem not in ("upkeep", "scheduler")
        for found in imports_of(path)
        if target(found).startswith("streamq.duties.") and target(found) not in shared
    ]
