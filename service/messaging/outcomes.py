"""One line of the log for what becomes of a message, with its recipient as ``shown`` masks it."""

from __future__ import annotations

import logging
from typing import Any, Final

from streamq import Context, JobFilter

from ..settings import ServiceSettings
from .shown import Private, masked

log = logging.getLogger("streamq.messaging")

_OF_A_JOB: Final = ("job", "queue", "task", "attempt", "attempts", "worker", "trace_id", "span_id")
_NAMED: Final = 3
"""Recipients that a line names."""


def shows_all(ctx: Context) -> bool:
    """Whether the settings let logs show messages."""
    settings = ctx.app.settings
    return isinstance(settings, ServiceSettings) and settings.log_messages


def tell(channel: str, message: Any, status: str, seconds: float, ctx: Context) -> None:
    """Write it, at the level info."""
    if not log.isEnabledFor(logging.INFO):
        return
    to = Private(message).recipients
    more = f" and {len(to) - _NAMED} more" if len(to) > _NAMED else ""
    whom = ", ".join(to[:_NAMED] if shows_all(ctx) else map(masked, to[:_NAMED])) + more
    fields = {
        **_fields(), "channel": channel, "workspace": message.workspace_id, "recipient": whom, "status": status,
        "seconds": round(seconds, 3),
    }  # fmt: skip
    log.info(
        "%s to %s of workspace %s: %s after %.3f s, job %s",
        channel, whom, message.workspace_id, status, seconds, ctx.job_id, extra=fields,
    )  # fmt: skip


def _fields() -> dict[str, Any]:
    """What records are told of the job that runs here, its trace among it."""
    record = logging.makeLogRecord({"name": "messaging"})
    JobFilter().filter(record)
    return {name: getattr(record, name) for name in _OF_A_JOB}
