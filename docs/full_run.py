"""The committed full run as a page of the reference: every figure of it, in tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from bench import bounds, catalogue
from bench.figures import Figure, number, ratio
from bench.results import Scenario, read
from tests.measured import MEASURED

from .source import ROOT, page, table

FULL_RUN: Final = ROOT / "docs" / "figures" / "full-run.json"
"""What `make figures` wrote."""


def figures() -> str:
    """Every figure of the committed full run."""
    catalogue.SCENARIOS.update(MEASURED)
    run = read(FULL_RUN)
    machine, versions = run.machine, run.versions
    parts = [part for name, found in run.scenarios.items() for part in _scenario(name, found)]
    return page(
        "Figures of a full run",
        f"Measured on {run.at[:10]} at commit `{run.commit}` by `make figures`: {machine['usable']} shared "
        f"cores, {machine['system']}, Python {versions['python']}, {versions['product']} {versions['server']}, "
        f"{run.configuration['repeat']} rounds. [How to read them](../benchmarks.md#how-to-read-the-table). "
        "The file with every sample is [full-run.json](../figures/full-run.json); the page with plots is "
        "[full-run.html](../figures/full-run.html), to be opened in a browser.",
        *parts,
        "## What a run must reach",
        f"In `{bounds.__name__.replace('.', '/')}.py`; the drain on Python before 3.12: {bounds.LATE:g}.",
        table(("scenario", "figure", "bound"), [*_bounds()]),
    )


def _bounds() -> Iterator[tuple[str, str, str]]:
    """The table of bounds, as it is on every version of Python."""
    for scenario, figure, limit in bounds.BOUNDS:
        if limit is not None:
            shown = replace(limit, target=bounds.EAGER) if (scenario, figure) == ("drain", "drain") else limit
            yield scenario, figure.replace("*", "…"), str(shown)


def _scenario(name: str, found: Scenario) -> Iterator[str]:
    yield f"## {name}"
    yield catalogue.summary(name)
    if found.error is not None:
        yield found.error
    elif rows := [_figure(figure) for figure in found.figures]:
        yield table(("", "unit", "streamq", "bare or other", "ratio", "bound"), rows)


def _figure(figure: Figure) -> tuple[str, ...]:
    bound = figure.bound
    said = "" if bound is None else bound.verdict.replace("NOT MET", "**not met**")
    return (
        figure.name, figure.unit, number(figure.value), number(figure.bare), ratio(figure),
        "" if bound is None else f"{bound}: {said}",
    )  # fmt: skip
