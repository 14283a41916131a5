"""A run: the chosen scenarios one after the other on one server, each and all within a time."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from streamq import StreamqError

from . import catalogue
from .machine import described
from .process import Gone
from .results import Results, Scenario, scenario, write
from .rig import Rig, open_rig
from .show.page import write_page
from .show.terminal import Progress, show

LIMIT: Final = {False: 3600.0, True: 300.0}
"""Seconds a run may take, full and quick."""
EACH: Final = 900.0
"""Seconds one scenario may take."""


async def run(
    names: Sequence[str], *, quick: bool, repeat: int | None, json: Path | None, html: Path | None,
    redis_url: str | None, messages: Path | None,
) -> None:  # fmt: skip
    """Measure, print table and plots, and write the files. Raises ``Refused`` and ``StreamqError``."""
    task = asyncio.current_task()
    if task is not None:  # so that children and server end with us
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    rounds = repeat or (2 if quick else 4)
    progress = Progress(len(names))
    deadline = asyncio.get_running_loop().time() + LIMIT[quick]
    async with open_rig(redis_url, quick=quick, say=progress.say, repeat=rounds, messages=messages) as rig:
        about, scenarios = await described(rig.server), dict[str, Scenario]()
        for name in names:
            scenarios[name] = await _measured(rig, name, deadline, progress)
    how = {"scenarios": list(names), "quick": quick, "repeat": rounds, "redis_url": bool(redis_url)}
    results = Results(**about, configuration=how, scenarios=scenarios)
    show(results)
    if json is not None:
        write(json, results)
        progress.say(f"results in {json}")
    if html is not None:
        write_page(html, results)
        progress.say(f"report in {html}")


async def _measured(rig: Rig, name: str, deadline: float, progress: Progress) -> Scenario:
    """The figures of one scenario, or one sentence why there are none: the others go on."""
    now = asyncio.get_running_loop().time()
    progress.begin(name, catalogue.summary(name))
    if now >= deadline:
        return Scenario("skipped: the time of the run was over")
    try:
        async with asyncio.timeout_at(min(deadline, now + EACH)):
            found = scenario(name, await catalogue.measure(name)(rig))
        await rig.server.clear()
        return found
    except TimeoutError:
        over = "the run" if now + EACH > deadline else "one scenario"
        said = f"not measured: it ran out of the time of {over}"
    except (StreamqError, Gone) as error:
        said = f"not measured: {error}"
    except ModuleNotFoundError as error:
        said = f"not measured: the package {error.name} is not installed"
    await rig.server.clear()
    progress.say(said)
    return Scenario(said)
