"""``streamq top`` on a terminal: a screen of its own, which never has more than there is room for."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import streamq
from streamq.cli.top import _lines

from ..processes import without_settings
from ..rig import ON_ONE_SERVER, until

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
QUEUES = 60
SIZES = [(24, 80), (5, 20), (60, 200), (2, 10), (1, 1), (12, 40), (13, 80), (100, 100)]
PATIENCE = 20


class Terminal:
    """One of a size, and all that was written to it."""

    def __init__(self, place: int) -> None:
        self.place, self.text = place, ""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.place, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def frames(self) -> list[list[str]]:
        """The lines of each full screen."""
        found = re.findall(r"\x1b\[H(.*?)\x1b\[J", self.text, re.DOTALL)
        return [frame.replace("\x1b[K", "").replace("\r", "").split("\n") for frame in found]

    def read_until(self, met: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not met():
            assert time.monotonic() < end, self.text[-2000:]
            if select.select([self.place], [], [], 0.5)[0]:
                self.text += self._more()

    def _more(self) -> str:
        try:
            return os.read(self.place, 65_536).decode()
        except OSError:  # nobody has its other end any more
            return ""


@contextmanager
def top(**environment: str) -> Iterator[tuple[subprocess.Popen[bytes], Terminal]]:
    ours, theirs = pty.openpty()
    terminal = Terminal(ours)
    terminal.resize(24, 80)
    process = subprocess.Popen(
        [sys.executable, "-m", "streamq", "top", "--interval", "60s"], env=without_settings(**environment),
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield process, terminal
    finally:
        process.kill()
        process.wait(30)
        os.close(ours)


@ON_ONE_SERVER
@pytest.mark.keeps_keys
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_every_size_is_filled_and_not_more_and_what_was_there_is_back(
    server_url: str, prefix: str, ending: signal.Signals
) -> None:
    settings = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
    async with streamq.App(redis_url=server_url, prefix=prefix) as app:
        for number in range(QUEUES):
            await app.enqueue(f"q{number:02}", "work")
        await app.enqueue("q42", "work")
    with top(**settings) as (process, terminal):
        terminal.read_until(lambda: bool(terminal.frames()))
        assert terminal.text.startswith(ENTER)
        assert terminal.frames()[0][1].startswith("q42 "), "the busiest is first"
        for rows, columns in SIZES:
            seen = len(terminal.frames())
            terminal.resize(rows, columns)
            process.send_signal(signal.SIGWINCH)
            terminal.read_until(lambda seen=seen: len(terminal.frames()) > seen)  # type: ignore[misc]
            last = terminal.frames()[-1]
            assert len(last) <= rows
            assert max(map(len, last)) <= columns
            assert any(line.startswith("and ") for line in last) == (rows < QUEUES + 8 and columns > 3)
        process.send_signal(ending)
        terminal.read_until(lambda: LEAVE in terminal.text)
        assert process.wait(30) == 130
    assert "\x1b[3J" not in terminal.text, "what the terminal keeps above is left alone"


@ON_ONE_SERVER
async def test_ctrl_z_leaves_the_terminal_as_it_was_until_it_goes_on(server_url: str, prefix: str) -> None:
    with top(STREAMQ_REDIS_URL=server_url, STREAMQ_PREFIX=prefix) as (process, terminal):
        terminal.read_until(lambda: bool(terminal.frames()))
        process.send_signal(signal.SIGTSTP)
        terminal.read_until(lambda: terminal.text.endswith(LEAVE))
        await until(lambda: Path(f"/proc/{process.pid}/stat").read_text().split(") ")[1][0] == "T")
        seen = len(terminal.frames())
        process.send_signal(signal.SIGCONT)
        terminal.read_until(lambda: len(terminal.frames()) > seen)
        assert terminal.text.count(ENTER) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 130


def test_what_was_there_is_back_after_an_error() -> None:
    with top(STREAMQ_REDIS_URL="redis://127.0.0.1:1", STREAMQ_CONNECT_TIMEOUT="1") as (process, terminal):
        terminal.read_until(lambda: "error: " in terminal.text)
        assert process.wait(30) == 69
    assert terminal.text.count(ENTER) == terminal.text.count(LEAVE)


@pytest.mark.parametrize("queues", [0, 1, 5, 480])
@pytest.mark.parametrize("workers", [0, 3, 90])
def test_no_screen_is_overfilled_and_what_is_left_out_is_counted(queues: int, workers: int) -> None:
    states = {"waiting": 0, "held": 0, "active": 0, "delayed": 0, "failed": 0, "paused": None}
    looked = {
        "queues": [{"queue": f"q{number}", **states} for number in range(queues)],
        "workers": [{"worker": f"w{number}"} for number in range(workers)],
        "longest": [{"job": f"j{number}"} for number in range(10)],
    }
    whole = _lines(looked)
    for height in range(1, 700):
        lines = _lines(looked, height)
        assert len(lines) <= height
        hidden = sum(int(line.split()[1]) for line in lines if line.startswith("and "))
        names = sum(bool(re.match(r"[qwj]\d", line)) for line in lines)
        if height >= 12:
            assert names + hidden == queues + workers + 10
        if height >= len(whole):
            assert lines == whole
