"""A page is followed as a reader would: its files are written, its programs and commands run, their output compared.

A python block that begins with ``# name.py`` is a file. Any other is run as a program, and prints the text block
right below it. In a console block, what follows a command is its output. Ids, times, ports and the like differ from
run to run: where the page shows one, any other will do, and later commands on the page mean the one that came.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

import pytest

from bench.process import free_port

from .markdown import Block, blocks

LONG_RUNNING = re.compile(
    r"(\w+=\S+ )*(streamq (up|api|worker|scheduler|sandbox)\b(?!.*--help)|make up|uvicorn )"
)
RUN = re.compile(r"(\w+=\S+ )*(streamq (?!bench)|curl |python (?!-m bench)|redis-cli |kill )")
_COMMAND = re.compile(r"(?:[^\n]*\\\n)*[^\n]*\n")
"""A command may go on after a backslash at the end of its line."""
LOOKS = re.compile(
    r"streamq (queues|intake status|workers|stats|job (get|ls|why)|doctor)\b|curl (?!.*(-d|-X|--data)\b)"
)
"""Commands that may be repeated until they say what the page shows."""
VARIES = re.compile(
    r"""\d{13}-\d+ | \d{4}-\d\d-\d\dT[\d:.]+Z | \b\d\d:\d\d:\d\d\b    # ids and times
    | \b\w+-\d+-[0-9a-f]{8}\b | \b[0-9a-f]{16}\b | \bvm\b              # workers, requests, the host
    | (?<=127\.0\.0\.1:)\d+ | \b\d{4,7}\b | (Redis|Valkey)\ [\d.]+     # ports, processes, the server
    | [+-]?\d+(\.\d+)?(?=\ ?(ms|MiB|s)\b) | (?<=_ms":)[\d.]+ | \.\.\.   # measures; three dots stand for anything
    """,
    re.VERBOSE,
)
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""A reader of a page need not have our plug-ins."""
PATIENCE = 20.0
"""Seconds until a command says what the page shows."""


class Session:
    """One reader of one page, in a folder of their own."""

    def __init__(self, page: Path, environment: dict[str, str]) -> None:
        self.page = page
        self.folder = Path(tempfile.mkdtemp(prefix="sq-"))  # short: a socket's path has about 100 bytes
        (self.folder / ".curlrc").write_text("silent\nshow-error\n")  # as it is at a terminal
        self.port = free_port()
        ours = {
            name: value for name, value in os.environ.items() if not name.startswith(("STREAMQ_", "SMS_"))
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {
            **ours,
            "PATH": path,
            "STREAMQ_PORT": str(self.port),
            **ALONE,
            "CURL_HOME": str(self.folder),
            **environment,
        }
        self.sandbox_port = free_port()
        self.met = {
            "127.0.0.1:8000": f"127.0.0.1:{self.port}",
            "127.0.0.1:8025": f"127.0.0.1:{self.sandbox_port}",
            "streamq sandbox": f"streamq sandbox --port {self.sandbox_port}",
            "make up": "streamq up --demo",
            "uvicorn": f"uvicorn --port {self.port}",
        }
        self.running: list[tuple[str, subprocess.Popen[bytes], Path]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        for _, process, _ in reversed(self.running):
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder)

    def follow(self) -> None:
        """Do all that the page says."""
        for block in blocks(self.page):
            if block.language == "python":
                self._program(block)
            elif block.language == "console":
                self._console(block)

    def _program(self, block: Block) -> None:
        named = re.match(r"# (\w+\.py)\n", block.text)
        if named:
            (self.folder / named[1]).write_text(block.text)
            return
        said = self._run([sys.executable, "-c", block.text], block.line)
        if block.output is not None:
            self._compare(block.output, said, block.line)

    def _console(self, block: Block) -> None:
        for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            said = _COMMAND.match(part)
            assert said is not None
            command, expected = said[0], part[said.end() :]
            command = self._as_met(command.strip())
            if LONG_RUNNING.match(command):
                self._start(command, expected, block.line)
            elif RUN.match(command):
                self._do(command, expected, block.line)

    def _as_met(self, command: str) -> str:
        shown = "|".join(map(re.escape, sorted(self.met, key=len, reverse=True)))
        return re.sub(rf"(?<![\w-])({shown})(?![\w-])", lambda found: self.met[found[0]], command)

    def _meet(self, matched: dict[str, str]) -> None:
        """Remember what came for what the page shows; the process id inside a worker's name too."""
        for shown, came in matched.items():
            self.met.setdefault(shown, came)
            if re.fullmatch(r"\w+-\d+-[0-9a-f]{8}", shown):
                self.met.setdefault(shown.split("-")[1], came.split("-")[-2])

    def _start(self, command: str, expected: str, line: int) -> None:
        log = self.folder / f"log{len(self.running)}"
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec env {command}"], cwd=self.folder, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            )  # fmt: skip
        self.running.append((command, process, log))
        shown = _somewhere(expected.removeprefix("installing into .venv ...\n"))
        end = time.monotonic() + PATIENCE
        while (matched := self._match(shown, log.read_text())) is None or not _ready(log.read_text()):
            told = f"{self._at(line)}: `{command}` says\n{log.read_text()}\ninstead of\n{expected}"
            assert process.poll() is None, told
            assert time.monotonic() < end, told
            time.sleep(0.02)
        self._meet(matched)

    def _do(self, command: str, expected: str, line: int) -> None:
        program = next(word for word in shlex.split(command) if "=" not in word)
        if program != "kill" and shutil.which(program, path=self.environment["PATH"]) is None:
            pytest.skip(f"{program} is not installed")
        end, pause = time.monotonic() + PATIENCE, 0.1
        while True:
            said = self._run(["/bin/sh", "-c", command], line, may_fail=True)
            if not expected.strip() or self._match(expected, said) is not None:
                break
            if not LOOKS.match(command) or time.monotonic() > end:
                break
            time.sleep(pause)
            pause = min(2 * pause, 1.0)  # what takes that long is not looked for all the while
        if expected.strip():
            self._compare(expected, said, line)

    def _run(self, words: list[str], line: int, *, may_fail: bool = False) -> str:
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert may_fail or done.returncode == 0, (
            f"{self._at(line)} ends with {done.returncode}:\n{done.stdout}"
        )
        return done.stdout

    def _compare(self, expected: str, said: str, line: int) -> None:
        matched = self._match(expected, said)
        assert matched is not None, f"{self._at(line)} shows\n{expected}\nbut this came:\n{said}"
        self._meet(matched)

    def _match(self, expected: str, said: str) -> dict[str, str] | None:
        """What each varying part of ``expected`` is in ``said``; None when the rest differs."""
        pattern, shown, at, expected = "", [], 0, expected.strip()
        for part in VARIES.finditer(expected):
            pattern += _literal(expected[at : part.start()]) + (".*?" if part[0] == "..." else r"([^\s\"]+?)")
            if part[0].startswith(("Redis", "Valkey")):
                pattern = pattern.removesuffix(r"([^\s\"]+?)") + r"(\w+ [\d.]+)"
            shown += [part[0]] if part[0] != "..." else []
            at = part.end()
        found = re.fullmatch(pattern + _literal(expected[at:]), said.strip(), re.DOTALL)
        return dict(zip(shown, found.groups(), strict=True)) if found else None

    def _at(self, line: int) -> str:
        return f"{self.page.name}:{line}"


def _literal(text: str) -> str:
    return r"\s+".join(map(re.escape, re.split(r"\s+", text)))


def _somewhere(expected: str) -> str:
    """Between the lines of a log there may be others."""
    return "...".join(["", *(line for line in expected.splitlines() if line.strip()), ""])


def _ready(log: str) -> bool:
    """Whether a role has said that it works."""
    return bool(re.search(r"worker \S+: |Try:|promoter|streamq (api|sandbox): |Uvicorn running", log))
