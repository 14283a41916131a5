"""What ``up`` prints once everything runs: where things are, and a line to try."""

from __future__ import annotations

import shlex

from streamq import App

from .messaging.sms import SEND_TASK
from .settings import ServiceSettings


def start_screen(app: App, settings: ServiceSettings, *, server: str, provider: str, dashboard: str) -> str:
    """The text. ``server``, ``provider`` and ``dashboard`` say where these are; the last is an address first."""
    queues = sorted({task.queue for task in app.tasks.values()})
    lines = {
        "server": server,
        "provider": provider if SEND_TASK in app.tasks else "",
        "roles": f"api, scheduler, worker with {settings.concurrency} slots",
        "queues": ", ".join(queues),
        "dashboard": dashboard,
    }
    table = "\n".join(f"  {name:<10} {value}" for name, value in lines.items() if value)
    example = _example(app, settings, dashboard.split(maxsplit=1)[0])
    return f"\nstreamq is up. Ctrl-C stops it.\n\n{table}\n\nTry:\n\n  {example}\n"


def _example(app: App, settings: ServiceSettings, url: str) -> str:
    key = " -H 'Authorization: Bearer KEY'" if settings.api_keys.get_secret_value() else ""
    if SEND_TASK not in app.tasks:
        return f"curl {url}api/v1/queues{key}"
    body = shlex.quote('{"to": "+15550100", "message": "Hello", "workspaceId": 66338}')
    return f"curl {url}api/schedule-sms{key} \\\n    -H 'Content-Type: application/json' -d {body}"
