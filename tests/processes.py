"""Worker processes for tests, and the ledger of what ran in them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = "tests.programs.jobs:app"


def without_settings(**more: str) -> dict[str, str]:
    """Our environment without settings of streamq, and what a program shall have beside it."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("STREAMQ_")}
    return {**ours, **more}


def kill(process: psutil.Process) -> None:
    """SIGKILL, unless it has ended by itself since it was chosen."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


class Line(NamedTuple):
    """One line of the ledger. ``at`` is monotonic, the same clock for all processes of the machine."""

    event: str
    job_id: str
    attempt: int
    pid: int
    number: int
    at: float


class Fleet:
    """Worker processes on one server. ``start`` returns the process; all are killed at the end."""

    def __init__(self, url: str, folder: Path, settings: dict[str, Any]) -> None:
        self.folder = folder
        given = {**settings, "redis_url": url, "data_dir": str(folder)}
        settings = {f"STREAMQ_{name.upper()}": str(value) for name, value in given.items()}
        self.environment = without_settings(**settings, PYTHONPATH=str(ROOT))
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        return self.run("streamq", "worker", PROGRAM, *options)

    def run(self, module: str, *words: str) -> subprocess.Popen[bytes]:
        """Any other program."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.processes.append(process)
        return process

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def ledger(self, event: str = "") -> list[Line]:
        """What handlers wrote down, in order."""
        file = self.folder / "ledger"
        lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        told = [Line(e, i, int(a), int(p), int(n), float(at)) for e, i, a, p, n, at in lines]
        return [line for line in told if event in ("", line.event)]

    def close(self) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(10)


@pytest.fixture
def fleets(tmp_path: Path) -> Iterator[list[Fleet]]:
    """Fleets to be ended with the test."""
    made: list[Fleet] = []
    yield made
    for fleet in made:
        fleet.close()
