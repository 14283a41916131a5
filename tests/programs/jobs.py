"""A worker program whose handlers write down what they do, outside Redis: to a file that outlives a kill.

The name of the file is ``data_dir``/ledger; a line is ``event id attempt pid number``, in the order of writing.
Run by ``python -m streamq worker tests.programs.jobs:app``, or by ``Worker`` in a process of its own.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import time

from streamq import App, Backoff, Context

app = App()
QUICK = Backoff(0.05, 0.05)


def note(event: str, ctx: Context, number: int) -> None:
    """One write of one line: whole, or not at all."""
    app.settings.data_dir.mkdir(parents=True, exist_ok=True)
    line = f"{event} {ctx.job_id} {ctx.attempt} {os.getpid()} {number} {time.monotonic():.3f}\n"
    file = os.open(app.settings.data_dir / "ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())
    os.close(file)


@app.task(queue="q", backoff=QUICK)
async def work(number: int, seconds: float, ctx: Context) -> list[int]:
    """Take ``seconds``, then return the number and the process."""
    note("start", ctx, number)
    await asyncio.sleep(seconds)
    note("end", ctx, number)
    return [number, os.getpid()]


@app.task(queue="q", backoff=QUICK)
async def block(number: int, seconds: float, ctx: Context) -> int:
    """The same, with the event loop blocked."""
    note("start", ctx, number)
    time.sleep(seconds)  # noqa: ASYNC251  # the very thing under test
    note("end", ctx, number)
    return number


@app.task(queue="q", backoff=QUICK)
async def poison(number: int, ctx: Context) -> None:
    """End the process, as a fault in C code does."""
    note("start", ctx, number)
    await asyncio.sleep(0.05)  # neighbours begin
    os.abort()


@app.task(queue="q", backoff=QUICK, timeout=120)
async def hold_interpreter(number: int, seconds: float, ctx: Context) -> int:
    """One C call of ``seconds``, in which no other thread of the process runs."""
    note("start", ctx, number)
    ctypes.PyDLL(None).poll(
        None, 0, round(seconds * 1000)
    )  # `PyDLL` keeps the interpreter's lock, as C code may
    note("end", ctx, number)
    return number
