"""The report: one page that needs nothing else, shows all there is, and takes no markup from the file."""

from __future__ import annotations

import math
import re
import sys
import xml.etree.ElementTree as ET
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.catalogue import summary
from bench.commands import bench as group
from bench.figures import Curve, Figure, Limit, compared
from bench.results import Results, Scenario, write
from bench.show.page import page, spread
from bench.show.plots import line_plot

from .programs import bench

VOID = {"meta", "img"}
SVG = "{http://www.w3.org/2000/svg}"
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


def _saved(scenarios: dict[str, Scenario], **about: object) -> Results:
    return Results(
        **{**dict.fromkeys(("at", "commit", "machine", "versions", "configuration")), **about},
        scenarios=scenarios,
    )


def _page(scenarios: dict[str, Scenario], **about: object) -> _Page:
    return _Page(page(_saved(scenarios, **about)))


def _image(curve: Curve) -> ET.Element:
    """The plot of a curve."""
    kind, _, content = str(line_plot(curve)).partition(",")
    assert kind == "data:image/svg+xml;base64"
    return ET.fromstring(b64decode(content))  # noqa: S314


def _texts(plot: ET.Element) -> list[str]:
    return [found.text or "" for found in plot.iter(f"{SVG}text")]


def _full() -> dict[str, Scenario]:
    met = replace(
        compared("enqueue many", "jobs/s", [90.0, 120.0, 100.0], [50.0, 60.0, 40.0]),
        bound=Limit("ratio", ">=", 1, met=True),
    )
    missed = Figure("median", "ms", 12.5, note="why", bound=Limit("value", "<=", 10, met=False))
    unknown = Figure("memory", "MB", math.nan, bound=Limit("value", "<=", 80))
    return {
        "enqueue": Scenario(None, [met], [LINE]), "latency": Scenario(None, [missed, unknown]),
        "idle": Scenario("not measured: no server"), "gone": Scenario(),
    }  # fmt: skip


def test_the_page_needs_no_other_file_and_no_script() -> None:
    found = _page(_full())
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in found.tags}
    assert all(source.startswith("data:image/svg+xml;base64,") for source in found.having("src"))
    assert all(link.startswith("#") for link in found.having("href"))
    content = page(_saved(_full()))
    assert "http" not in content
    assert "url(" not in content
    assert "@import" not in content


def test_every_element_is_closed_in_its_place() -> None:
    assert _page(_full()).open == []


def test_every_link_leads_to_a_place_on_the_page() -> None:
    found = _page(_full())
    places = found.having("id")
    assert len(places) == len(set(places))
    assert found.having("href")
    assert {link[1:] for link in found.having("href")} <= set(places)


def test_nothing_in_the_file_becomes_markup() -> None:
    figure = Figure(
        HOSTILE, HOSTILE, 1.0, 1.0, 1.0, HOSTILE, {"streamq": [HOSTILE, 1.0], HOSTILE: [2.0]},
        Limit("value", ">=", 2, met=False),
    )  # fmt: skip
    curve = Curve(HOSTILE, HOSTILE, HOSTILE, {HOSTILE: [(1.0, 1.0)]}, note=HOSTILE)
    scenarios = {HOSTILE: Scenario(None, [figure], [curve]), f"2{HOSTILE}": Scenario(HOSTILE)}
    about = {"at": HOSTILE, "commit": HOSTILE, "machine": {HOSTILE: HOSTILE}, "versions": [HOSTILE]}
    found = _page(scenarios, **about)
    assert "script" not in {tag for tag, _ in found.tags}
    assert not found.having("onerror")
    assert found.open == []
    assert "".join(found.text).count("<script>alert(1)</script>") >= 10, "it is there to be read"
    assert "\x00" not in page(_saved(scenarios, **about))


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
    bounds = content.partition("Bounds")[2].partition("</section>")[0]
    assert re.findall(r">(\d [^<]+)<", bounds) == ["1 met", "1 NOT MET", "1 not measured"]
    (place,) = re.findall(
        r'<a href="#([^"]+)">latency: median</a> 12.5 where value &lt;= 10 is to hold', bounds
    )
    assert "enqueue many" not in bounds
    assert re.search(rf'<tr id="{place}"><th scope="row">median<', content)


