"""Figures and what is said of them."""

from __future__ import annotations

import pytest

from bench.figures import Figure, Limit, compared, percentile


def test_a_ratio_is_that_of_runs_of_the_same_round() -> None:
    figure = compared("x", "jobs/s", [10, 40, 90], [20, 50, 100])
    assert figure.ratio == 0.8


@pytest.mark.parametrize(("sign", "met"), [(">=", True), ("<=", False)])
def test_a_limit_of_the_value_is_met_on_its_side(sign: str, met: bool) -> None:
    limit = Limit("value", sign, 5)  # type: ignore[arg-type]
    assert Figure("x", "ms", 6).verdict(limit) is met


def test_a_ratio_without_a_bare_figure_meets_nothing() -> None:
    assert not Figure("x", "ms", 6).verdict(Limit("ratio", "<=", 100))


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile(list(range(100, 0, -1)), share) == value
