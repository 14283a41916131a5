"""Figures, what they must reach, and what is said of them."""

from __future__ import annotations

import math
import sys

import pytest

from bench.bounds import BOUNDS, judged
from bench.catalogue import SCENARIOS
from bench.figures import Figure, compared, percentile

from ..measured import MEASURED


def test_a_ratio_is_that_of_runs_of_the_same_round() -> None:
    figure = compared("x", "jobs/s", [10, 40, 90], [20, 50, 100])
    assert figure.ratio == 0.8


@pytest.mark.parametrize(
    ("scenario", "figure", "verdict"),
    [
        ("recovery", Figure("50 running jobs start again", "s", 1.0), "met"),
        ("recovery", Figure("50 running jobs start again", "s", 1.1), "NOT MET"),
        ("delayed", Figure("least late of all", "ms", -0.1), "NOT MET"),
        ("latency", Figure("start of a job, median", "µs", 9.0, 3.0, 3.0), "met"),
        ("latency", Figure("start of a job, median", "µs", 9.0), "NOT MET"),
        ("memory", Figure("waiting job, payload 50 B", "bytes", 90.0, 60.0, 1.5), "met"),
        ("memory", Figure("waiting job, payload 50 B", "bytes", 91.0, 60.0, 1.5), "NOT MET"),
        ("idle", Figure("memory of `streamq up`", "MB", math.nan), "not measured"),
        ("peers", Figure("drain, bullmq-node", "jobs/s", 5.0, 1.0, 5.0), "met"),
        ("peers", Figure("drain, arq", "jobs/s", 5.0, 1.0, 5.0), "NOT MET"),
        ("mixed", Figure("ends too many", "", 1.0), "NOT MET"),
    ],
)
def test_a_figure_is_judged_by_the_first_row_that_fits(scenario: str, figure: Figure, verdict: str) -> None:
    bound = judged(scenario, figure).bound
    assert bound is not None
    assert bound.verdict == verdict


def test_a_figure_without_a_bound_is_left_as_it_is() -> None:
    for scenario, name in (("mixed", "mixed load"), ("api", "HTTP API, 1 client, p99"), ("gone", "drain")):
        figure = Figure(name, "", 1.0)
        assert judged(scenario, figure) is figure


def test_the_table_has_the_speeds_that_the_page_names() -> None:
    targets = {(scenario, name): limit.target for scenario, name, limit in BOUNDS if limit is not None}
    assert {scenario for scenario, _ in targets} <= {*SCENARIOS, *MEASURED}
    assert targets["enqueue", "enqueue many, validated"] == 3
    assert targets["enqueue", "enqueue one by one, 1 caller"] == 0.85
    assert targets["drain", "drain"] == (1.15 if sys.version_info >= (3, 12) else 0.75)
    assert targets["api", "HTTP API, * clients"] == 0.8
    assert targets["scripts", "*"] == 10


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile(list(range(100, 0, -1)), share) == value
