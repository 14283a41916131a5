"""A run in a terminal: how far it is, its table, and its curves."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Final

import plotext
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..compare import Difference
from ..figures import Curve, number, ratio
from ..results import Results
from .plots import lines_of, logarithmic

HEIGHT: Final = 16
"""Rows of a plot, its axes and its title among them."""
WIDEST: Final = 100
"""Columns of a plot at most: wider ones are no easier to read."""
PIPED: Final = 240
"""Columns where nobody looks: a table is not folded in a file."""
COLOURS: Final = {"met": "green", "NOT MET": "bold red", "better": "green", "worse": "bold red"}


def console(*, stderr: bool = False) -> Console:
    """Text is text to it, never markup."""
    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not made.is_terminal:
        made.width = PIPED
    return made


class Progress:
    """Which scenario of how many runs and how far it is, a line each on standard error."""

    def __init__(self, total: int) -> None:
        self._console, self._total, self._number, self._name = console(stderr=True), total, 0, ""

    def begin(self, name: str, summary: str) -> None:
        """The next scenario."""
        self._number, self._name = self._number + 1, f"[{self._number + 1}/{self._total}] {name}"
        self.say(summary)

    def say(self, text: str) -> None:
        """How far it is."""
        self._console.print(f"{self._name:<17} {text}", soft_wrap=True)


def show(results: Results) -> None:
    """Print the table, a sentence for each scenario without figures, and a plot for each curve."""
    out, shown = console(), table("", "unit", ">streamq", ">bare", ">ratio", "bound", "", "note")
    for figure in (figure for found in results.scenarios.values() for figure in found.figures):
        judged = ("-", "") if figure.bound is None else (str(figure.bound), coloured(figure.bound.verdict))
        said = (figure.name, figure.unit, number(figure.value), number(figure.bare), ratio(figure))
        shown.add_row(*said, *judged, figure.note)
    out.print(shown)
    for scenario, found in results.scenarios.items():
        if found.error is not None:
            out.print(f"{scenario}: {found.error}", soft_wrap=True)
        for curve in found.curves:
            out.print(f"\n{plot(curve, out.width)}", soft_wrap=True)


def show_differences(found: Sequence[Difference]) -> None:
    """Two results files side by side, one figure a line."""
    shown = table("", "", ">before", ">after", ">change", ">noise", "")
    for one in found:
        shown.add_row(
            f"{one.scenario}: {one.name}", one.of, number(one.before), number(one.after), f"{one.change:+.1%}",
            "-" if one.noise is None else f"±{one.noise:.1%}", coloured(one.verdict),
        )  # fmt: skip
    console().print(shown)


def table(*columns: str) -> Table:
    """An empty table; a column whose name begins with ``>`` is flush right."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        made.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left")
    return made


def coloured(said: str) -> Text:
    """A verdict."""
    return Text(said, style=COLOURS.get(said, ""))


def plot(curve: Curve, width: int) -> str:
    """Lines of at most ``width`` characters. A letter draws each series, for those who see no colour."""
    lines = lines_of(curve)
    if not lines:
        return f"{curve.name}\n  no point was measured"
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.plotsize(min(width, WIDEST), HEIGHT)
    plotext.title(curve.name)
    plotext.xlabel(curve.x)
    plotext.ylabel(curve.y)
    for scale, log in zip((plotext.xscale, plotext.yscale), logarithmic(curve), strict=True):
        scale("log" if log else "linear")
    for letter, (name, line) in zip(string.ascii_letters, lines.items(), strict=False):
        plotext.plot(*zip(*line, strict=True), marker=letter, label=name)
    return str(plotext.uncolorize(plotext.build()).rstrip())
