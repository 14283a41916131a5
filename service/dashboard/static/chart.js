// Charts: lines over time, gaps as gaps, values under the pointer or the arrow keys, a part of the time seen larger, marks
// where another version began, and the same as a table.

import { page } from "./page.js";
import { amount, ask, clock, column, dict, empty, figure, h, short, table } from "./parts.js";

const WIDE = 600;
const HIGH = 120;

/** The largest value of a scale that people read well: 1, 2 or 5 times a power of ten. */
function roundUp(most) {
  if (!(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= most * 0.999);
}

/** The lines of values from 0 to `most`; what is no number is a gap, and a value between two gaps a dot. */
function lines(values, most, wide, high, props) {
  const place = (index) => `${(values.length > 1 ? (index * wide) / (values.length - 1) : wide / 2).toFixed(1)} ${(high - (high * amount(values[index])) / most).toFixed(1)}`;
  const isThere = (index) => Number.isFinite(amount(values[index]));
  const [line, dots] = [[], []];
  values.forEach((_, index) => {
    if (!isThere(index)) return;
    if (isThere(index - 1)) line.push(`L${place(index)}`);
    else (isThere(index + 1) ? line : dots).push(`M${place(index)}${isThere(index + 1) ? "" : "h.01"}`);
  });
  return [h("path", { ...props, key: "line", d: line.join("") }), h("path", { ...props, key: "dots", class: `${props.class} dots`, d: dots.join("") })];
}

/** A small line without axes; the words beside it say what it means. */
export function spark(values, tone, says) {
  if (!values.some((value) => amount(value))) return null;
  const most = Math.max(...values.map((value) => amount(value) || 0), 0);
  return h("svg.spark", { viewBox: "0 0 100 24", preserveAspectRatio: "none", role: "img", "aria-label": says, "data-tone": tone }, h("g", { transform: "translate(0 1)" }, lines(values, most || 1, 100, 22, { class: "line" })));
}

/** The steps that are looked at: all, or those between the two times that the address names. */
function seen(times) {
  const [from, to] = (page.query.zoom ?? "").split("~").map(Number);
  const within = times.map((_, index) => index).filter((index) => !(Date.parse(times[index]) / 1000 < from || Date.parse(times[index]) / 1000 > to));
  return within.length > 1 ? [within[0], within.at(-1) + 1] : [0, times.length];
}

/** Look at the steps from one to another, in all charts of the page; without them at all. */
function zoom(times, one, other) {
  const ends = [one, other].sort((a, b) => a - b).map((index) => Math.floor(Date.parse(times[index]) / 1000));
  page.set({ drag: null, hover: null });
  ask({ zoom: times.length && ends[1] > ends[0] ? ends.join("~") : "" });
}

/** Where a version of the workers that run began: { index, text }, for a line in each chart. */
function marks(times) {
  const begins = new Map();
  for (const { version, started_at: at } of page.live.workers.map(dict)) {
    if (version && !(begins.get(version) <= at)) begins.set(version, at);
  }
  const place = (at) => times.findLastIndex((time) => Date.parse(time) <= Date.parse(at));
  return [...begins].filter(([, at]) => place(at) > 0).map(([version, at]) => ({ index: place(at), text: `${version} since ${clock(at)}` }));
}

/**
 * Lines over time. `times` are the begins of the steps; `series` has { title, tone, values }; `said(value)` writes a value with
 * its unit.
 */
export function chart({ name, times: allTimes, series: all, said = short }) {
  const { hover } = page.local;
  const tables = (page.query.tables ?? "").split("~").filter(Boolean);
  const [from, to] = seen(allTimes);
  const times = allTimes.slice(from, to);
  const series = all.map((each) => ({ ...each, values: each.values.slice(from, to) }));
  const isTable = tables.includes(name);
  const most = roundUp(Math.max(0, ...series.flatMap(({ values }) => values.map((value) => amount(value) || 0))));
  const at = hover < times.length ? hover : null;
  const began = marks(times);
  return h("figure.chart", { key: `chart ${name}` },
    h("figcaption", {},
      h("h2", {}, name),
      h("span.legend", {}, series.map((each) => legend(each, at, said)), began.map(({ text }) => h("span.mark", { key: text }, text))),
      h("span.quiet.hovered", {}, at == null ? "" : clock(times[at])),
      to - from < allTimes.length ? h("button.small", { onclick: () => zoom([]) }, "All of the time") : null,
      h("button.small", { "aria-pressed": String(isTable), onclick: () => ask({ tables: (isTable ? tables.filter((each) => each !== name) : [...tables, name]).join("~") }) }, "Table"),
    ),
    isTable ? asTable(name, times, series, said) : times.length ? plot(name, times, series, most, said, at, began) : empty("Nothing is kept of this time."),
  );
}

function legend({ title, tone, values }, at, said) {
  const value = at == null ? null : ` ${said(values[at])}`;
  return h("span", { key: title, "data-tone": tone }, h("i", { "aria-hidden": "true" }), title, value);
}

function plot(name, times, series, most, said, at, began) {
  const far = times.length - 1;
  const { drag } = page.local;
  const inside = (index) => Math.max(0, Math.min(far, index));
  const under = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    return inside(Math.round(((event.clientX - box.left) / box.width) * far));
  };
  const key = (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const here = at ?? Math.floor(far / 2);
    if (by) page.set({ hover: inside((at ?? (by > 0 ? -1 : far + 1)) + by) });
    else if (event.key === "+") zoom(times, inside(here - Math.ceil(far / 4)), inside(here + Math.ceil(far / 4)));
    else if (event.key === "-") zoom([]);
    else return;
    event.preventDefault();
  };
  const x = (index) => (index * WIDE) / Math.max(1, far);
  const line = (index) => `M${x(index).toFixed(1)} 0v${HIGH}`;
  return h("div.plot", {},
    h("div.scale", { "aria-hidden": "true" }, [said(most), said(most / 2), "0"].map((text) => h("span", {}, text))),
    h(
      "svg",
      {
        viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", tabindex: 0, role: "img", "aria-label": spoken(name, series, said), onkeydown: key,
        onpointermove: (event) => page.set({ hover: under(event) }), onpointerleave: () => page.set({ hover: null, drag: null }), onblur: () => page.set({ hover: null }),
        onpointerdown: (event) => page.set({ drag: [name, under(event)] }),
        onpointerup: (event) => (page.local.drag && Math.abs(page.local.drag[1] - under(event)) > 1 ? zoom(times, page.local.drag[1], under(event)) : page.set({ drag: null })),
      },
      [0, HIGH / 2, HIGH].map((y) => h("path.grid", { d: `M0 ${y}h${WIDE}` })),
      began.map(({ index, text }) => h("path.deployed", { key: text, d: line(index) })),
      drag?.[0] === name && typeof at === "number" ? h("path.dragged", { key: "drag", d: `M${x(drag[1]).toFixed(1)} 0H${x(at).toFixed(1)}V${HIGH}H${x(drag[1]).toFixed(1)}z` }) : null,
      series.filter(({ values }) => values.some((value) => amount(value))).reverse().map(({ title, tone, values }) => h("g", { key: title, "data-tone": tone }, lines(values, most, WIDE, HIGH, { class: "line" }))),
      typeof at === "number" ? h("path.cursor", { key: "cursor", d: line(at) }) : null,
    ),
    h("div.times", { "aria-hidden": "true" }, [0, Math.floor(far / 2), far].filter((index, place, all) => all.indexOf(index) === place).map((index) => h("span", {}, clock(times[index])))),
  );
}

function spoken(name, series, said) {
  const lasts = series.map(({ title, values }) => `${title} ${said(values.findLast((value) => Number.isFinite(amount(value))))}`);
  return `${name}; at last ${lasts.join(", ")}. The arrow keys go through the values, + shows a part larger, - all.`;
}

const asTable = (name, times, series, said) =>
  h("div.short", {}, table({
    name, items: times.map((_, index) => index).reverse(), key: (index) => times[index],
    columns: [column("time", (index) => clock(times[index])), ...series.map(({ title, values }) => figure(title, (index) => said(values[index])))],
  }));
