"""Misfire: what becomes of the planned times that nobody was there for when they came."""

from __future__ import annotations

from typing import Final, NamedTuple

from streamq.model.schedule import Misfire, Plan

LATE: Final = 2_500
"""Milliseconds past its planned time from which a run has been missed: others take over the upkeep of a queue within
two seconds, and a run that waited for that is on time."""
COUNTED: Final = 1_000
"""Missed times that are counted at most when there is one run for all of them, or none."""


class Due(NamedTuple):
    """What is to be done at a moment, oldest first."""

    runs: list[int]
    """The planned times that get a run."""
    missed: int
    """How many get none; more than ``COUNTED`` are not counted."""


def decide(plan: Plan, planned: int, now: int, misfire: Misfire, limit: int) -> Due:
    """What is to be done of the planned times from ``planned`` to ``now``, the first of which is due.

    ``all`` makes up for the latest ``limit`` of them. With ``once`` and ``skip`` there is one run at most, that of the
    latest: always, or only when it is on time.
    """
    most = limit if misfire == "all" else COUNTED
    due = plan.latest(planned, now, most) or [
        planned
    ]  # it may be none of them any more: the schedule was changed
    if misfire == "all":
        return Due(due, 0 if due[0] == planned else len(plan.latest(planned, due[0] - 1, COUNTED)))
    runs = [due[-1]] if misfire == "once" or now - due[-1] <= LATE else []
    return Due(runs, len(due) - len(runs))
