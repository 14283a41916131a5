"""What a job costs: its units, beside what code says of the shared limits that it draws from."""

from __future__ import annotations

from streamq.client.client import Client
from streamq.model.limit import QUEUE, Limit
from streamq.noun_errors import InvalidLimit


def check(client: Client, queue: str, task: Limit | None, units: int) -> None:
    """A job of a task with this limit costs so much. Raises ``InvalidLimit`` where that is more than code ever allows.

    What operators tell is not known here: a job that costs more than they allow waits, and ``why`` tells of it.
    """
    drawn = {limit.shared for limit in (client.limits.get(queue, {}).get(QUEUE), task) if limit is not None}
    for name in sorted(drawn & client.shared_limits.keys()):  # type: ignore[type-var]  # None is no key
        most = most_of(client.shared_limits[name])  # type: ignore[index]
        if units > most:
            raise InvalidLimit(
                "units",
                f"units={units} is not possible: the shared limit {name!r} allows {most:,.0f}, so it could never "
                f"start: use 1 to {most:,.0f}, or make several jobs of it",
            )


def most_of(limit: Limit) -> float:
    """The most that a job may cost that draws from a shared limit; infinite where it says nothing."""
    rate = limit.rate if isinstance(limit.rate, tuple) else None
    allowed = (limit.concurrency, rate and rate[0])
    return min((most for most in allowed if isinstance(most, int)), default=float("inf"))
