// The parts that all pages are made of: cards, tables, facts, links; and, for one import, how values are written.

import { items, list, NONE, number, phrase, since } from "./format.js";
import { page } from "./page.js";
import { h } from "./render.js";
import { ask, at } from "./route.js";

export * from "./format.js";
export { h, patch } from "./render.js";
export * from "./route.js";
export * from "./states.js";

export const head = (title, ...more) => h("div.head", {}, h("h1", { tabindex: -1 }, title), h("div.row", {}, more));

export const card = (title, ...children) =>
  h("section.card", { key: `card ${title}`, "aria-label": title }, h("h2", {}, title), children);

/** The way back. */
export const crumbs = (...way) => h("nav.crumbs", { "aria-label": "Where this is", key: "crumbs" }, way.filter(Boolean).flatMap((each, index) => (index ? [" / ", each] : each)));
export const toQueue = (queue, ...more) => crumbs(link(at("queues"), "Queues"), queue && queueLink(queue), ...more);

/** A card without a title, for the one table of a page. */
export const framed = (...children) => h("section.card", { key: "table" }, children);

export const empty = (text) => h("p.empty", {}, text);
export const quiet = (...text) => h("span.quiet", {}, text);
export const small = (...text) => h("small.quiet", {}, text);
export const mark = (...text) => h("span.mark", {}, text);
export const warn = (...text) => h("span.warn", {}, text);
export const note = (...text) => h("p.quiet", {}, text);
export const alert = (...text) => h("span.error", { role: "alert" }, text);
/** What is wrong, with all that is told of it. */
export const wrong = ({ message, errors }) => [message, ...list(errors).map(({ pointer, message: text, hint }) => phrase([`${pointer}: ${text}`, hint]))].join(" ");
export const waiting = () => empty(page.isFailing ? "Nothing is known of this yet." : "Asking the server …");
/** What an answer tells; without one nothing is said to be there or not. */
export const once = (answer, show) => (answer ? show(items(answer)) : waiting());

/** A time as seen from now, the time itself behind it. */
export const when = (time) => (since(time) ? h("time", { title: time, datetime: time }, since(time)) : NONE);

/** Pairs of a name and a value; what is not there is left out. */
export const facts = (values) =>
  h("dl.facts", {},
    Object.entries(values)
      .filter(([, value]) => ![null, undefined, "", NONE, false].includes(value))
      .map(([name, value]) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, value))),
  );

/** A column of a table: its title, and what it shows of an item; `names` says what has no title to be seen. */
export const column = (title, cell = (item) => item[title], names) => ({ title, cell, names });
/** A column of numbers. */
export const figure = (title, cell = (item) => number(item[title])) => ({ title, cell, isNumber: true });
export const queueColumn = column("queue", ({ queue }) => (queue ? queueLink(queue) : null));
/** A column of buttons. */
export const actsColumn = (acts) => column("", (item) => h("div.row.end", {}, acts(item)), "acts");

/** A card that is one table, and what stands before it. */
export const listing = (name, told, ...before) => card(name, before, table({ name, ...told }));

/** A table with a row for each item. A row that cannot be shown hides no other. */
export function table({ name, columns, items, key, none, row = () => ({}) }) {
  if (!list(items).length) return empty(none ?? "None.");
  const titles = columns.map(({ title, isNumber, names }) => h("th", { scope: "col", class: isNumber ? "number" : null }, title || h("span.unseen", {}, names)));
  return h("div.scrolls", { role: "region", "aria-label": `Table of ${name}`, tabindex: 0 },
    h("table", {}, h("thead", {}, h("tr", {}, titles)), h("tbody", {}, items.map((item, index) => tableRow(columns, item, key(item, index), row)))),
  );
}

/** A number that is nought, or that there is none of, steps back. */
const shownCell = (title, shown, isNumber) => h("td", { class: isNumber ? (shown === "0" || shown === NONE ? "number zero" : "number") : null, "data-title": title }, shown);

function tableRow(columns, item, key, row) {
  try {
    const cells = columns.map(({ title, cell, isNumber }) => shownCell(title, cell(item), isNumber));
    return h("tr", { key, "data-row": true, ...row(item) }, cells);
  } catch (error) {
    return h("tr", { key, "data-row": true }, h("td.error", { colspan: columns.length }, `cannot be shown: ${error.message}`));
  }
}

export const link = (address, ...children) => h("a", { href: address }, children);
export const queueLink = (queue) => link(at("queues", queue ?? ""), queue ?? "–");
export const jobLink = (queue, id, ...children) => link(at("queues", queue ?? "", "jobs", id ?? ""), children.length ? children : (id ?? "–"));

/** Links of which one is the present one. */
export const tabs = (name, present, entries) =>
  h("nav.tabs", { "aria-label": name }, entries.map(([value, text, address]) => h("a", { key: value, href: address, "aria-current": value === present ? "page" : null }, text)));

/** How much of a whole is used, with words beside it. */
export function meter(used, whole, tone) {
  const share = whole > 0 ? Math.min(1, used / whole) : 0;
  return h("span.meter", { "aria-hidden": "true", "data-tone": tone ?? (share >= 1 ? "bad" : share >= 0.8 ? "warn" : "good") }, h("i", { style: { width: `${(share * 100).toFixed(1)}%` } }));
}

/** A field that `/` goes to; what is written there is in the address. */
export const find = (says, value, props) =>
  h("input", { type: "search", "data-search": true, placeholder: says, "aria-label": says, value: value ?? "", oninput: (event) => ask({ q: event.target.value }, { quietly: true }), ...props });

/** The same in a row of its own, and whether a text has what is sought. */
export const finder = (says, query) => h("div.row", { key: "filters" }, find(says, query.q));
export const fits = ({ q = "" }, ...texts) => texts.join(" ").toLowerCase().includes(q.toLowerCase());

/** Hours or days to look back, as links to the same place. */
export const spans = (query, ...place) => tabs("Time", query.since ?? "1h", ["15m", "1h", "6h", "24h"].map((since) => [since, since, at(...place, { ...query, since, zoom: "" })]));
