"""A misspelt option, a wrong payload and an unknown argument are errors for the type checker too."""

from __future__ import annotations

import re
import subprocess
import sys

from ..house.source import ROOT

PROGRAM = ROOT / "tests" / "programs" / "typed.py"


def test_a_type_checker_finds_each_mistake_and_nothing_else() -> None:
    lines = PROGRAM.read_text().splitlines()
    wrong = {
        (at, code[1]) for at, line in enumerate(lines, 1) if (code := re.search(r"# wrong: ([a-z-]+)$", line))
    }
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context", PROGRAM],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    found = re.findall(r"typed\.py:(\d+): error: .*\[(\S+)\]$", done.stdout, re.MULTILINE)
    assert {(int(at), code) for at, code in found} == wrong, done.stdout + done.stderr
