"""A job as callers may see it: a traceback once, and only for those who may change something.

A traceback shows code and paths of the program. Who may only look sees what went wrong, and where by its ``frame``.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from streamq import JobRecord

from ..http.auth import Scope
from ..site import Site


def sees_tracebacks(site: Site, request: web.Request) -> bool:
    """Whether the caller may."""
    return site.scope_of(request) >= Scope.WRITE


def told_job(job: JobRecord, *, traced: bool) -> dict[str, Any]:
    """The job as JSON has it, ``traced`` with its tracebacks; that of its error is not told again in its history."""
    said = job.asdict()
    failures: list[dict[str, Any]] = said["history"]
    error: dict[str, Any] | None = said["error"]
    if failures and error and failures[-1].get("traceback") == error.get("traceback"):
        failures[-1].pop("traceback", None)
    if not traced:
        for failure in (*failures, *([error] if error else ())):
            failure.pop("traceback", None)
    return said
