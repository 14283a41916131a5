// The totals with a line of their last minutes, and the table of queues.

import { find, h, svg, write } from "./dom.js";
import { number } from "./format.js";
import { icon, STATES, TOTALS } from "./states.js";

const POINTS = 90;
const KEPT = { completed: "those that are still kept", failed: "those that are still kept" };
const history = Object.fromEntries(TOTALS.map((state) => [state, []]));
const tiles = new Map();
const rows = new Map();
const pauses = new Map();

export function showTotals(queues) {
  const list = find("totals");
  for (const state of TOTALS) {
    const total = [...queues.values()].reduce((sum, counts) => sum + (counts[state] ?? 0), 0);
    history[state] = [...history[state], total].slice(-POINTS);
    if (!tiles.has(state)) {
      const value = h("strong", {}, "0");
      const line = svg("polyline", { points: "" });
      const chart = svg("svg", { class: "spark", viewBox: "0 0 100 24", preserveAspectRatio: "none", "aria-hidden": "true" }, line);
      list.append(h("li", { "data-state": state, title: KEPT[state] }, h("span", {}, icon(state), state), value, chart));
      tiles.set(state, { value, line });
    }
    const tile = tiles.get(state);
    write(tile.value, number(total));
    tile.line.setAttribute("points", points(history[state]));
  }
}

function points(values) {
  const most = Math.max(...values);
  const least = Math.min(...values);
  const y = (value) => (most === least ? (most ? 12 : 23) : 23 - (22 * (value - least)) / (most - least));
  const x = (index) => 100 - ((values.length - 1 - index) * 100) / (POINTS - 1);
  return values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
}

const SELDOM = new Set(["held", "cancelled", "expired"]); // shown where there are any

/** One row per queue, changed in place; a count leads to the jobs behind it. */
export function showQueues(queues, paused, choose) {
  const place = find("queues");
  const names = [...queues.keys()].sort();
  if (!names.length) {
    place.replaceChildren(h("p", { class: "empty" }, "No queue yet. It appears with its first job."));
    return;
  }
  const states = STATES.filter((state) => !SELDOM.has(state) || names.some((name) => queues.get(name)[state]));
  const layout = JSON.stringify([names, states]);
  if (place.dataset.layout !== layout) {
    place.dataset.layout = layout;
    rows.clear();
    pauses.clear();
    place.replaceChildren(table(names, states, choose));
  }
  for (const name of names) {
    showPause(pauses.get(name), paused.get(name));
    for (const state of states) {
      const count = queues.get(name)[state];
      const button = rows.get(`${name} ${state}`);
      write(button, number(count));
      button.classList.toggle("zero", !count);
    }
  }
}

function table(names, states, choose) {
  const head = h("tr", {}, h("th", { scope: "col" }, "queue"), states.map((state) => h("th", { scope: "col" }, state)));
  const body = names.map((name) =>
    h("tr", {}, h("th", { scope: "row" }, name, pauseOf(name)), states.map((state) => cell(name, state, choose))),
  );
  return h("table", {}, h("thead", {}, head), h("tbody", {}, body));
}

function cell(name, state, choose) {
  const label = `${state} jobs of ${name}`;
  const button = h("button", { type: "button", class: "count", title: label, onclick: () => choose(name, state) });
  rows.set(`${name} ${state}`, button);
  return h("td", { "data-state": state, "data-label": state }, button);
}

function pauseOf(name) {
  const mark = h("span", { class: "paused", hidden: true });
  pauses.set(name, mark);
  return mark;
}

function showPause(mark, pause) {
  mark.hidden = !pause;
  if (!pause) return;
  const until = pause.until ? ` until ${pause.until.slice(0, 16).replace("T", " ")}` : "";
  write(mark, `paused${until}${pause.reason ? `: ${pause.reason}` : ""}`);
}
