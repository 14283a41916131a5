// The groups of a queue: what waits, what runs, and how much of its limit each uses.

import { button, command, limits, resting } from "./action.js";
import { groupAt, query as asked, queueAt } from "./api.js";
import { amount, dict, number, span } from "./format.js";
import { card, column, facts, figure, framed, head, jobLink, link, mark, meter, once, table, tabs, waiting } from "./parts.js";
import { parts } from "./queue.js";
import { h } from "./render.js";
import { at } from "./route.js";
import { charts, joined } from "./series.js";

const said = (limit) => Object.entries(dict(limit)).map(([name, value]) => `${name.replace("_", " ")} ${value}`).join(", ");

const limited = (queue, group, own) => ({
  text: "Limit", scope: "admin", method: "PUT", path: groupAt(queue, group), title: `Limit the group ${group}`,
  note: "The limit in full: what is empty goes back to what is said of every group.",
  fields: [
    { name: "concurrency", label: "Jobs at once", value: String(own.concurrency ?? ""), hint: "a number, or unlimited" },
    { name: "rate", label: "Starts", value: String(own.rate ?? ""), hint: "such as 10/s or 100/5m" },
    { name: "weight", label: "Weight", value: String(own.weight ?? ""), hint: "its share beside others" },
    { name: "max_waiting", label: "Jobs that may wait", value: String(own.max_waiting ?? ""), hint: "a number, or unlimited" },
  ],
  body: limits,
  cli: (values) => command("group", "limit", queue, group, values),
  done: () => "The limit holds at once.",
});

export const groups = {
  title: ({ at }) => `Groups of ${at.queue}`,
  asks: ({ at: { queue }, query }) => ({ found: { path: `${queueAt(queue)}/groups?order=${query.order === "longest" ? "longest" : "busiest"}&limit=100`, every: 5, queue, isPage: true } }),
  body({ at: { queue }, data, query }) {
    return [
      head(`Groups of ${queue}`),
      parts(queue, "groups"),
      h("div", { class: "row", key: "order" }, tabs("Order", query.order ?? "busiest", [["busiest", "busiest first", at("queues", queue, "groups")], ["longest", "longest waits first", at("queues", queue, "groups", { order: "longest" })]])),
      once(data.found, (found) => framed(rows(queue, found))),
    ];
  },
};

function rows(queue, found) {
  return table({
    name: "Groups", items: found, key: ({ name }) => name, none: "No job of a group waits.",
    columns: [
      column("group", ({ name, paused }) => [link(at("queues", queue, "groups", name), name), paused ? mark("paused") : null]),
      figure("waiting", ({ name, waiting }) => link(at("queues", queue, "jobs", { group: name, state: "waiting" }), number(waiting))),
      figure("active", ({ active }) => number(active)),
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
  body({ at: { queue, group }, data }) {
    const told = dict(data.told);
    return [
      head(group, button(resting(told.paused ? "Resume" : "Pause", groupAt(queue, group), `the group ${group}`, ["group", queue, group])), button(limited(queue, group, dict(told.own_limit)))),
      parts(queue, "groups"),
      data.told
        ? card("The group", facts({
            queue: link(at("queues", queue), queue),
            waiting: link(at("queues", queue, "jobs", { group, state: "waiting" }), number(told.waiting)),
            active: used(told.active, dict(told.limit).concurrency),
            limit: said(told.limit) || "none",
            "told of it alone": said(told.own_limit) || "nothing",
            "starts of late": told.window ? `${number(told.used)} in ${span(told.window)}` : null,
            "oldest job": told.oldest ? [jobLink(queue, told.oldest), ` waits for ${span(told.age)}`] : "none",
            paused: told.paused ? dict(told.paused).reason || "yes" : null,
          }))
        : waiting(),
      data.stats ? h("div", { class: "charts", key: "charts" }, charts(joined(data.stats))) : null,
    ];
  },
};
