"""The comparison with other systems says of each feature what the code has, and what it lacks."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import click
from streamq_service.app import ROUTES
from streamq_service.settings import ServiceSettings

import streamq
from streamq.cli import main
from streamq.options import POLICY

from ..house.source import ROOT

PAGE = (ROOT / "docs" / "compare.md").read_text()
ROW = re.compile(r"^\| (.+?) \| \*\*(yes|part|no)\*\*(.*?) \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)
ROWS = [(found[1], found[2], found[3]) for found in ROW.finditer(PAGE)]
OPTIONS = {*streamq.OPTIONS, *POLICY, *streamq.SCHEDULING}
OF_HTTP = {"Prefer: wait=N", "Idempotency-Key", "XADD"}
"""Words of protocols, which are no names of ours."""
SYSTEMS = {
    "BullMQ", "Bull Board", "Sidekiq", "asynq", "River", "Oban", "Celery", "Dramatiq", "RQ", "arq", "SAQ", "streaQ",
    "taskiq", "docket", "Hatchet", "Faktory", "SQS / Cloud Tasks",
}  # fmt: skip


@cache
def commands() -> set[str]:
    """Every command, and every word that has commands under it."""

    def below(group: click.Command, name: str) -> Iterator[str]:
        yield name
        if isinstance(group, click.Group):
            context = click.Context(group)
            for inner in group.list_commands(context):
                found = group.get_command(context, inner)
                yield from below(found, f"{name} {inner}") if found else ()

    return set(below(main, "streamq"))


def is_there(name: str) -> bool:
    """Whether the code has what a row names."""
    if name in OF_HTTP or name == "App.state":  # an attribute of each app
        return True
    if name.startswith("streamq "):
        return name in commands()
    if re.match(r"(GET|POST|PUT|PATCH|DELETE) /", name):
        return tuple(name.split()) in {(route.method, route.path) for route in ROUTES}
    if name.startswith("STREAMQ_"):
        return name in {variable for several in ServiceSettings.variables().values() for variable in several}
    if name.endswith("="):
        return name[:-1] in OPTIONS
    return is_public(*name.split("."))


def is_public(first: str, *rest: str) -> bool:
    """Whether ``streamq`` exports it, and it has such an attribute or field."""
    if first not in streamq.__all__:
        return False
    found: Any = getattr(streamq, first)
    fields = {field.name for field in dataclasses.fields(found)} if dataclasses.is_dataclass(found) else set()
    return not rest or (len(rest) == 1 and (rest[0] in fields or hasattr(found, rest[0])))


def names(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_each_row_has_an_answer_and_names_systems_that_were_looked_at() -> None:
    rows = [
        line
        for line in PAGE.splitlines()
        if line.startswith("| ") and not line.startswith(("| Feature", "| ---"))
    ]
    assert len(rows) == len(ROWS) == len({feature for feature, _, _ in ROWS}) > 130
    for found in ROW.finditer(PAGE):
        others = [
            name.removesuffix(" **?**") for cell in found.groups()[3:] for name in cell.split(", ") if name
        ]
        assert set(others) <= SYSTEMS
        assert len(others) == len(set(others)), f"{found[1]}: a system stands in two columns"


def told_to_be(*, there: bool) -> list[tuple[str, str]]:
    """Features with the names that their rows say are there, or that streamq lacks: a part of a cell ends at ``;``."""
    return [
        (feature, name)
        for feature, _, told in ROWS
        for part in told.split("; ")
        if ("lacks" in part) is not there
        for name in names(part)
    ]


def test_what_a_row_names_is_there() -> None:
    assert not [row for row in told_to_be(there=True) if not is_there(row[1])]


def test_what_a_row_says_streamq_lacks_is_not_there() -> None:
    by_now = [row for row in told_to_be(there=False) if is_there(row[1])]
    assert not by_now, "these are there by now: say so in docs/compare.md"


def test_every_option_is_in_some_row() -> None:
    there = {name[:-1] for _, name in told_to_be(there=True) if name.endswith("=")}
    assert not OPTIONS - there - {"name"}, "a feature that has an option belongs into docs/compare.md"
    lacking = {name[:-1] for _, name in told_to_be(there=False) if name.endswith("=")}
    assert not {*streamq.RESERVED} - lacking, "a reserved option is a feature that is lacking"
