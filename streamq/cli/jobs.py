"""``streamq job``: look at and steer jobs."""

from __future__ import annotations

from typing import Any

import click

import streamq
from streamq.cli import Group
from streamq.cli.changes import CHANGES, on_queue, payload_of, show
from streamq.cli.names import QUEUE, TASK, warn_of_unknown_task
from streamq.cli.options import (
    DURATION,
    Option,
    as_json,
    nearest,
    of_enqueue,
    refuse_unknown,
    served,
    server,
    with_app,
)
from streamq.cli.outlet import complain, echo_json, say, table
from streamq.cli.reports import logs, watch
from streamq.cli.why import why
from streamq.model.counted import counted
from streamq.model.states import State
from streamq.model.typed import typed


@click.group(cls=Group)
def job() -> None:
    """Look at and steer jobs.

    \b
    Example:
      streamq job ls sms --state failed
    """


@job.command()
@click.argument("queue", type=QUEUE)
@click.argument("task", type=TASK)
@click.option(
    "--payload", cls=Option, default="null", metavar="JSON",
    help="The payload; @FILE reads it from a file, - from standard input.",
)  # fmt: skip
@of_enqueue
@click.option(
    "--wait", cls=Option, type=DURATION, metavar="DURATION",
    help="Wait for its result: exit 1 when it failed, 5 when it still runs after that time.",
)  # fmt: skip
@server
@as_json
def enqueue(queue: str, task: str, payload: str, wait: float | None, as_json: bool, **options: Any) -> None:
    """Send a job by the name of its task.

    \b
    Examples:
      streamq job enqueue default hello --payload '{"name": "Ada"}' --wait 10s
      cat message.json | streamq job enqueue sms send_sms --payload - --delay 5m
    """
    text = payload_of(payload)
    given = {name: options.pop(name) for name in streamq.OPTIONS}

    async def act(app: streamq.App) -> tuple[streamq.Job[Any], streamq.JobRecord | None]:
        from asyncio import CancelledError  # noqa: PLC0415  # --help need not pay for it

        app.queue(queue)  # an invalid name is an error, not a new queue
        await warn_of_idle(app, queue)
        await warn_of_unknown_task(app, task)
        sent = await app.enqueue(queue, task, text, **given)
        if wait is not None:
            try:
                await sent.result(wait)
            except streamq.ResultNotKept:
                pass  # it has completed
            except CancelledError:
                complain(f"job {sent.id} goes on: {typed('job get', queue, sent.id)}")
                raise
        return sent, await _looked_at(sent)

    sent, record = with_app(options, act)
    told = {"disposition": sent.disposition} if as_json or sent.disposition != "created" else {}
    if record is not None:
        show(record, as_json=as_json, **told)
    elif as_json:
        echo_json({"id": sent.id, "queue": sent.queue, "task": sent.task, **told})
    else:
        say(f"{'id':<12} {sent.id}")


async def _looked_at(sent: streamq.Job[Any]) -> streamq.JobRecord | None:
    """The job; ``None`` when it cannot be read. It exists, so that must not end as an error: it would be sent again."""
    try:
        return await sent.status()
    except (streamq.JobNotFound, streamq.Unavailable) as error:
        complain(f"nothing is wrong with what was sent, but job {sent.id} cannot be shown: {error}")
        return None


async def warn_of_idle(app: streamq.App, queue: str) -> None:
    """A misspelt queue is one that nobody serves: the job would wait there for ever."""
    serving = await served(app)
    if queue in serving:
        return
    known = set(await app.queues())
    if queue not in known:
        hint = nearest(queue, known | serving) if known | serving else ""
        complain(f"warning: queue {queue!r} is new: no worker has served it{hint}")
    elif serving:
        complain(f"warning: no worker serves queue {queue!r} now{nearest(queue, serving)}")


@job.command()
@click.argument("queue", type=QUEUE)
@click.argument("job_id")
@server
@as_json
def get(queue: str, job_id: str, as_json: bool, **options: Any) -> None:
    """Show everything known of a job.

    \b
    Example:
      streamq job get sms 1795449758578-0
    """
    show(on_queue(queue, options, lambda of: of.get(job_id)), as_json=as_json)


@job.command()
@click.argument("queue", type=QUEUE)
@click.option(
    "--state", cls=Option, type=click.Choice([state.value for state in State]),
    help="Default: failed; with a filter all that it means.",
)  # fmt: skip
@click.option("--q", cls=Option, metavar="FILTER", help="The jobs that a filter means.")
@click.option(
    "--limit", cls=Option, type=click.IntRange(1, 200), default=50, show_default=True, help="1 to 200."
)
@click.option("--cursor", cls=Option, help="`next` of the page before.")
@server
@as_json
def ls(
    queue: str,
    state: str | None,
    q: str | None,
    limit: int,
    cursor: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """List the jobs of a queue in a state, or those that a filter means.

    \b
    Examples:
      streamq job ls sms --state failed --limit 20
      streamq job ls sms --q 'state:failed error:"timed out" age>1h'
    """

    async def look(app: streamq.App) -> Any:
        of = app.queue(queue)
        if q is None:
            page: streamq.Page | streamq.SearchPage = await of.jobs(
                State(state or "failed"), limit=limit, cursor=cursor
            )
        else:
            page = await of.search(q, state=State(state) if state else None, limit=limit, cursor=cursor)
        if not page.items:
            await refuse_unknown(app, queue)
        return page

    page = with_app(options, look)
    looked = {} if q is None else {"looked": page.looked}
    if as_json:
        echo_json({"items": [item.asdict() for item in page.items], "next": page.next, **looked})
        return
    rows = [
        {
            "id": item.id, **({"state": item.state.value} if looked else {}), "task": item.task,
            "attempt": item.attempt, "worker": item.worker,
            "error": f"{item.error.type}: {item.error.message}"[:60] if item.error else None,
        }
        for item in page.items
    ]  # fmt: skip
    table(rows, f"no {state or 'failed'} job on {queue}" if q is None else f"no job on {queue} is meant")
    if looked and page.next is None:
        say(f"looked at {counted(page.looked, 'job')}, to the end")
    if page.next:
        so_far = f"looked at {counted(page.looked, 'job')} so far; " if looked else ""
        say(f"{so_far}more: --cursor {page.next}")


for each in (why, *CHANGES, logs, watch):
    job.add_command(each)
