"""Fixtures of these tests, and how much they do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import pytest

from ..processes import fleets  # noqa: F401  # pytest finds them here
from ..rig import app, client, make_app  # noqa: F401

if TYPE_CHECKING:
    from .storm import Row

FLOOD: Final = int(os.environ.get("STREAMQ_TEST_FLOOD", "5000"))
"""How many different errors, tasks and acts there are; `make floods` has a million."""
KILLS: Final = int(os.environ.get("STREAMQ_TEST_KILLS", "2"))
"""How often a process is killed at its work; `make floods` does so a hundred times."""
FAULTS: Final = int(os.environ.get("STREAMQ_TEST_FAULTS", "1"))
"""How often a primary is killed; `make faults-cluster` does so 20 times."""
RATE: Final = float(os.environ.get("STREAMQ_TEST_RATE", "120"))
"""Jobs a second while servers are lost; `make faults-cluster` has 1,000."""
IS_LONG: Final = FLOOD >= 100_000
"""Whether it is as `make floods` has it: then figures are shown."""
ON_SERVERS: Final = pytest.mark.parametrize(
    "server_kind", ["redis", "valkey"] if IS_LONG else ["redis"], indirect=True
)
"""In the suite on one kind, to save time."""
Show = Callable[["Row"], None]


@pytest.fixture(scope="session")
def show() -> Iterator[Show]:
    """``show(row)``: the rows of all scenarios are printed at the end, for whoever runs them with ``-s``."""
    rows: list[Row] = []
    yield rows.append
    if not rows:
        return
    lines = [
        ("scenario", "jobs", "lost", "repeated", "worst gap, s", "p99 elsewhere, ms"),
        *[(*map(str, row[:4]), f"{row.gap:.2f}", row.elsewhere) for row in rows],
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for first, *others in lines:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("", first.ljust(widths[0]), *cells, sep="  ")  # noqa: T201  # the table is what it is for
