"""``streamq stats``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import click

import streamq
from streamq.cli.names import QUEUE, TASK, warn_of_unknown_task
from streamq.cli.options import DURATION, MOMENT, Option, as_json, refuse_unknown, server, with_app
from streamq.cli.outlet import echo_json, say, table

BARS: Final = "▁▂▃▄▅▆▇█"


@click.command()
@click.argument("queue", type=QUEUE, required=False)
@click.option(
    "--since", cls=Option, type=MOMENT, metavar="DURATION|TIME", default="1h", show_default=True,
    help="From when on: how long ago, or a time.",
)  # fmt: skip
@click.option("--until", cls=Option, type=MOMENT, metavar="DURATION|TIME", help="Until when. Default: now.")
@click.option("--step", cls=Option, type=DURATION, metavar="DURATION", help="Of a point. Default: what fits.")
@click.option("--task", cls=Option, type=TASK, metavar="TASK", help="Of a queue, only the jobs of this task.")
@click.option("--group", cls=Option, metavar="TENANT", help="Of a queue, only the jobs of this group.")
@click.option("--groups", "by_group", is_flag=True, help="Of a queue, by group and not by task.")
@server
@as_json
def stats(
    queue: str | None, since: Any, until: float | datetime | None, step: float | None, task: str | None,
    group: str | None, by_group: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Show what the jobs of some time came to, and how long they waited and ran: of all queues, or by task.

    \b
    Examples:
      streamq stats
      streamq stats sms --since 12h --task send_sms
      streamq stats sms --groups
    """
    if queue is None and (task is not None or group is not None or by_group):
        raise streamq.UsageError("say of which queue: streamq stats QUEUE --task TASK")

    async def look(app: streamq.App) -> list[streamq.Statistics]:
        if queue is None:
            return [*(await app.statistics(since, until, step=step)).values()]
        await warn_of_unknown_task(app, task)
        found = await app.queue(queue).statistics(
            since, until, step=step, task=task, group=group, by_group=by_group
        )
        if not found.total.ended:
            await refuse_unknown(app, queue)
        return [found]

    found = with_app(options, look)
    if as_json:
        said = [each.asdict() for each in found]
        echo_json({"queues": said} if queue is None else said[0])
    elif queue is None:
        table([{"queue": each.queue, **_row(each.total)} for each in found], "no queue yet")
    else:
        _show(found[0], "group" if by_group or group is not None else "task")


def _show(found: streamq.Statistics, by: str) -> None:
    say(f"{found.queue}, {_time(found.since)} to {_time(found.until)}; a bar is {_duration(found.step)}")
    rates = [point.figures.rate for point in found.points]
    say(f"ended    {bars(rates)}  at most {max(rates):,.1f} in a second")
    bad = [point.figures.failed + point.figures.retried for point in found.points]
    say(f"failing  {bars(bad)}  at most {max(bad):,}")
    waiting = [point.waiting or 0 for point in found.points]
    say(f"waiting  {bars(waiting)}  at most {max(waiting):,}")
    parts = found.tasks if by == "task" else found.groups
    rows = {"all": found.total, **parts} if len(parts) != 1 else parts
    table([{by: name, **_row(figures)} for name, figures in rows.items()], "")


def _row(figures: streamq.Figures) -> dict[str, Any]:
    return {
        "completed": figures.completed, "failed": figures.failed, "retried": figures.retried,
        "cancelled": figures.cancelled, "expired": figures.expired, "a second": round(figures.rate, 1),
        "wait p50": _seconds(figures.wait.p50), "p99": _seconds(figures.wait.p99),
        "run p50": _seconds(figures.run.p50), "p99 ": _seconds(figures.run.p99),
    }  # fmt: skip


def bars(values: Sequence[float]) -> str:
    """A line of bars, as high as the values; nothing is the lowest, and anything more is higher."""
    most = max(values, default=0)
    top = len(BARS) - 1
    return "".join(BARS[0 if value <= 0 else max(1, round(value / most * top))] for value in values)


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    if value < 0.001:
        return "<1 ms"
    return (
        f"{value * 1000:.0f} ms"
        if value < 1
        else f"{value:.3g} s"
        if value < 1000
        else f"{value / 60:.0f} min"
    )


def _duration(seconds: int) -> str:
    return f"{seconds // 3600} h" if seconds % 3600 == 0 else f"{seconds // 60} min"


def _time(at: datetime) -> str:
    return at.isoformat(timespec="minutes").replace("+00:00", "Z")
