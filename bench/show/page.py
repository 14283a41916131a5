"""A results file as one HTML page that needs nothing else: no script, no other file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..catalogue import summary
from ..figures import Curve, Figure, number, ratio, verdict
from ..results import HEADER, Results, Saved, curves_of, figures_of, numbers
from .axis import Axis, finite, short
from .plots import line_plot, mark

VERDICTS: Final = ("met", "NOT MET", "not measured")
"""As ``figures.verdict`` says them."""
CONTROLS: Final = {code: "\ufffd" for code in (*range(32), 127) if chr(code) not in "\t\n\r"}
"""Characters that no page may contain."""
MOST: Final = 60
"""Dots a strip has of one side; of more samples it has evenly spaced percentiles."""
STRIP: Final = 160
"""Width of a strip."""
SIDES: Final = ("streamq", "bare")


def write_page(path: Path, saved: Saved) -> None:
    """Write the page to ``path``."""
    path.write_text(page(saved), encoding="utf-8")


def page(saved: Saved) -> str:
    """The whole page. Whatever stands in the file is text in it, never markup."""
    made = Environment(
        loader=PackageLoader(__package__, "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_clean,
    )  # fmt: skip
    made.globals.update(
        figures_of=figures_of, curves_of=curves_of, number=number, ratio=ratio, verdict=verdict, strip=strip,
        mark=mark, points=points, told=_told, VERDICTS=VERDICTS, HEADER=HEADER, MOST=MOST, summary=summary,
        plot=lambda curve: Markup(_clean(line_plot(curve) or "")),  # noqa: S704 - a tree of XML, written as text
    )  # fmt: skip
    return made.get_template("page.html").render(
        about=saved.about, results=saved.results, counts=_counts(saved.results), missed=_missed(saved.results)
    )


def _clean(value: Any) -> Any:
    return value.translate(CONTROLS) if type(value) is str else value


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, float):
        return number(value)
    return ", ".join(map(_told, value)) if isinstance(value, list) else str(value)


def _counts(results: Results) -> dict[str, dict[str, int]]:
    """How many bounds and aims are met, not met and not measured."""
    figures = [figure for measured in results.values() for figure in figures_of(measured)]
    found = {}
    for which, limit in (("Bounds", "bound"), ("Aims", "aim")):
        said = [verdict(one, getattr(one, limit)) for one in figures if getattr(one, limit) is not None]
        found[which] = {verdict: said.count(verdict) for verdict in VERDICTS} if said else {}
    return found


def _missed(results: Results) -> list[tuple[str, str, str]]:
    """Of each bound that is not met: where its line is, whose it is, and what was measured."""
    return [
        (
            f"s{place}-f{line}", f"{scenario}: {figure.name}",
            f"{number(figure.value) if figure.bound.of == 'value' else ratio(figure)} where {figure.bound} is to hold",
        )
        for place, (scenario, measured) in enumerate(results.items())
        for line, figure in enumerate(figures_of(measured))
        if figure.bound is not None and verdict(figure, figure.bound) == "NOT MET"
    ]  # fmt: skip


def points(curve: Curve) -> dict[str, list[str]]:
    """The table behind a plot: a row for each x, a column for each series."""
    rows: dict[float, dict[str, list[str]]] = {}
    for name, line in curve.series.items():
        for x, y in finite(line):
            rows.setdefault(x, {}).setdefault(name, []).append(number(y))
    return {number(x): [", ".join(rows[x].get(name, "-")) for name in curve.series] for x in sorted(rows)}


def strip(figure: Figure) -> dict[str, Any] | None:
    """The samples of both sides from 0 on one axis, and the median of each. None without samples."""
    sides = [(place, side, _drawn(figure.samples.get(side, ()))) for place, side in enumerate(SIDES)]
    sides = [side for side in sides if side[2]]
    if not sides:
        return None
    axis = Axis.over("", [value for _, _, values in sides for value in values], zero=True)

    def at(value: float) -> float:
        return round(6 + (value - axis.low) / (axis.high - axis.low) * (STRIP - 12), 1)

    rows = [
        {
            "place": place, "y": 8 + 13 * row, "middle": at(median(values)),
            "dots": [(at(value), number(value)) for value in values],
        }
        for row, (place, _, values) in enumerate(sides)
    ]  # fmt: skip
    return {
        "rows": rows, "width": STRIP, "height": 13 * len(rows) + 16, "low": short(axis.low), "high": short(axis.high),
        "title": "; ".join(f"{side} {number(values[0])} to {number(values[-1])}" for _, side, values in sides),
    }  # fmt: skip


def _drawn(samples: Sequence[Any]) -> list[float]:
    """In rising order. A sample that is a list has the measures of one round."""
    flat = [value for sample in samples for value in (sample if isinstance(sample, list) else [sample])]
    values = sorted(numbers(flat))
    if len(values) <= MOST:
        return values
    return [values[index * (len(values) - 1) // (MOST - 1)] for index in range(MOST)]
