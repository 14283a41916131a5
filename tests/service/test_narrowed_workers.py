"""A worker of several queues tells a key for one of them nothing that others change."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from streamq_service.http.narrowed import worker_of


@given(st.lists(st.sampled_from(["ours", "secret", "other"]), max_size=30), st.booleans(), st.booleans())
def test_what_a_worker_does_for_other_queues_changes_nothing_that_is_told(
    runs: list[str], takes_jobs: bool, has_load: bool
) -> None:
    mine = [queue for queue in runs if queue == "ours"]
    seen = [
        worker_of(worker_with(queues, takes_jobs, has_load), frozenset({"ours"})) for queues in (runs, mine)
    ]
    assert seen[0] == seen[1]


def worker_with(runs: list[str], takes_jobs: bool, has_load: bool) -> dict[str, Any]:
    """A worker for three queues as the API tells of it, of which nothing else may be known."""
    load = {
        "busy": len(runs), "running": [{"queue": queue} for queue in runs], "memory": len(runs),
        "loop_lag": 0.1 * len(runs), "round_trip": 0.1 * len(runs),
    }  # fmt: skip
    slots = 30 if takes_jobs else len(runs) if has_load else 0
    said = {
        "name": "w",
        "queues": ["other", "ours", "secret"],
        "concurrency": 30,
        "slots": slots,
        "overdue": [],
    }
    return {**said, "takes_jobs": takes_jobs, "notes": [], **(load if has_load else {})}
