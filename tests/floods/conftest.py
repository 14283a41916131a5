"""Fixtures of these tests, and how much they do."""

from __future__ import annotations

import os
from typing import Final

import pytest

from ..processes import fleets  # noqa: F401  # pytest finds them here
from ..rig import app, client, make_app  # noqa: F401

FLOOD: Final = int(os.environ.get("STREAMQ_TEST_FLOOD", "5000"))
"""How many different errors, tasks and acts there are; `make floods` has a million."""
KILLS: Final = int(os.environ.get("STREAMQ_TEST_KILLS", "2"))
"""How often a process is killed at its work; `make floods` does so a hundred times."""
IS_LONG: Final = FLOOD >= 100_000
"""Whether it is as `make floods` has it: then figures are shown."""
ON_SERVERS: Final = pytest.mark.parametrize(
    "server_kind", ["redis", "valkey"] if IS_LONG else ["redis"], indirect=True
)
"""In the suite on one kind, to save time."""
