"""What an editor shows: misspelt options, wrong payloads and unknown arguments are errors for type checkers too."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime
from typing import Any, get_args, get_overloads, get_type_hints

from streamq.declare import TaskDecorator
from streamq.durations import Duration
from streamq.model.durability import Durability
from streamq.options import OPTIONS, POLICY, RESERVED, EnqueueOptions, Priority
from streamq.unique import Unique

from ..house.source import ROOT

PROGRAM = ROOT / "tests" / "programs" / "typed.py"


def _checked(*checker: str) -> str:
    """What a type checker prints of the program."""
    done = subprocess.run(
        [sys.executable, "-m", *checker, PROGRAM],
        cwd=ROOT, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def _wrong() -> dict[int, str]:
    """The code of each wrong line, by its number."""
    lines = PROGRAM.read_text().splitlines()
    return {
        at: code[1] for at, line in enumerate(lines, 1) if (code := re.search(r"# wrong: ([a-z-]+)$", line))
    }


def test_mypy_finds_each_mistake_and_nothing_else() -> None:
    said = _checked("mypy", "--no-error-summary", "--hide-error-context")
    found = re.findall(r"typed\.py:(\d+): error: .*\[(\S+)\]$", said, re.MULTILINE)
    assert {(int(at), code) for at, code in found} == set(_wrong().items()), said


def test_pyright_finds_each_mistake_and_nothing_else() -> None:
    said = _checked("basedpyright", "--level", "error", "--pythonpath", sys.executable)
    found = re.findall(r"typed\.py:(\d+):\d+ - error", said)
    assert set(map(int, found)) == _wrong().keys(), said


def test_what_type_checkers_know_of_options_is_what_the_tables_say() -> None:
    forms: dict[str, Any] = {
        "duration": Duration, "time": datetime, "whole number": int, "text": str, "moment": Duration | datetime,
        "unique": Unique, "group": str,
    }  # fmt: skip
    choices: dict[str, Any] = {"durability": Durability, "priority": Priority}
    declared = {name: (choices.get(name) or forms[option.form]) | None for name, option in OPTIONS.items()}
    assert get_type_hints(EnqueueOptions) == declared
    assert OPTIONS["durability"].choices == get_args(Durability)
    assert OPTIONS["priority"].choices == get_args(Priority)
    assert not OPTIONS.keys() & RESERVED.keys()
    policy = get_overloads(TaskDecorator.__call__)[0]
    assert list(policy.__kwdefaults__) == list(POLICY)