def test_every_figure_is_shown_with_its_verdict_in_words_and_how_far_its_samples_spread() -> None:
    content = page(_saved(_full()))
    rows = dict(re.findall(r'<tr id="[^"]+"><th scope="row">([^<]+)</th>(.*?)</tr>', content, re.DOTALL))
    cells = {
        name: [said.strip() for said in _Page(f"<p>{row}</p>").text if said.strip()]
        for name, row in rows.items()
    }
    spread = "streamq 90 to 120 (3); bare 40 to 60 (3)"
    assert cells["enqueue many"] == ["jobs/s", "100", "50", "2.00", "ratio >= 1", "met", spread]
    assert cells["median"] == ["ms", "12.5", "-", "-", "value <= 10", "NOT MET", "-", "why"]
    assert cells["memory"] == ["MB", "-", "-", "-", "value <= 80", "not measured", "-"]
    assert "nan" not in "".join(_Page(content).text).lower()


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ({}, "-"), ({"streamq": ["note", None, math.nan]}, "-"), ({"about": [1]}, "-"),
        ({"streamq": [[1.0, 9.0], [2.0]]}, "streamq 1 to 9 (3)"),
    ],
)  # fmt: skip
def test_samples_that_are_no_numbers_have_no_spread(samples: dict[str, list[object]], said: str) -> None:
    assert spread(Figure("x", "ms", 1.0, samples=samples)) == said


def test_a_scenario_has_its_summary_and_one_without_figures_its_sentence() -> None:
    text = "".join(_page(_full()).text)
    assert summary("enqueue") in text
    assert "not measured: no server" in text
    assert "no figure was measured" in text


def test_every_point_of_every_curve_is_in_the_plot_and_in_its_table() -> None:
    series = {"ours": [(1.0, 11.0), (2.0, 12.0)], "bare": [(2.0, 22.0), (3.0, 33.0), (4.0, math.nan)]}
    curve = Curve("by slots", "slots", "jobs/s", series)
    assert len([dot for dot in _image(curve).iter(f"{SVG}circle") if "dot" in dot.get("class", "")]) == 4
    content = page(_saved({"drain": Scenario(None, [], [curve])}))
    assert 'alt="by slots: jobs/s by slots"' in content
    rows = re.findall(r'<tr><th scope="row">(\d)</th><td>([^<]*)</td><td>([^<]*)</td></tr>', content)
    assert rows == [("1", "11", "-"), ("2", "12", "22"), ("3", "-", "33")]


def test_the_same_results_are_the_same_page() -> None:
    assert page(_saved(_full())) == page(_saved(_full()))
    assert "<!--" not in ET.tostring(_image(LINE), encoding="unicode"), "a comment would have the day"


def test_a_straight_line_on_logarithmic_axes_stays_straight_and_says_so() -> None:
    plot = _image(LINE)
    dots = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in plot.iter(f"{SVG}circle")]
    (x1, y1), (x2, y2), (x3, y3) = dots
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)
    assert y1 > y2, "up is more"
    assert {"jobs/s (logarithmic)", "1", "10", "100"} <= set(_texts(plot))


def test_a_linear_axis_begins_at_0_and_is_not_called_logarithmic() -> None:
    texts = _texts(_image(Curve("x", "a", "b", {"s": [(0, 50.0), (1, 100.0)]})))
    assert "0" in texts
    assert not [said for said in texts if "logarithmic" in said]


def test_a_curve_without_points_says_so() -> None:
    for series in ({}, {"ours": []}, {"ours": [(1.0, math.nan)]}):
        content = page(_saved({"drain": Scenario(None, [], [Curve("empty", "x", "y", series)])}))
        assert "no point was measured" in content
        assert "<img" not in content


def test_the_command_writes_the_page_beside_the_results_or_where_it_is_told(tmp_path: Path) -> None:
    write(tmp_path / "r.json", _saved(_full()))
    said = bench("report", str(tmp_path / "r.json"))
    assert (said.returncode, said.stdout) == (0, f"report in {tmp_path / 'r.html'}\n")
    assert bench("report", str(tmp_path / "r.json"), "-o", str(tmp_path / "other.html")).returncode == 0
    written = (tmp_path / "other.html").read_text(encoding="utf-8")
    assert written == (tmp_path / "r.html").read_text(encoding="utf-8") == page(_saved(_full()))


def test_the_results_are_never_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "r.html", _saved(_full()))
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
    write(tmp_path / "r.json", _saved(_full()))
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
