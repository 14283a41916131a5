"""What a run leaves: the results file and the plots."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from bench.figures import Curve, Figure, Limit
from bench.results import NotResults, Results, Scenario, read, write
from bench.show.plots import logarithmic
from bench.show.terminal import plot

CURVE = Curve("growth", "jobs", "jobs/s", {"ours": [(1, 1.0), (10, 10.0), (100, 100.0)]}, True, True)


def test_a_results_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    samples, limit = {"streamq": [5.0], "bare": [4.0]}, Limit("ratio", ">=", 1, met=True)
    figure = Figure("drain", "jobs/s", 5.0, 4.0, 1.25, "why", samples, limit)
    scenarios = {"drain": Scenario(None, [figure], [CURVE]), "idle": Scenario("not measured: why")}
    saved = Results(*"abcde", scenarios)
    write(tmp_path / "a.json", saved)
    assert read(tmp_path / "a.json") == saved


def test_a_figure_that_was_not_measured_stays_so(tmp_path: Path) -> None:
    write(
        tmp_path / "a.json", Results(*"abcde", {"idle": Scenario(None, [Figure("memory", "MB", math.nan)])})
    )
    (figure,) = read(tmp_path / "a.json").scenarios["idle"].figures
    assert math.isnan(figure.value)


@pytest.mark.parametrize("content", ["", "[]", "3", "{}", '{"scenarios": []}', "\x00"])
def test_another_file_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(NotResults, match=r"a\.json is not a results file") as said:
        read(tmp_path / "a.json")
    assert "\n" not in str(said.value)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotResults, match="cannot be read: No such file"):
        read(tmp_path / "a.json")


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_plot_keeps_to_the_width_and_rises_with_its_curve(width: int) -> None:
    lines = plot(CURVE, width).splitlines()
    assert max(map(len, lines)) <= width
    rows = [line.partition("aa ours")[2] or line for line in lines if line.endswith("│")]
    inked = [[place - len(row) for place, sign in enumerate(row) if sign == "a"] for row in rows]
    assert all(inked), "a straight line crosses every row"
    middles = [sum(places) / len(places) for places in inked]
    assert middles == sorted(middles, reverse=True), "the highest row is the rightmost"


def test_logarithms_are_drawn_where_all_values_have_one() -> None:
    some = Curve("x", "a", "b", {"s": [(0, -3.0), (1, 5.0)]}, log_x=True, log_y=True)
    assert logarithmic(CURVE) == (True, True)
    assert logarithmic(some) == (False, False)
    assert "no point was measured" in plot(Curve("x", "a", "b", {"s": [(1.0, math.nan)]}), 80)
    for value in (0.0, -3.0, 1e-9, 1e15):  # a single point is drawn too
        assert "│" in plot(Curve("x", "a", "b", {"s": [(value, value)]}, log_x=True, log_y=True), 80)


def test_a_plot_names_its_series_without_colour() -> None:
    text = plot(CURVE, 80)
    assert "aa ours" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("unit", "more"), [("jobs/s", True), ("calls/s", True), ("1/s", False), ("ms", False), ("bytes", False)]
)
def test_more_is_better_of_rates_alone(unit: str, more: bool) -> None:
    assert Figure("x", unit, 1).more_is_better is more
