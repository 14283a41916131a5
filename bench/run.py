"""A run: the chosen scenarios one after the other on one server, each and all within a time."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import click

from streamq import StreamqError

from . import catalogue
from .cores import SERVER_CORE, pin
from .figures import Measured
from .machine import described
from .process import Gone
from .report import Results, document, show, write
from .rig import Rig
from .server import open_server

LIMIT: Final = {False: 1800.0, True: 240.0}
"""Seconds a run may take, full and quick."""
PEERS: Final = {False: 480.0, True: 90.0}
"""Seconds more when the peers are measured: the slowest runs 200 jobs a second."""


async def run(
    names: Sequence[str], *, quick: bool, repeat: int | None, json: Path | None, redis_url: str | None,
    messages: Path,
) -> None:  # fmt: skip
    """Measure, print the table, and write the file. Raises ``Refused`` and ``StreamqError``."""
    task = asyncio.current_task()
    if task is not None:  # so that children and server end with us
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    rounds = repeat or (2 if quick else 4)
    deadline = asyncio.get_running_loop().time() + LIMIT[quick] + ("peers" in names) * PEERS[quick]
    async with open_server(redis_url) as server:
        if server.pid is not None:
            pin(server.pid, SERVER_CORE)
        about, results = await described(server), Results()
        for name in names:
            rig = Rig(server, quick, rounds, partial(_say, name), messages)
            results[name] = await _measured(rig, name, deadline)
    show(results)
    if json is not None:
        configuration = {
            "scenarios": list(names),
            "quick": quick,
            "repeat": rounds,
            "redis_url": bool(redis_url),
        }
        write(json, document(about, configuration, results))
        _say("results", str(json))


async def _measured(rig: Rig, name: str, deadline: float) -> Measured | str:
    """The figures of one scenario, or one sentence why there are none: the others go on."""
    _say(name, catalogue.summary(name))
    try:
        async with asyncio.timeout_at(deadline):
            return await catalogue.measure(name)(rig)
    except TimeoutError:
        said = "not measured: the time of the run was over"
    except (StreamqError, Gone) as error:
        said = f"not measured: {error}"
    await rig.server.clear()
    _say(name, said)
    return said


def _say(name: str, text: str) -> None:
    click.echo(f"{name:<9} {text}", err=True)
