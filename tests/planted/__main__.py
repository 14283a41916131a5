"""Plant each bug of ``faults`` in a copy of the checkout and run the tests that must notice it.

    python -m tests.planted [-j COPIES] [WORD …]      all of them, or those whose name or file contains a word

Prints a line each: caught by which test, or NOT CAUGHT. A test that fails without the bug as well has caught
nothing. At the end a table by part of the code. Exits with 1 when a bug was not caught or could not be planted
because the code it names has changed.
"""

from __future__ import annotations

import argparse
import compileall
import os
import py_compile
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .fault import Fault
from .faults import FAULTS, part_of

ROOT = Path(__file__).parents[2]
COPIED = (
    "streamq",
    "service",
    "bench",
    "tests",
    "docs",
    "pyproject.toml",
    ".env.example",
    "README.md",
    "Makefile",
    "compose.yaml",
)
LIMIT = 120.0
"""Seconds the tests of one bug may take: a bug that hangs the suite is noticed by it."""

TEST_LIMIT = 45
"""Seconds one test may take: the same."""


class Copy:
    """A copy of the checkout in which one bug at a time is planted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sound: dict[str, bool] = {}
        folder.mkdir()
        for part in COPIED:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / part)
        (folder / "streamq_service").symlink_to("service")  # the names under which they are installed
        (folder / "streamq_bench").symlink_to("bench")
        # by hash, not by time: a bug may come and go within the second that a time is good to
        by_hash = py_compile.PycInvalidationMode.CHECKED_HASH
        for part in ("streamq", "service"):
            compileall.compile_dir(folder / part, quiet=2, invalidation_mode=by_hash)

    def look(self, fault: Fault) -> str:
        """Plant it, run its tests, take it out again; how it ended, ``caught …`` where it was."""
        file = self._folder / fault.file
        sound = file.read_text()
        if sound.count(fault.sound) != 1:
            return f"CANNOT BE PLANTED: {fault.file} has it {sound.count(fault.sound)} times, not once"
        file.write_text(sound.replace(fault.sound, fault.planted))
        try:
            code, said = self._pytest(fault.words())
        finally:
            file.write_text(sound)
        return self._judged(fault, code, said)

    def _judged(self, fault: Fault, code: int | None, said: str) -> str:
        if code is None:
            return "caught: the tests do not end"
        if code == 0:
            return f"NOT CAUGHT by {fault.tests}"
        found = re.search(
            r"^(?:FAILED|ERROR) (\S+?\.py(?:::\S+?(?:\[.*?\])?)?)(?: - .*)?$", said, re.MULTILINE
        )
        if code not in (1, 4) or found is None:  # 4: an import failed, so that the named test is not found
            return f"NOT CAUGHT: pytest ended with {code}: {said[-600:]!r}"
        test = re.sub(r"\[.* at 0x.*\]$", "", found[1])  # an address is another in each process
        # a file that cannot be imported has no test that could be tried alone
        if not self._pass([test] if "::" in test else fault.words()):
            return f"NOT CAUGHT: {test} fails without it too"
        return f"caught by {test}"

    def _pass(self, words: list[str]) -> bool:
        key = " ".join(words)
        if key not in self._sound:
            self._sound[key] = self._pytest(words)[0] == 0
        return self._sound[key]

    def _pytest(self, words: list[str]) -> tuple[int | None, str]:
        """Its exit code, None where it had to be ended, and what it printed."""
        options = [
            "-x",
            "-q",
            "--no-header",
            "-p",
            "no:cacheprovider",
            "-p",
            "tests.planted.quickly",
            f"--timeout={TEST_LIMIT}",
        ]
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *words],
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": str(self._folder), "PYTHONDONTWRITEBYTECODE": "1"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            return (process.communicate(timeout=LIMIT)[0], process.returncode)[::-1]
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # its fixtures end the servers that they started
        try:
            return None, process.communicate(timeout=20)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return None, process.communicate()[0]


def chosen(words: list[str]) -> list[Fault]:
    """Those whose name, file or part contains one of the words; all without any."""
    return [f for f in FAULTS if not words or any(w in f"{f.name} {f.file} {part_of(f)}" for w in words)]


def main(faults: list[Fault], copies: int) -> int:
    """Look at each of them; 0 when all were caught."""
    caught: Counter[str] = Counter()
    planted = Counter(part_of(fault) for fault in faults)
    lock, number = threading.Lock(), 0
    with tempfile.TemporaryDirectory(prefix="sq-planted-") as folder:
        free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        for name in range(copies):
            free.put(Copy(Path(folder) / str(name)))

        def look(fault: Fault) -> None:
            nonlocal number
            copy, began = free.get(), time.monotonic()
            try:
                said = copy.look(fault)
            finally:
                free.put(copy)
            took = time.monotonic() - began
            with lock:
                number += 1
                caught[part_of(fault)] += said.startswith("caught")
                print(f"{number:>3}/{len(faults)}  {fault.name:<60} {said}  ({took:.0f} s)", flush=True)

        with ThreadPoolExecutor(copies) as pool:
            list(pool.map(look, faults))
    _print(planted, caught)
    return 0 if caught.total() == planted.total() else 1


def _print(planted: Counter[str], caught: Counter[str]) -> None:
    print(f"\n{'part':<12} {'planted':>8} {'caught':>8}")
    for part, count in planted.items():
        print(f"{part:<12} {count:>8} {caught[part]:>8}")
    print(f"{'all':<12} {planted.total():>8} {caught.total():>8}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__.split("\n", 1)[0])
    parser.add_argument("-j", dest="copies", type=int, default=2, help="how many to try at a time (2)")
    parser.add_argument("words", nargs="*", help="only those whose name, file or part contains one of them")
    given = parser.parse_args()
    sys.exit(main(chosen(given.words), given.copies))
