"""Plant each bug of ``faults`` in a copy of the checkout and run the tests that must notice it.

    python -m tests.planted [NAME …]      all of them, or those whose name contains one of the words

Prints a line each: caught by which test, or NOT CAUGHT. Exits with 1 when one was not caught, and says so when a
bug cannot be planted because the code it names has changed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .fault import Fault
from .faults import FAULTS

ROOT = Path(__file__).parents[2]
PARTS = (
    "streamq",
    "service",
    "bench",
    "tests",
    "docs",
    "pyproject.toml",
    ".env.example",
    "README.md",
    "Makefile",
)
LIMIT = 300.0
"""Seconds the tests of one bug may take: a bug that hangs the suite is noticed by it."""


def main(words: list[str]) -> int:
    chosen = [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="sq-planted-") as folder:
        copy = _copied(Path(folder))
        for number, fault in enumerate(chosen, 1):
            began = time.monotonic()
            said = _try(copy, fault)
            missed += not said.startswith("caught")
            print(
                f"{number:>3}/{len(chosen)}  {fault.name:<60} {said}  ({time.monotonic() - began:.0f} s)",
                flush=True,
            )
    print(f"{len(chosen) - missed} of {len(chosen)} planted bugs were caught")
    return 1 if missed else 0


def _copied(folder: Path) -> Path:
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    (folder / "streamq_service").symlink_to("service")  # the names under which they are installed
    (folder / "streamq_bench").symlink_to("bench")
    return folder


def _try(copy: Path, fault: Fault) -> str:
    file = copy / fault.file
    sound = file.read_text()
    if sound.count(fault.sound) != 1:
        return f"CANNOT BE PLANTED: {fault.file} has it {sound.count(fault.sound)} times, not once"
    file.write_text(sound.replace(fault.sound, fault.planted))
    try:
        return _suite(copy, fault.tests)
    finally:
        file.write_text(sound)


def _suite(copy: Path, tests: str) -> str:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
        *tests.split(),
    ]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        command, cwd=copy, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        said, _ = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.communicate()
        return "caught: the suite does not end"
    if process.returncode == 0:
        return f"NOT CAUGHT by {tests}"
    found = re.search(r"^(?:FAILED|ERROR) \S+?(?:::(\S+))?(?: |$)", said, re.MULTILINE)
    if process.returncode != 1 or found is None:
        return f"NOT CAUGHT: pytest ended with {process.returncode}: {said[-400:]!r}"
    return f"caught by {found[1] or 'an import'}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
