"""Each planted bug can be planted, changes something that still reads as code, and names tests that exist."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache

import pytest

from ..planted import __main__ as planting
from ..planted.fault import Fault
from ..planted.faults import FAULTS, PARTS, part_of
from .source import ROOT

NO_NAME = {"and", "or", "not", "redis", "valkey"}


@cache
def text_of(file: str) -> str:
    return (ROOT / file).read_text()


@cache
def names_in(file: str) -> set[str]:
    """The tests of a file."""
    functions = (
        n for n in ast.walk(ast.parse(text_of(file))) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return {function.name for function in functions if function.name.startswith("test_")}


def test_every_planted_bug_can_be_planted() -> None:
    found = {fault.name: text_of(fault.file).count(fault.sound) for fault in FAULTS}
    assert not {name: count for name, count in found.items() if count != 1}, (
        "correct the paths and the `sound` texts of these faults"
    )


def test_every_planted_bug_is_code_that_runs() -> None:
    for fault in FAULTS:
        assert fault.planted != fault.sound
        if fault.file.endswith(".py"):
            compile(text_of(fault.file).replace(fault.sound, fault.planted), fault.name, "exec")


def test_the_tests_of_every_planted_bug_exist() -> None:
    assert not {fault.name: missing for fault in FAULTS if (missing := missing_tests(fault))}


def test_bugs_are_chosen_by_part_file_or_name() -> None:
    for word in (part_of(FAULTS[0]), FAULTS[0].file, FAULTS[0].name):
        found = planting.chosen([word])
        assert FAULTS[0] in found
        assert all(word in f"{fault.name} {fault.file} {part_of(fault)}" for fault in found)
    assert planting.chosen([]) == list(FAULTS)


def test_a_bug_that_is_not_caught_is_told_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Judge:
        """Runs no tests."""

        def __init__(self, _folder: object) -> None:
            self.missed = FAULTS[1]

        def look(self, fault: Fault) -> str:
            return "NOT CAUGHT by it" if fault is self.missed else "caught by test_x"

    monkeypatch.setattr(planting, "Copy", Judge)
    assert planting.main(FAULTS[:1], 1) == 0
    assert planting.main(FAULTS[:3], 2) == 1
    said = capsys.readouterr().out
    assert f"{FAULTS[1].name:<60} NOT CAUGHT by it" in said
    assert f"{FAULTS[0].name:<60} caught by test_x" in said
    assert re.search(r"^all +3 +2$", said, re.MULTILINE)


def missing_tests(fault: Fault) -> list[str]:
    """The words for pytest that name no test."""
    words = fault.words()
    chosen = words.pop(words.index("-k") + 1) if "-k" in words else ""
    missing, known = list[str](), set[str]()
    for file, _, name in (word.partition("::") for word in words if word != "-k"):
        known |= {name.partition("[")[0]} if name else names_in(file)
        missing += known - names_in(file) if name else []
    return missing + [
        word
        for word in re.findall(r"\w+", chosen)
        if word not in NO_NAME and not any(word in name for name in known)
    ]


def test_the_planted_bugs_have_names_of_their_own_and_are_spread_over_all_parts() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    counts = Counter(map(part_of, FAULTS))
    assert set(counts) == set(PARTS)
    assert min(counts.values()) >= 5
