// What goes on: operations in the background, who did what, and the counts as they change.

import { asked } from "./api.js";
import { progress } from "./bulk.js";
import { write } from "./exact.js";
import { at, card, clock, column, dict, dicts, empty, figure, h, icon, jobLink, link, list, listing, number, once, queueColumn, queueLink, small, tabs, when } from "./parts.js";

const PARTS = [["operations", "Operations"], ["audit", "Who did what"], ["live", "Live"]];
const partsOf = ({ isNarrow }) => PARTS.filter(([part]) => !(isNarrow && part === "audit"));

export const activity = {
  title: () => "Activity",
  asks: ({ query: { part = "operations", cursor } }) =>
    part === "audit" ? { audit: { path: `audit?${asked({ limit: 100, cursor })}`, every: 5 } } : part === "live" ? {} : { operations: { path: "operations", every: 2 } },
  body(page) {
    const { data, query, live } = page;
    const part = query.part ?? "operations";
    return [
      tabs("What", part, partsOf(page).map(([value, text]) => [value, text, at("activity", { part: value })])),
      part === "audit" ? once(data.audit, () => audit(data.audit)) : part === "live" ? changes(live) : once(data.operations, operations),
    ];
  },
};

function operations(found) {
  const [running, ended] = [found.filter(({ state }) => state === "running"), found.filter(({ state }) => state !== "running")];
  return [
    card("Going on", running.length ? running.map(progress) : empty("Nothing is done to many jobs at the moment.")),
    listing("Ended in the last day", {
      items: ended, key: ({ id }) => id,
      columns: [
        column("what", ({ kind, filter, states }) => [h("b", {}, kind), small(filter || list(states).join(", "))]),
        queueColumn,
        column("ended as", ({ state, reason }) => [state, reason ? small(reason) : null]),
        figure("done", ({ done, total, filter }) => (filter ? number(done) : `${number(done)} of ${number(total)}`)),
        figure("looked at", ({ looked, filter }) => (filter ? number(looked) : "–")),
        figure("skipped"),
        column("by"),
        figure("when", ({ ended_at, updated_at }) => when(ended_at ?? updated_at)),
      ],
    }),
  ];
}

function audit({ data, page }) {
  const next = dict(page).next;
  return [
    listing("Who did what", {
      items: dicts(data), key: ({ id }) => id, none: "Nothing was done to queues, jobs and schedules, or nothing is kept.",
      columns: [
        column("when", ({ at }) => when(at)),
        column("who", ({ actor }) => actor),
        column("did", ({ action }) => h("b", {}, action)),
        queueColumn,
        column("to", ({ queue, subject, action }) => (queue && String(action).startsWith("job") ? jobLink(queue, subject) : subject)),
        column("how", ({ details }) => (Object.keys(dict(details)).length ? h("code", {}, write(details)) : null)),
      ],
    }),
    next ? h("p", { key: "next" }, link(at("activity", { part: "audit", cursor: next }), "Older acts")) : null,
  ];
}

function changes(live) {
  if (!live.changes.length) return card("Counts as they change", empty("Nothing has changed since this page was opened."));
  const lines = live.changes.map(({ number: key, at: time, queue, by }) =>
    h("li", { key, "data-row": true }, h("time", {}, clock(time, true)), queueLink(queue), by.map(([state, size]) => h("span.badge", { "data-state": state }, icon(state), `${state} ${size > 0 ? "+" : "−"}${number(Math.abs(size))}`))));
  return card("Counts as they change", h("ol.changes", {}, lines));
}
