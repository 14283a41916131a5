"""What ``up`` prints once everything runs: where things are, and a line to try."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from streamq import App

from ..messaging.sms import SEND_TASK
from ..settings import ServiceSettings


def start_screen(
    app: App, settings: ServiceSettings, *, server: str, provider: str, dashboard: str
) -> Iterator[str]:
    """Its lines. ``server``, ``provider`` and ``dashboard`` say where these are; the last is an address first."""
    queues = sorted({task.queue for task in app.tasks.values()})
    lines = {
        "server": server,
        "provider": provider if SEND_TASK in app.tasks else "",
        "roles": f"api, scheduler, worker with {settings.concurrency} slots",
        "queues": ", ".join(queues),
        "dashboard": dashboard,
    }
    yield from ("", "streamq is up. Ctrl-C stops it.", "")
    yield from (f"  {name:<10} {value}" for name, value in lines.items() if value)
    yield from ("", "Try:", "")
    yield from (f"  {line}" for line in _example(app, settings, dashboard.split(maxsplit=1)[0]))
    yield ""


def _example(app: App, settings: ServiceSettings, url: str) -> Iterator[str]:
    key = " -H 'Authorization: Bearer KEY'" if settings.api_keys.get_secret_value() else ""
    if SEND_TASK not in app.tasks:
        yield f"curl {shlex.quote(url + 'api/v1/queues')}{key}"
        return
    body = shlex.quote('{"to": "+15550100", "message": "Hello", "workspaceId": 66338}')
    yield f"curl {shlex.quote(url + 'api/schedule-sms')}{key} \\"
    yield f"    -H 'Content-Type: application/json' -d {body}"
