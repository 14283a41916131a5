"""Messages: each becomes a job of the messaging app."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from streamq import State

from ..answers import json
from ..clock import now, rfc3339
from ..keys import ENGINE, SETTINGS
from ..messaging import sms
from ..problems import Problem
from ..requests import read_model, refuse_idempotency_key, wait_seconds
from ..schemas import MAX_LENGTH, SmsRequest
from .jobs import finished, location


async def send_sms(request: web.Request) -> web.Response:
    """POST /api/v1/messages/sms and POST /api/schedule-sms: at once, or at its time through its own queue."""
    wait = wait_seconds(request)
    refuse_idempotency_key(request)
    engine = request.app[ENGINE]
    if sms.SEND_TASK not in engine.tasks:
        raise Problem(404, "no-messaging", "The app that runs here sends no text messages.")
    body = await read_model(request, SmsRequest, {MAX_LENGTH: request.app[SETTINGS].sms_max_length})
    queue, task, state = sms.SEND_QUEUE, sms.SEND_TASK, State.WAITING
    if body.scheduled:
        queue, task, state = sms.SCHEDULED_QUEUE, sms.SCHEDULED_TASK, State.DELAYED
    job = await engine.enqueue(queue, task, body.payload(), delay=body.delay or None, at=body.scheduled_for)
    if wait:
        return await finished(request, job, wait)
    where = location(request, job)
    answer = {
        "success": True,
        "id": job.id,
        "jobId": job.id,
        "queue": queue,
        "task": task,
        "state": state,
        "due_at": _due_at(body),
        "url": where,
    }
    return json(answer, status=201, headers={"Location": where})


def _due_at(body: SmsRequest) -> str | None:
    """When it leaves, by this host's clock, for the reader; Redis' clock decides."""
    at = body.scheduled_for or (now() + timedelta(seconds=body.delay) if body.delay else None)
    return rfc3339(at) if at else None
