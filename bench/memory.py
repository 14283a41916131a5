"""What a million jobs take of a server's memory, in each state: measured with fewer, on a server of this kind."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import click
import orjson

from .machine import described
from .occupancy import MOST_ACTIVE, STATES, exact, spread, warm
from .rig import Rig, open_rig

MOST: Final = 2_000_000_000
"""Bytes of payload that one state may bring to the server."""
USUAL: Final = 200_000_000
"""The same, when the number of jobs is ours to choose."""


async def cost(payload: int, jobs: int | None, *, json: bool, redis_url: str | None) -> None:
    """Measure, and print a table or JSON. Raises ``Refused``, and ``ValueError`` for more than ``MOST``."""
    jobs = jobs or min(100_000, USUAL // payload)
    if payload * jobs > MOST:
        raise ValueError(
            f"{jobs:,} payloads of {payload:,} bytes are more than {MOST // 10**9} GB: use at most --jobs "
            f"{MOST // payload}; what a million takes is told from these"
        )
    async with open_rig(redis_url, quick=False, say=partial(click.echo, err=True)) as rig:
        about = (await described(rig.server))["versions"]
        await warm(rig)
        states = {name: await _measured(rig, name, payload, jobs) for name in STATES}
    kind = f"{about['product']} {about['server']}"
    if json:
        click.echo(orjson.dumps({"server": kind, "payload": payload, "states": states}))
    else:
        _show(kind, payload, states)


async def _measured(rig: Rig, state: str, payload: int, jobs: int) -> dict[str, Any]:
    """With payloads of that size, and ``spread`` from 80 to 120 % of it."""
    counted = min(jobs, MOST_ACTIVE) if state == "active" else jobs
    rig.say(f"{state}: {counted:,} jobs")
    equal = (await STATES[state](rig, exact(payload, jobs))).each
    around = payload + (await STATES[state](rig, spread(payload, jobs))).beyond
    return {
        "jobs": counted, "bytes_per_job": round(equal, 1), "gb_per_million": round(equal / 1000, 3),
        "bytes_per_job_spread": round(around, 1), "gb_per_million_spread": round(around / 1000, 3),
    }  # fmt: skip


def _show(kind: str, payload: int, states: dict[str, dict[str, Any]]) -> None:
    from .show.terminal import console, table  # noqa: PLC0415 - JSON needs no extra

    shown = table("", ">bytes per job", ">GB per million", ">spread", ">GB", ">measured with")
    for name, said in states.items():
        shown.add_row(
            name, f"{said['bytes_per_job']:,.0f}", f"{said['gb_per_million']:.3f}",
            f"{said['bytes_per_job_spread']:,.0f}", f"{said['gb_per_million_spread']:.3f}", f"{said['jobs']:,} jobs",
        )  # fmt: skip
    click.echo(f"{kind}; payloads of {payload:,} bytes (spread: from 80 to 120 % of that)\n")
    console().print(shown)
