"""What the figures must reach: the one table from which a run, the report and the documentation take it."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final

from .figures import Figure, Limit

NONE: Final = Limit("value", "<=", 0)
"""Of what must not be."""

EAGER: Final = 1.15
LATE: Final = 0.75
"""What a drain must reach of the bare loop where asyncio starts tasks at once, and before Python 3.12."""

BOUNDS: Final[tuple[tuple[str, str, Limit | None], ...]] = (
    ("enqueue", "enqueue many, validated", Limit("ratio", ">=", 3)),
    ("enqueue", "enqueue one by one, 1 caller", Limit("ratio", ">=", 0.85)),
    ("drain", "drain", Limit("ratio", ">=", EAGER if sys.version_info >= (3, 12) else LATE)),
    ("drain", "Redis CPU per drained job", Limit("value", "<=", 4.5)),
    ("memory", "waiting job, *", Limit("excess", "<=", 30)),
    # Payload + 150. An allocator's classes lie further apart than that where payloads are large.
    ("memory", "completed job, payload* 50 B", Limit("value", "<=", 200)),
    ("memory", "completed job, payload* 100 B", Limit("value", "<=", 250)),
    ("memory", "completed job, payload* 300 B", Limit("value", "<=", 450)),
    ("memory", "completed job, payload* 1,000 B", Limit("value", "<=", 1150)),
    ("latency", "start of a job, median", Limit("ratio", "<=", 3)),
    ("latency", "latency at 200 jobs/s, median", Limit("ratio", "<=", 1.5)),
    ("latency", "latency at 200 jobs/s, p99", Limit("ratio", "<=", 2)),
    ("delayed", "least late of all", Limit("value", ">=", 0)),
    ("delayed", "200 due at the same moment, p99 late", Limit("value", "<=", 4)),
    ("delayed", "200 due over 2 s, p99 late", Limit("value", "<=", 10)),
    ("delayed", "5,000 due at the same moment, p99 late", Limit("value", "<=", 300)),
    ("promotion", "enqueue 1,000,000 delayed jobs", Limit("value", "<=", 90)),
    ("schedules", "1,000 intervals, p99 late", Limit("value", "<=", 20)),
    ("schedules", "*, runs of those planned", Limit("value", ">=", 0.99)),
    ("growth", "drain, * waiting", Limit("value", ">=", 0.9)),
    ("growth", "enqueue many, * waiting", Limit("value", ">=", 0.9)),
    ("recovery", "500 running jobs start again", Limit("value", "<=", 3)),
    ("recovery", "50 running jobs start again", Limit("value", "<=", 1)),
    ("cancel", "cancel *, p99", Limit("value", "<=", 50)),
    ("reports", "commands for *", Limit("value", "<=", 400)),
    ("reports", "a line is heard by who watches, p99", Limit("value", "<=", 100)),
    ("reports", "kept of the log of a job", Limit("value", "<=", 66_000)),
    ("reports", "connections of *", Limit("value", "<=", 1)),
    ("groups", "drain of *", Limit("ratio", ">=", 0.5)),
    ("groups", "held job, beyond its payload", Limit("value", "<=", 150)),
    ("groups", "call of the gate, p99", Limit("value", "<=", 1)),
    ("groups", "start of a job of a group, median", Limit("ratio", "<=", 1.3)),
    ("groups", "the last of ten jobs *", Limit("value", "<=", 1)),
    ("groups", "shares of *", Limit("value", "<=", 0.03)),
    ("groups", "commands with *", Limit("ratio", "<=", 1.1)),
    ("groups", "worst call, * jobs in one group", Limit("value", "<=", 5)),
    ("groups", "keys that *", Limit("value", "<=", 2)),
    ("batch", "batch of 1,000 jobs over HTTP", Limit("ratio", ">=", 0.5)),
    ("looks", "GET *, of the server", Limit("value", "<=", 20)),
    ("looks", "GET *", Limit("value", "<=", 300)),
    ("looks", "connections more for *", Limit("value", "<=", 20)),
    ("looks", "memory of * that read nothing", Limit("value", "<=", 50)),
    ("sms", "text messages through *", Limit("value", ">=", 500)),
    ("sms", "time in the queue at *, p99", Limit("value", "<=", 100)),
    ("idle", "commands an idle worker sends", Limit("value", "<=", 1)),
    ("idle", "the same, those inside scripts too", Limit("value", "<=", 2)),
    ("idle", "connections of an idle worker", Limit("value", "<=", 5)),
    ("idle", "memory of `streamq up`", Limit("value", "<=", 80)),
    ("queues", "idle commands *", Limit("value", "<=", 20)),
    ("queues", "connections of *", Limit("value", "<=", 3)),
    ("queues", "start of a job in an idle queue, p99, *", Limit("value", "<=", 20)),
    ("queues", "start of a job of another program, *", Limit("value", "<=", 60)),
    ("queues", "share of a core, *", Limit("value", "<=", 2)),
    ("fairness", "* share", Limit("value", "<=", 0.1)),
    ("fairness", "rounds *", Limit("value", "<=", 3)),
    ("purge", "worst command meanwhile", Limit("value", "<=", 20)),
    ("purge", "latency of another queue meanwhile, p99", Limit("ratio", "<=", 1.5)),
    ("bulk", "* jobs by filter", Limit("value", ">=", 20_000)),
    ("bulk", "worst command meanwhile", Limit("value", "<=", 20)),
    ("bulk", "latency of another queue during *, p99", Limit("ratio", "<=", 1.5)),
    ("cost", "Redis CPU per job", Limit("ratio", "<=", 25 / 12)),
    ("partitions", "modelled rate, *", Limit("ratio", ">=", 2.7)),
    ("options", "Redis CPU per unique job", Limit("ratio", "<=", 1.5)),
    ("options", "Redis CPU per prioritised job", Limit("ratio", "<=", 1.3)),
    ("options", "keys of 1,000 unique jobs *", Limit("value", "<=", 1)),
    ("statistics", "worker CPU per drained job, counted", Limit("ratio", "<=", 1.02)),
    ("footprint", "memory of *, growth over half the time", Limit("value", "<=", 2)),
    ("api", "HTTP API, 1 client", Limit("ratio", ">=", 0.8)),
    ("api", "HTTP API, * clients", Limit("ratio", ">=", 0.8)),
    ("mixed", "mixed load", None),
    ("mixed", "*", NONE),
    ("tuning", "jobs left behind by a server that was full", NONE),
    ("messages", "messages: *", NONE),
    ("scripts", "*", Limit("value", "<=", 10)),
    ("peers", "enqueue one by one, bullmq-node", None),
    ("peers", "enqueue one by one, *", Limit("ratio", ">=", 1)),
    ("peers", "enqueue many, bullmq-node", Limit("ratio", ">=", 5)),
    ("peers", "enqueue many, sidekiq", None),
    ("peers", "enqueue many, *", Limit("ratio", ">=", 8)),
    ("peers", "drain, bullmq-node", Limit("ratio", ">=", 4)),
    ("peers", "drain, sidekiq", Limit("ratio", ">=", 4)),
    ("peers", "drain, *", Limit("ratio", ">=", 6)),
    ("peers", "waiting job, *", Limit("ratio", "<=", 0.65)),
)
"""Scenario, name of the figure, limit in the figure's unit. The first row that fits counts; ``*`` is any text."""


def judged(scenario: str, figure: Figure) -> Figure:
    """The figure with its bound, and whether that is met."""
    rows = (
        limit for name, pattern, limit in BOUNDS if name == scenario and fnmatchcase(figure.name, pattern)
    )
    limit = next(rows, None)
    return figure if limit is None else replace(figure, bound=replace(limit, met=_met(figure, limit)))


def _met(figure: Figure, limit: Limit) -> bool | None:
    """A ratio without a bare figure never is; None when nothing was measured."""
    if math.isnan(figure.value):
        return None
    found = figure.measured(limit.of)
    return found is not None and (found >= limit.target if limit.sign == ">=" else found <= limit.target)
