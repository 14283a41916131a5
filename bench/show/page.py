"""A results file as one HTML page that needs nothing else: no script, no other file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from . import catalogue
from .figures import Curve, Figure, Limit, Measured
from .markup import Markup, element, joined
from .results import HEADER, Results, Saved, curves_of, figures_of
from .svg_plot import MOST, dot_strip, finite, legend, line_plot
from .table import number, ratio, verdict

STYLE: Final = Path(__file__).with_name("report.css")
VERDICTS: Final = ("met", "NOT MET", "not measured")
"""As ``table.verdict`` says them."""
COLUMNS: Final = ("", "unit", "streamq", "bare or other", "ratio", "bound", "aim", "samples", "note")
HOW_TO_READ: Final = (
    "streamq and bare are medians of rounds that took turns; the ratio is the median of the rounds' own ratios. "
    "Each dot is a sample (circles: streamq; diamonds: bare or other) on an axis from 0, the bar is their "
    f"median: the wider they lie apart, the less a difference means. Of more than {MOST} samples the dots are "
    "evenly spaced percentiles."
)


def write_page(path: Path, saved: Saved) -> None:
    """Write the page to ``path``."""
    path.write_text(page(saved), encoding="utf-8")


def page(saved: Saved) -> str:
    """The whole page. Whatever stands in the file is text in it, never markup."""
    style = Markup(STYLE.read_text(encoding="utf-8"))
    head = element(
        "head",
        Markup(
            '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        ),
        Markup('<meta name="color-scheme" content="light dark">\n'),
        element("title", f"streamq bench, {_told(saved.about['at'])}"),
        element("style", style),
    )
    body = element(
        "body",
        element("header", element("h1", "streamq bench"), _about(saved.about), class_="card"),
        _summary(saved.results),
        _contents(saved.results),
        element("main", *(_scenario(*each) for each in enumerate(saved.results.items()))),
    )
    return joined(Markup("<!doctype html>\n"), element("html", head, body, lang="en"), Markup("\n"))


# -- what was measured where --------------------------------------------------------------------------------


def _about(about: dict[str, Any]) -> Markup:
    pairs = (
        joined(element("dt", "date" if name == "at" else name), element("dd", *_details(about[name])))
        for name in HEADER
    )
    return element("dl", *pairs)


def _details(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield _told(value)
        return
    for key, one in value.items():
        yield element("span", element("i", str(key)), f" {_told(one)}")
        yield " "  # so that a line may break here


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, float):
        return number(value)
    return ", ".join(map(_told, value)) if isinstance(value, list) else str(value)


# -- summary and contents -----------------------------------------------------------------------------------


def _summary(results: Results) -> Markup:
    """How many limits are met, and each bound that is not, with a link to its line."""
    missed = [
        element("li", element("a", f"{scenario}: {figure.name}", href=f"#{anchor}"), f" {_missed(figure)}")
        for place, (scenario, measured) in enumerate(results.items())
        for anchor, figure in _anchored(place, measured)
        if figure.bound is not None and verdict(figure, figure.bound) == "NOT MET"
    ]
    return element(
        "section", element("h2", "Bounds"), _counts("bounds", results), *([element("ul", *missed)] if missed else []),
        element("h2", "Aims"), _counts("aims", results), class_="card summary",
    )  # fmt: skip


def _anchored(place: int, measured: Measured | str) -> list[tuple[str, Figure]]:
    """The figures of the scenario at ``place``, each with the id of its line."""
    return [(f"s{place}-f{line}", figure) for line, figure in enumerate(figures_of(measured))]


def _missed(figure: Figure) -> str:
    measured = number(figure.value) if figure.bound and figure.bound.of == "value" else ratio(figure)
    return f"{measured} where {figure.bound} is to hold"


def _counts(which: str, results: Results) -> Markup:
    found = [
        verdict(figure, limit)
        for measured in results.values()
        for figure in figures_of(measured)
        if (limit := figure.bound if which == "bounds" else figure.aim) is not None
    ]
    if not found:
        return element("p", f"no figure has {which}", class_="quiet")
    counts = ((said, found.count(said)) for said in VERDICTS)
    told = (_verdict(said if count else "", f"{count} {said}") for said, count in counts)
    return element("p", *told, class_="counts")


def _verdict(said: str, shown: str) -> Markup:
    return element("span", shown, class_=f"verdict {said.lower().replace(' ', '-')}")


def _contents(results: Results) -> Markup:
    links = (
        element("li", element("a", name, href=f"#s{place}"), " ", element("span", _summary_of(name)))
        for place, name in enumerate(results)
    )
    return element(
        "nav", element("h2", "Scenarios"), element("ul", *links), element("p", HOW_TO_READ, class_="quiet key"),
        class_="card",
    )  # fmt: skip


def _summary_of(name: str) -> str:
    """What a scenario is about; nothing when this version has it no more."""
    return catalogue.summary(name) if name in catalogue.NAMES else ""


# -- one scenario -------------------------------------------------------------------------------------------


def _scenario(place: int, found: tuple[str, Measured | str]) -> Markup:
    name, measured = found
    return element(
        "section", element("h2", name), element("p", _summary_of(name), class_="quiet"),
        *_content(place, measured), class_="card", id=f"s{place}",
    )  # fmt: skip


def _content(place: int, measured: Measured | str) -> Iterator[Markup]:
    if isinstance(measured, str):
        yield element("p", measured, class_="said")
        return
    if figures_of(measured):
        yield _figures(place, measured)
    if curves_of(measured):
        yield element("div", *map(_curve, curves_of(measured)), class_="curves")
    if not measured:
        yield element("p", "no figure was measured", class_="said")


def _figures(place: int, measured: Measured) -> Markup:
    head = element("tr", *(element("th", column, scope="col") for column in COLUMNS))
    rows = (_row(anchor, figure) for anchor, figure in _anchored(place, measured))
    return _table(head, rows, "figures")


def _table(head: Markup, rows: Iterator[Markup], kind: str) -> Markup:
    """A table that scrolls by itself where the page is narrow. It takes the focus, so that keys scroll it too."""
    table = element("table", element("thead", head), element("tbody", *rows), class_=kind)
    return element("div", table, class_="scroll", role="group", aria_label=kind, tabindex=0)


def _row(anchor: str, figure: Figure) -> Markup:
    values = (number(figure.value), number(figure.bare), ratio(figure))
    return element(
        "tr", element("th", figure.name, scope="row"), element("td", figure.unit, class_="unit"),
        *(element("td", value) for value in values),
        _judged(figure, figure.bound), _judged(figure, figure.aim),
        element("td", dot_strip(figure) or "-", class_="samples"), element("td", figure.note, class_="note"),
        id=anchor,
    )  # fmt: skip


def _judged(figure: Figure, limit: Limit | None) -> Markup:
    if limit is None:
        return element("td", "-", class_="limit")
    said = verdict(figure, limit)
    return element("td", f"{limit} ", _verdict(said, said), class_="limit")


def _curve(curve: Curve) -> Markup:
    note = [element("p", curve.note, class_="quiet")] if curve.note else []
    plot = line_plot(curve)
    if plot is None:
        shown = [element("p", "no point was measured", class_="said")]
    else:
        shown = [plot, legend(curve), *note, _points(curve)]
    return element("figure", element("figcaption", element("h3", curve.name)), *shown)


def _points(curve: Curve) -> Markup:
    """The table behind a plot: a row for each x, a column for each series."""
    rows: dict[float, dict[str, list[str]]] = {}
    for name, line in curve.series.items():
        for x, y in finite(line):
            rows.setdefault(x, {}).setdefault(name, []).append(number(y))
    head = element("tr", *(element("th", name, scope="col") for name in (curve.x, *curve.series)))
    body = (
        element(
            "tr", element("th", number(x), scope="row"),
            *(element("td", ", ".join(rows[x].get(name, "-"))) for name in curve.series),
        )
        for x in sorted(rows)
    )  # fmt: skip
    return element("details", element("summary", f"points, in {curve.y}"), _table(head, body, "points"))
