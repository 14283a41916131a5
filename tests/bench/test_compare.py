"""Comparing two results files: differences beyond the noise are told, and the exit code follows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.compare import differences, regressions, strangers
from bench.figures import Figure
from bench.results import Results, Scenario, write

from .programs import bench

ABOUT: dict[str, object] = {
    "at": "2026-01-01T00:00:00Z", "commit": "abc", "machine": {"cores": 2, "load": 0.1}, "versions": {"redis": "8"},
    "configuration": {"quick": True},
}  # fmt: skip


def _saved(
    name: str, unit: str, samples: list[float], bare: list[float] | None = None, **about: object
) -> Results:
    ratio = sorted(samples)[len(samples) // 2] / sorted(bare)[len(bare) // 2] if bare else None
    value = sorted(samples)[len(samples) // 2]
    figure = Figure(
        name, unit, value, bare and bare[0], ratio, samples={"streamq": samples, "bare": bare or []}
    )
    return Results(**(ABOUT | about), scenarios={"s": Scenario(None, [figure])})


@pytest.mark.parametrize(
    ("unit", "after", "verdict"),
    [
        ("jobs/s", [120.0, 121.0, 119.0], "better"), ("jobs/s", [80.0, 81.0, 79.0], "worse"),
        ("ms", [120.0, 121.0, 119.0], "worse"), ("bytes", [80.0, 81.0, 79.0], "better"),
        ("jobs/s", [100.5, 99.0, 101.0], "within noise"), ("jobs/s", [80.0], "one sample"),
    ],
)  # fmt: skip
def test_a_difference_is_judged_by_its_direction_and_by_the_noise(
    unit: str, after: list[float], verdict: str
) -> None:
    (found,) = differences(_saved("f", unit, [100.0, 101.0, 99.0]), _saved("f", unit, after))
    assert found.verdict == verdict


def test_where_there_is_a_bare_loop_a_slower_machine_is_no_regression() -> None:
    before = _saved("f", "jobs/s", [100.0, 101.0, 99.0], [50.0, 50.5, 49.5])
    after = _saved("f", "jobs/s", [50.0, 50.5, 49.5], [25.0, 25.3, 24.7])
    (found,) = differences(before, after)
    assert (found.of, found.verdict) == ("ratio", "within noise")


def test_a_regression_counts_past_the_given_share_only() -> None:
    found = differences(_saved("f", "ms", [10.0, 10.1, 9.9]), _saved("f", "ms", [11.0, 11.1, 10.9]))
    assert [one.name for one in regressions(found, 0.05)] == ["f"]
    assert regressions(found, 0.15) == []


def test_another_version_is_told_and_another_load_is_not() -> None:
    one = _saved("f", "ms", [1.0])
    other = _saved("f", "ms", [1.0], machine={"cores": 2, "load": 9.9}, versions={"redis": "9"})
    assert list(strangers(one, other)) == ["versions differs: redis was 8, is 9"]


def test_the_command_ends_with_1_past_the_allowed_regression_and_with_2_for_what_is_no_results_file(
    tmp_path: Path,
) -> None:
    before, after, other = tmp_path / "a.json", tmp_path / "b.json", tmp_path / "c.json"
    write(before, _saved("drain", "jobs/s", [100.0, 101.0, 99.0]))
    write(after, _saved("drain", "jobs/s", [80.0, 81.0, 79.0]))
    other.write_text("{}")
    said = bench("compare", str(before), str(after), "--max-regression", "10%")
    assert said.returncode == 1
    assert "drain" in said.stdout
    assert "worse" in said.stdout
    assert "drain is 20.0 % worse" in said.stderr
    assert bench("compare", str(before), str(after), "--max-regression", "30%").returncode == 0
    assert bench("compare", str(after), str(before)).returncode == 0
    wrong = bench("compare", str(before), str(other))
    assert wrong.returncode == 2
    assert "is not a results file" in wrong.stderr
