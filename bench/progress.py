"""How far a run is: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time

import click


class Progress:
    """Says on stderr which scenario of how many runs, for how long, and of the ``limit`` in seconds at most."""

    def __init__(self, total: int, limit: float) -> None:
        self._total, self._limit, self._start = total, limit, time.monotonic()
        self._number, self._name = 0, ""
        self._live = sys.stderr.isatty()

    def begin(self, name: str, summary: str) -> None:
        """The next scenario."""
        self._number, self._name = self._number + 1, name
        self.line(summary)

    def say(self, text: str) -> None:
        """How far the scenario is: replaces the live line, or is a line of its own."""
        if not self._live:
            self.line(text)
            return
        elapsed, width = time.monotonic() - self._start, shutil.get_terminal_size().columns
        head = (
            f"[{self._number}/{self._total}] {self._name}  {_clock(elapsed)} of at most {_clock(self._limit)}"
        )
        click.echo(f"\r\x1b[K{head}  {text}"[: width + 4], err=True, nl=False)

    def line(self, text: str) -> None:
        """A line that stays."""
        click.echo(f"{chr(13) + chr(27) + '[K' if self._live else ''}{self._name:<9} {text}", err=True)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
