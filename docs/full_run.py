"""The committed full run as a page of the reference: every figure of it, in tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bench import catalogue
from bench.figures import Figure, Limit, Measured, number, ratio, verdict
from bench.results import figures_of, read
from tests.measured import MEASURED

from .source import ROOT, page, table

FULL_RUN: Final = ROOT / "docs" / "figures" / "full-run.json"
"""What `make figures` wrote."""


def figures() -> str:
    """Every figure of the committed full run."""
    catalogue.SCENARIOS.update(MEASURED)
    saved = read(FULL_RUN)
    about = saved.about
    machine, versions = about["machine"], about["versions"]
    parts = [part for name, measured in saved.results.items() for part in _scenario(name, measured)]
    return page(
        "Figures of a full run",
        f"Measured on {about['at'][:10]} at commit `{about['commit']}` by `make figures`: {machine['usable']} shared "
        f"cores, {machine['system']}, Python {versions['python']}, {versions['product']} {versions['server']}, "
        f"{about['configuration']['repeat']} rounds. [How to read them](../benchmarks.md#how-to-read-the-table). "
        "The file with every sample is [full-run.json](../figures/full-run.json); the page with dots and plots is "
        "[full-run.html](../figures/full-run.html), to be opened in a browser.",
        *parts,
    )


def _scenario(name: str, measured: Measured | str) -> Iterator[str]:
    yield f"## {name}"
    yield catalogue.summary(name)
    if isinstance(measured, str):
        yield measured
    elif rows := [_figure(figure) for figure in figures_of(measured)]:
        yield table(("", "unit", "streamq", "bare or other", "ratio", "bound", "aim"), rows)


def _figure(figure: Figure) -> tuple[str, ...]:
    return (
        figure.name, figure.unit, number(figure.value), number(figure.bare), ratio(figure),
        *(_judged(figure, limit) for limit in (figure.bound, figure.aim)),
    )  # fmt: skip


def _judged(figure: Figure, limit: Limit | None) -> str:
    if limit is None:
        return ""
    said = verdict(figure, limit)
    return f"{limit}: {f'**{said.lower()}**' if said == 'NOT MET' else said}"
