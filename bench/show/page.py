"""A results file as one HTML page that needs nothing else: no script, no other file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..catalogue import summary
from ..figures import Curve, Figure, number, ratio
from ..results import Results, numbers
from .plots import line_plot, lines_of

VERDICTS: Final = ("met", "NOT MET", "not measured")
CONTROLS: Final = {code: "\ufffd" for code in (*range(32), 127) if chr(code) not in "\t\n\r"}
"""Characters that no page may contain."""


def write_page(path: Path, results: Results) -> None:
    """Write the page to ``path``."""
    path.write_text(page(results), encoding="utf-8")


def page(results: Results) -> str:
    """The whole page. Whatever stands in the file is text in it, never markup."""
    made = Environment(
        loader=PackageLoader(__package__, "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.globals.update(
        number=number, ratio=ratio, spread=spread, points=points, plot=line_plot, told=_told, summary=summary
    )
    said = [one.bound.verdict for found in results.scenarios.values() for one in found.figures if one.bound]
    counts = {verdict: said.count(verdict) for verdict in VERDICTS}
    written = made.get_template("page.html").render(results=results, counts=counts, missed=_missed(results))
    return written.translate(CONTROLS)


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, float):
        return number(value)
    return ", ".join(map(_told, value)) if isinstance(value, list) else str(value)


def _missed(results: Results) -> list[tuple[str, str, str]]:
    """Of each bound that is not met: where its line is, whose it is, and what was measured."""
    return [
        (
            f"s{place}-f{line}", f"{scenario}: {figure.name}",
            f"{number(figure.measured(figure.bound.of))} where {figure.bound} is to hold",
        )
        for place, (scenario, found) in enumerate(results.scenarios.items())
        for line, figure in enumerate(found.figures)
        if figure.bound is not None and figure.bound.met is False
    ]  # fmt: skip


def points(curve: Curve) -> dict[str, list[str]]:
    """The table behind a plot: a row for each x, a column for each series."""
    lines = {name: dict(lines_of(curve).get(name, ())) for name in curve.series}
    xs = sorted({x for line in lines.values() for x in line})
    return {number(x): [number(line.get(x)) for line in lines.values()] for x in xs}


def spread(figure: Figure) -> str:
    """The least and the greatest sample of each side, and how many there are; - without samples."""
    sides = {side: numbers(figure.samples.get(side, ())) for side in ("streamq", "bare")}
    return "; ".join(
        f"{side} {number(min(found))} to {number(max(found))} ({len(found)})"
        for side, found in sides.items() if found
    ) or "-"  # fmt: skip
