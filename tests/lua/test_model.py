"""Whatever is done to jobs in whatever order, their states and their unique keys are what a model says."""

from __future__ import annotations

import os

import pytest
import redis

from streamq import App
from streamq.redis.links import Links

from .jobs_driver import Driver

SEEDS = int(os.environ.get("STREAMQ_TEST_SEEDS", "3"))
"""Sequences of operations; `make model` runs more of them."""
STEPS = 200


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_random_operations_leave_jobs_and_unique_keys_as_the_model_has_them(
    app: App, link: Links, client: redis.Redis, seed: int
) -> None:
    await Driver(app, link, client, seed).run(STEPS)
