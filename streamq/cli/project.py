"""``streamq init``: a small project that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

import streamq
from streamq.cli.outlet import say
from streamq.model.typed import quoted

JOBS: Final = '''"""The jobs of this project. `streamq up jobs:app` runs them."""

from streamq import App, Context

app = App()


@app.task(queue="mail", attempts=5, timeout=30)
async def greet(name: str, ctx: Context) -> str:
    """Greet somebody. What it returns is the result of the job."""
    ctx.log(f"greeting {name}")
    return f"Hello, {name}!"


@app.schedule(every="1m")
@app.task(queue="mail")
async def tidy() -> None:
    """Runs once a minute, on one worker."""
'''
SEND: Final = '''"""Send a job and wait for its result."""

import sys

from streamq import run

from jobs import app, greet


async def main() -> None:
    async with app:
        job = await greet.enqueue(sys.argv[1] if len(sys.argv) > 1 else "Ada")
        print(await job.result(timeout=10))


run(main())
'''
FILES: Final = {"jobs.py": JOBS, "send.py": SEND, ".gitignore": ".streamq/\n.env\n__pycache__/\n"}


@click.command()
@click.argument("folder", default=".")
def init(folder: str) -> None:
    """Write a small project that runs: jobs, a schedule, and a program that sends one. Nothing is overwritten.

    \b
    Example:
      streamq init shop
    """
    place = Path(folder)
    there = [name for name in FILES if (place / name).exists()]
    if there:
        raise streamq.UsageError(
            f"{place}/ has {', '.join(there)} already: name another folder, or move them away"
        )
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            (place / name).write_text(text)
    except OSError as error:
        raise streamq.UsageError(f"{error.filename or place} cannot be written: {error.strerror}") from None
    say(f"wrote {', '.join(str(place / name) for name in FILES)}")
    say("next:")
    if place != Path():
        say(f"  cd {'-- ' if folder.startswith('-') else ''}{quoted(str(place))}")
    say("  streamq up jobs:app       a server, a worker, the API and the dashboard")
    say("  python send.py Ada        in a second terminal")
