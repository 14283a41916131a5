"""What messages came to, by channel, provider and workspace: counted by whoever accepts, sends and hears of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, get_args

import orjson
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import App, Spread, Sum, Tallied
from streamq.times import rfc3339

from ..messaging.figures import COUNTS, MILLIONTHS, TIMES
from ..messaging.workspaces import WorkspaceNames

By = Literal[
    "channel", "provider", "workspace", "channel,provider", "channel,workspace", "provider,channel",
    "workspace,channel",
]  # fmt: skip
"""By what they may be told apart."""
FORMS: Final = get_args(By)
_NAMES: Final = {name: f"messages-by-{name}" for name in ("channel", "provider", "workspace")}
OTHERS: Final = "*"


class MessageFigures(TypedDict):
    """What messages came to; `name` is of the workspace, `cost` of the tokens of a model. `*` stands for those that
    were too many to be told apart."""

    channel: str | None
    provider: str | None
    workspace_id: str | int | float | None
    name: str | None
    counts: dict[str, int]
    cost: float
    times: dict[str, Any]


class MessagePoint(TypedDict):
    """One step, which begins `at`."""

    at: str
    counts: dict[str, int]


Subject = tuple[str | None, str | None, Any]
"""Channel, provider and workspace."""


async def message_stats(
    app: App, names: WorkspaceNames, by: By, since: Any, until: Any, step: str | None
) -> dict[str, Any]:
    """The figures of a time. Raises what ``Tallies.read`` does."""
    told_apart = set(by.split(","))
    kind = next((each for each in ("provider", "workspace") if each in told_apart), "channel")
    tallied = await app.tallies(_NAMES[kind]).read(since, until, step=step)
    sums: dict[Subject, Sum] = {}
    for _, subjects in tallied.steps:
        for text, found in subjects.items():
            subject = _only(_read(kind, text), told_apart)
            sums[subject] = sums.get(subject, Sum()) + found
    busiest = sorted(sums, key=lambda each: -sum(sums[each].counts.values()))
    return {
        "by": by, "since": rfc3339(tallied.since, "seconds"), "until": rfc3339(tallied.until, "seconds"),
        "step": tallied.step, "data": [_figures(subject, sums[subject], names) for subject in busiest],
        "points": list(_points(tallied)),
    }  # fmt: skip


def _read(kind: str, text: str) -> Subject:
    """What a subject of the tallies means; what another program wrote counts among the others."""
    channel, _, rest = text.partition(" ")
    if text == OTHERS or kind == "channel":
        return channel, None, None
    if kind == "provider":
        return channel, rest, None
    try:
        found = orjson.loads(rest)
    except orjson.JSONDecodeError:
        return OTHERS, None, None
    return channel, None, found if isinstance(found, str | int | float) else OTHERS


def _only(subject: Subject, told_apart: set[str]) -> Subject:
    channel, provider, workspace = subject
    return (
        channel if "channel" in told_apart or channel == OTHERS else None,
        provider if "provider" in told_apart else None,
        workspace if "workspace" in told_apart else None,
    )


def _figures(subject: Subject, found: Sum, names: WorkspaceNames) -> dict[str, Any]:
    channel, provider, workspace = subject
    return {
        "channel": channel, "provider": provider, "workspace_id": workspace,
        "name": None if workspace is None else names.of(workspace),
        "counts": _counts(found.counts), "cost": found.counts.get(MILLIONTHS, 0) / 1e6, "times": _times(found.times),
    }  # fmt: skip


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in COUNTS}


def _times(times: Mapping[str, Spread]) -> dict[str, dict[str, float | None]]:
    return {name: times.get(name, Spread()).asdict() for name in TIMES}


def _points(tallied: Tallied) -> Iterable[dict[str, Any]]:
    for at, subjects in tallied.steps:
        whole = sum(subjects.values(), Sum())
        yield {"at": rfc3339(at, "seconds"), "counts": _counts(whole.counts)}
