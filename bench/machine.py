"""What a result depends on: machine, versions, commit."""

from __future__ import annotations

import os
import platform
import time
from importlib.metadata import distributions
from typing import Any, Final

from .process import output_of
from .server import Server

PACKAGES: Final = ("streamq", "redis", "hiredis", "uvloop", "orjson", "pydantic", "aiohttp")


async def described(server: Server) -> dict[str, Any]:
    """For the results file."""
    about = await server.info("server")
    installed = {one.name: one.version for one in distributions() if one.name in PACKAGES}
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(await server.now())),
        "commit": await output_of("git", "describe", "--always", "--dirty", "--abbrev=12") or None,
        "machine": {
            "system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count(),
            "usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "load": os.getloadavg()[0], "calibration_ms": calibration(),
        },
        "versions": {
            "python": platform.python_version(), **dict.fromkeys(PACKAGES), **installed,
            "server": about.get("valkey_version") or about["redis_version"],
            "product": "Valkey" if "valkey_version" in about else "Redis",
        },
    }  # fmt: skip


def calibration() -> float:
    """Milliseconds of a fixed loop: how fast this core is now, beside figures of other days."""
    start = time.perf_counter()
    total = 0
    for number in range(300_000):
        total += number * number
    return (time.perf_counter() - start) * 1000
