"""The report: one page that needs nothing else, shows all there is, and takes no markup from the file."""

from __future__ import annotations

import math
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.catalogue import summary
from bench.commands import bench as group
from bench.figures import Curve, Figure, Limit, compared
from bench.results import HEADER, Results, Saved, document, write
from bench.show.page import page
from bench.show.plots import line_plot

from ..rig import ON_ONE_SERVER
from ..servers import Server
from .programs import bench

VOID = {"meta"}
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&\x00</style></svg>"
LINE = Curve("growth", "jobs", "jobs/s", {"ours": [(1, 1.0), (10, 10.0), (100, 100.0)]}, True, True)


class _Page(HTMLParser):
    """What a browser would see: tags with their attributes, and the text of each."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "an element ends inside another"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    def having(self, name: str) -> list[str]:
        """The values of an attribute, wherever it stands."""
        return [attributes[name] or "" for _, attributes in self.tags if name in attributes]


def _saved(results: Results, **about: object) -> Saved:
    return Saved({**dict.fromkeys(HEADER), **about}, results)


def _page(results: Results, **about: object) -> _Page:
    return _Page(page(_saved(results, **about)))


def _plots(content: str) -> list[ET.Element]:
    return [ET.fromstring(found) for found in re.findall(r"<svg .*?</svg>", content, re.DOTALL)]  # noqa: S314


def _strip(figure: Figure) -> ET.Element | None:
    """The samples of the only figure of a page."""
    return next(
        (plot for plot in _plots(page(_saved({"s": [figure]}))) if plot.get("class") == "strip"), None
    )


def _texts(plot: ET.Element | None) -> list[str]:
    assert plot is not None
    return [found.text or "" for found in plot.iter("text")]


def _full() -> Results:
    met = compared(
        "enqueue many", "jobs/s", [90.0, 120.0, 100.0], [50.0, 60.0, 40.0], bound=Limit("ratio", ">=", 1)
    )
    missed = Figure(
        "median", "ms", 12.5, bound=Limit("value", "<=", 10), aim=Limit("value", "<=", 5), note="why"
    )
    unknown = Figure("memory", "MB", math.nan, bound=Limit("value", "<=", 80))
    idle = "not measured: no server"
    return {"enqueue": [met, LINE], "latency": [missed, unknown], "idle": idle, "gone": []}


def test_the_page_needs_no_other_file_and_no_script() -> None:
    found = _page(_full())
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in found.tags}
    assert not found.having("src")
    assert all(link.startswith("#") for link in found.having("href"))
    content = page(_saved(_full()))
    assert "http" not in content
    assert "url(" not in content
    assert "@import" not in content


def test_every_element_is_closed_in_its_place() -> None:
    assert _page(_full()).open == []


def test_the_page_follows_the_theme_of_the_reader() -> None:
    content = page(_saved(_full()))
    assert '<meta name="color-scheme" content="light dark">' in content
    style = Path(page.__code__.co_filename).with_name("page.css").read_text()
    made = dict(re.findall(r"(--[\w-]+): ([^;]+);", style))
    assert all(value.startswith("light-dark(#") for value in made.values()), "a colour is for one theme alone"
    assert set(re.findall(r"var\((--[\w-]+)", style)) == set(made)


def test_every_link_leads_to_a_place_on_the_page() -> None:
    found = _page(_full())
    places = found.having("id")
    assert len(places) == len(set(places))
    assert found.having("href")
    assert {link[1:] for link in found.having("href")} <= set(places)


def test_nothing_in_the_file_becomes_markup() -> None:
    figure = Figure(
        HOSTILE, HOSTILE, 1.0, 1.0, 1.0, Limit("value", ">=", 2), note=HOSTILE,
        samples={"streamq": [HOSTILE, 1.0], HOSTILE: [2.0]},
    )  # fmt: skip
    curve = Curve(HOSTILE, HOSTILE, HOSTILE, {HOSTILE: [(1.0, 1.0)]}, note=HOSTILE)
    results: Results = {HOSTILE: [figure, curve], f"2{HOSTILE}": HOSTILE}
    about = {"at": HOSTILE, "commit": HOSTILE, "machine": {HOSTILE: HOSTILE}, "versions": [HOSTILE]}
    found = _page(results, **about)
    assert not {"script", "img"} & {tag for tag, _ in found.tags}
    assert not found.having("onerror")
    assert found.open == []
    assert "".join(found.text).count("<script>alert(1)</script>") >= 10, "it is there to be read"
    assert "\x00" not in page(_saved(results, **about))
    assert _plots(page(_saved(results, **about)))


def test_the_head_says_when_and_where_it_was_measured() -> None:
    text = " ".join(
        "".join(
            _page(
                {}, at="2026-01-02T03:04:05Z", commit="abc", machine={"cores": 2, "load": 0.12345},
                versions={"redis": None}, configuration={"scenarios": ["drain", "idle"], "quick": True},
            ).text
        ).split()
    )  # fmt: skip
    for said in (
        "2026-01-02T03:04:05Z",
        "abc",
        "cores 2",
        "load 0.123",
        "redis -",
        "drain, idle",
        "quick yes",
    ):
        assert said in text


def test_the_summary_counts_the_bounds_and_links_those_that_are_not_met() -> None:
    content = page(_saved(_full()))
    bounds, aims = content.partition("Bounds")[2].split("Aims")[:2]
    assert re.findall(r">(\d [^<]+)<", bounds) == ["1 met", "1 NOT MET", "1 not measured"]
    assert re.findall(r">(\d [^<]+)<", aims.partition("</section>")[0]) == [
        "0 met",
        "1 NOT MET",
        "0 not measured",
    ]
    (place,) = re.findall(r'<a href="#([^"]+)">latency: median</a>', bounds)
    assert "enqueue many" not in bounds
    assert re.search(rf'<tr id="{place}"><th scope="row">median<', content)


def test_every_figure_is_shown_with_its_verdicts_in_words() -> None:
    content = page(_saved(_full()))
    rows = dict(re.findall(r'<tr id="[^"]+"><th scope="row">([^<]+)</th>(.*?)</tr>', content))
    cells = {name: _Page(f"<p>{row}</p>").text for name, row in rows.items()}
    assert list(rows) == ["enqueue many", "median", "memory"]
    assert cells["enqueue many"][:6] == ["jobs/s", "100", "50", "2.00", "ratio >= 1 ", "met"]
    assert cells["median"] == [
        "ms",
        "12.5",
        "-",
        "-",
        "value <= 10 ",
        "NOT MET",
        "value <= 5 ",
        "NOT MET",
        "-",
        "why",
    ]
    assert cells["memory"][:6] == ["MB", "-", "-", "-", "value <= 80 ", "not measured"]
    assert "nan" not in "".join(_Page(content).text).lower()


def test_a_scenario_has_its_summary_and_one_without_figures_its_sentence() -> None:
    text = "".join(_page(_full()).text)
    assert summary("enqueue") in text
    assert "not measured: no server" in text
    assert "no figure was measured" in text


def test_a_strip_has_a_dot_for_each_sample_of_both_sides_from_0() -> None:
    figure = compared("x", "jobs/s", [80.0, 100.0, 90.0], [20.0, 40.0, 30.0])
    strip = _strip(figure)
    assert strip is not None
    places = [
        float(re.findall(r"[\d.]+", dot.attrib["transform"])[0]) for dot in strip.iter("path")
    ]  # ours, then bare
    assert len(places) == 6
    assert places == pytest.approx([6 + 148 * value / 100 for value in (80, 90, 100, 20, 30, 40)], abs=0.1)
    assert _texts(strip) == ["0", "100"]
    assert strip.findtext("title") == "streamq 80 to 100; bare 20 to 40"
    assert len({dot.attrib["d"] for dot in strip.iter("path")}) == 2, "the sides have shapes of their own"


def test_rounds_of_many_measures_are_thinned_and_keep_their_ends() -> None:
    rounds = [[float(value) for value in range(start, start + 1000)] for start in (1, 1001)]
    strip = _strip(Figure("x", "ms", 1.0, samples={"streamq": rounds}))
    assert strip is not None
    titles = [dot.findtext("title") for dot in strip.iter("path")]
    assert len(titles) == 60
    assert (titles[0], titles[-1]) == ("1", "2,000")


@pytest.mark.parametrize(
    "samples", [{}, {"streamq": []}, {"streamq": ["note", None, math.nan]}, {"about": [1]}]
)
def test_a_figure_without_samples_has_no_strip(samples: dict[str, list[object]]) -> None:
    assert _strip(Figure("x", "ms", 1.0, samples=samples)) is None


def test_every_point_of_every_curve_is_in_the_plot_and_in_its_table() -> None:
    series = {"ours": [(1.0, 11.0), (2.0, 12.0)], "bare": [(2.0, 22.0), (3.0, 33.0), (4.0, math.nan)]}
    content = page(_saved({"drain": [Curve("by slots", "slots", "jobs/s", series)]}))
    plot = _plots(content)[0]
    dots = [path for path in plot.iter("path") if path.get("class") == "dot"]
    tooltips = [dot.findtext("title") for dot in dots]
    assert tooltips == ["ours: 11 at 1", "ours: 12 at 2", "bare: 22 at 2", "bare: 33 at 3"]
    assert len({dot.attrib["d"] for dot in dots}) == 2, "without colour the series differ too"
    rows = re.findall(r'<tr><th scope="row">(\d)</th><td>([^<]*)</td><td>([^<]*)</td></tr>', content)
    assert rows == [("1", "11", "-"), ("2", "12", "22"), ("3", "-", "33")]


def test_a_plot_is_an_image_with_a_name() -> None:
    plot = ET.fromstring(str(line_plot(LINE)))  # noqa: S314
    assert plot.attrib["role"] == "img"
    assert plot.findtext("title") == "growth: jobs/s by jobs"


def test_a_straight_line_on_logarithmic_axes_stays_straight_and_says_so() -> None:
    plot = ET.fromstring(str(line_plot(LINE)))  # noqa: S314
    (line,) = (path for path in plot.iter("path") if "nofill" in path.get("class", ""))
    x1, y1, x2, y2, x3, y3 = map(float, re.findall(r"[\d.]+", line.attrib["d"]))
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)
    assert y1 > y2, "up is more"
    assert "jobs/s (logarithmic)" in _texts(plot)
    assert {"1", "10", "100"} <= set(_texts(plot))


def test_a_linear_axis_begins_at_0_and_is_not_called_logarithmic() -> None:
    texts = _texts(ET.fromstring(str(line_plot(Curve("x", "a", "b", {"s": [(0, 50.0), (1, 100.0)]})))))  # noqa: S314
    assert "0" in texts
    assert not [said for said in texts if "logarithmic" in said]


@pytest.mark.parametrize("value", [0.0, -3.0, 1e-9, 5.0, 1e15])
@pytest.mark.parametrize("log", [True, False])
def test_a_single_point_is_drawn_inside_the_plot(value: float, log: bool) -> None:
    plot = ET.fromstring(str(line_plot(Curve("x", "a", "b", {"s": [(value, value)]}, log, log))))  # noqa: S314
    width, height = map(float, plot.attrib["viewBox"].split()[2:])
    (dot,) = (path for path in plot.iter("path") if path.get("class") == "dot")
    x, y = map(float, re.findall(r"-?[\d.]+", dot.attrib["transform"]))
    assert 0 <= x <= width
    assert 0 <= y <= height


def test_a_curve_without_points_says_so() -> None:
    for series in ({}, {"ours": []}, {"ours": [(1.0, math.nan)]}):
        content = page(_saved({"drain": [Curve("empty", "x", "y", series)]}))
        assert "no point was measured" in content
        assert "<svg" not in content


def test_an_axis_of_less_than_a_decade_has_ticks_too() -> None:
    curve = Curve("x", "a", "b", {"s": [(1.0, 30_000.0), (2.0, 50_700.0)]}, log_y=True)
    labels = {said for said in _texts(ET.fromstring(str(line_plot(curve)))) if said.endswith("k")}  # noqa: S314
    assert {"30k", "40k", "50k"} <= labels


def test_labels_of_ticks_do_not_touch() -> None:
    curve = Curve("x", "a", "b", {"s": [(10_100.0, 1.0), (10_900.0, 2.0)]})
    plot = ET.fromstring(str(line_plot(curve)))  # noqa: S314
    (axis,) = (group for group in plot.iter("g") if group.get("class") == "axis x")
    ticks = [(float(text.attrib["x"]), len(text.text or "")) for text in axis.iter("text")]
    assert len(ticks) >= 2
    assert all(b - a > 3.5 * (one + two) for (a, one), (b, two) in pairwise(ticks))


def test_the_command_writes_the_page_beside_the_results_or_where_it_is_told(tmp_path: Path) -> None:
    write(tmp_path / "r.json", document(_saved(_full())))
    said = bench("report", str(tmp_path / "r.json"))
    assert (said.returncode, said.stdout) == (0, f"report in {tmp_path / 'r.html'}\n")
    assert bench("report", str(tmp_path / "r.json"), "-o", str(tmp_path / "other.html")).returncode == 0
    written = (tmp_path / "other.html").read_text(encoding="utf-8")
    assert written == (tmp_path / "r.html").read_text(encoding="utf-8") == page(_saved(_full()))


def test_the_results_are_never_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "r.html", document(_saved(_full())))
    said = bench("report", str(tmp_path / "r.html"))
    assert said.returncode == 2
    assert "would overwrite the results" in said.stderr
    assert (tmp_path / "r.html").read_text().startswith("{")


@pytest.mark.parametrize("content", ["{}", "<html>", '{"scenarios": {"s": {"figures": 3}}}'])
def test_another_file_is_one_sentence_and_exit_code_2(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    said = bench("report", str(tmp_path / "a.json"))
    assert said.returncode == 2
    assert "a.json is not a results file" in said.stderr
    assert "Traceback" not in said.stderr
    assert not (tmp_path / "a.html").exists()


def test_without_the_extra_one_sentence_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "r.json", document(_saved(_full())))
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "bench.show.page")
    said = CliRunner().invoke(group, ["report", str(tmp_path / "r.json")])
    assert (said.exit_code, said.output.count("\n")) == (1, 1)
    assert "jinja2 is not installed: it comes with `bench`, an extra of streamq" in said.output


@pytest.mark.parametrize("option", ["--html", "--json"])
def test_a_run_whose_file_could_not_be_written_does_not_begin(tmp_path: Path, option: str) -> None:
    said = bench("run", "enqueue", option, str(tmp_path / "nowhere" / "a"), timeout=20)
    assert said.returncode == 2
    assert "there is no folder" in said.stderr


@ON_ONE_SERVER
def test_a_run_writes_the_page(own_server: Callable[..., Server], tmp_path: Path) -> None:
    server, file = own_server(), tmp_path / "a.html"
    said = bench("run", "cost", "--quick", "--repeat", "1", "--html", str(file), "--redis-url", server.url)
    assert said.returncode == 0, said.stderr
    assert f"report in {file}" in said.stderr
    found = _Page(file.read_text(encoding="utf-8"))
    assert "commands per job" in "".join(found.text)
    assert found.open == []
