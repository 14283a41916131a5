// The groups of a queue: what waits, what runs, and how much of its limit each uses.

import { act, button, limits, resting, theGroup } from "./action.js";
import { groupAt, asked, queueAt } from "./api.js";
import { amount, at, card, column, dict, facts, figure, framed, h, items, jobLink, link, mark, meter, number, span, table, tabs, toQueue } from "./parts.js";
import { parts } from "./queue.js";
import { charts, joined } from "./series.js";

const said = (limit) => Object.entries(dict(limit)).map(([name, value]) => `${name.replace("_", " ")} ${value}`).join(", ");

const limited = (queue, group, own) => act(theGroup(queue, group), "limit", {
  text: "Limit", method: "PUT", title: `Limit the group ${group}`,
  note: "The limit in full: what is empty goes back to what is said of every group.",
  fields: [
    { name: "concurrency", label: "Jobs at once", value: String(own.concurrency ?? ""), hint: "a number, or unlimited" },
    { name: "rate", label: "Starts", value: String(own.rate ?? ""), hint: "such as 10/s or 100/5m" },
    { name: "weight", label: "Weight", value: String(own.weight ?? ""), hint: "its share beside others" },
    { name: "max_waiting", label: "Jobs that may wait", value: String(own.max_waiting ?? ""), hint: "a number, or unlimited" },
  ],
  body: limits,
  done: "The limit holds at once.",
});

export const groups = {
  title: ({ at }) => `Groups of ${at.queue}`,
  asks: ({ at: { queue }, query }) => ({ found: { path: `${queueAt(queue)}/groups?order=${query.order === "longest" ? "longest" : "busiest"}&limit=100`, every: 5, queue, isPage: true } }),
  way: ({ at: { queue } }) => toQueue(queue),
  body({ at: { queue }, data, query }) {
    return [
      parts(queue, "groups"),
      h("div.row", { key: "order" }, tabs("Order", query.order ?? "busiest", [["busiest", "busiest first", at("queues", queue, "groups")], ["longest", "longest waits first", at("queues", queue, "groups", { order: "longest" })]])),
      framed(rows(queue, items(data.found))),
    ];
  },
};

function rows(queue, found) {
  return table({
    name: "Groups", items: found, key: ({ name }) => name, none: "No job of a group waits.",
    columns: [
      column("group", ({ name, paused }) => [link(at("queues", queue, "groups", name), name), paused ? mark("paused") : null]),
      figure("waiting", ({ name, waiting }) => link(at("queues", queue, "jobs", { group: name, state: "waiting" }), number(waiting))),
      figure("active"),
      column("at once", ({ active, limit }) => used(active, dict(limit).concurrency)),
      column("starts", ({ used: starts, limit, window }) => (dict(limit).rate ? `${number(starts)} in ${span(window)}, ${dict(limit).rate} at most` : "–")),
      figure("oldest", ({ oldest, age }) => (oldest ? jobLink(queue, oldest, span(age)) : "–")),
    ],
  });
}

/** How many of the allowed run. */
function used(active, most) {
  const whole = amount(most);
  return Number.isFinite(whole) ? [meter(amount(active), whole), ` ${number(active)} of ${number(whole)}`] : `${number(active)}, no limit`;
}

export const group = {
  title: ({ at }) => `${at.group} in ${at.queue}`,
  asks: ({ at: { queue, group } }) => ({
    told: { path: groupAt(queue, group), every: 5, queue, isPage: true },
    ...(group.includes(":") ? {} : { stats: { path: `${queueAt(queue)}/stats?${asked({ group })}`, every: 15 } }),
  }),
  way: ({ at: { queue } }) => toQueue(queue, link(at("queues", queue, "groups"), "groups")),
  head: ({ at: { queue, group }, data: { told } }) =>
    [resting(theGroup(queue, group), told.paused ? "Resume" : "Pause", `the group ${group}`), limited(queue, group, dict(told.own_limit))].map((act) => button(act)),
  body({ at: { queue, group }, data: { told, stats } }) {
    return [
      parts(queue, "groups"),
      card("The group", facts({
        queue: link(at("queues", queue), queue),
        waiting: link(at("queues", queue, "jobs", { group, state: "waiting" }), number(told.waiting)),
        active: used(told.active, dict(told.limit).concurrency),
        limit: said(told.limit) || "none",
        "told of it alone": said(told.own_limit) || "nothing",
        "starts of late": told.window ? `${number(told.used)} in ${span(told.window)}` : null,
        "oldest job": told.oldest ? [jobLink(queue, told.oldest), ` waits for ${span(told.age)}`] : "none",
        paused: told.paused ? dict(told.paused).reason || "yes" : null,
      })),
      stats ? charts(joined(stats)) : null,
    ];
  },
};
