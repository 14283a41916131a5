// One queue: how it does, what it is told, and what may be done to it.

import { button } from "./action.js";
import { asked, queueAt } from "./api.js";
import { serving, slots } from "./health.js";
import { at, card, column, count, dict, facts, figure, h, icon, items, jobLink, listing, number, percent, phrase, plural, since, span, spans, STATES, tabs, took, toQueue, warn, when } from "./parts.js";
import { counted } from "./queues.js";
import { charts, joined } from "./series.js";
import { drain, limit, pause, purge, remove, resume } from "./steering.js";

export const parts = (queue, present) =>
  tabs("Of this queue", present, [
    ["queue", "Queue", at("queues", queue)],
    ["jobs", "Jobs", at("queues", queue, "jobs")],
    ["groups", "Groups", at("queues", queue, "groups")],
    ["failures", "Failures", at("failures", { queue })],
  ]);

export const queue = {
  title: ({ at }) => at.queue,
  asks: ({ at: { queue }, query }) => ({
    told: { path: queueAt(queue), every: 10, queue, isPage: true },
    stats: { path: `${queueAt(queue)}/stats?${asked({ since: query.since ?? "1h" })}`, every: 10 },
    oldest: { path: `${queueAt(queue)}/jobs?state=waiting&limit=1`, every: 10, queue },
    breakers: { path: `${queueAt(queue)}/breakers`, every: 30 },
  }),
  way: () => toQueue(),
  head(page) {
    const { at: { queue }, data: { told }, live } = page;
    const counts = countsOf(page);
    const size = STATES.filter((state) => state !== "active").reduce((sum, state) => sum + count(counts[state]), 0);
    const acts = [live.paused.has(queue) || told.paused ? resume(queue) : pause(queue), limit(queue, told), drain(queue, count(counts.waiting)), purge(queue, size), remove(queue)];
    return [page.may("write") ? h("a.button", { href: at("new", { queue }) }, "New job") : null, acts.map((act) => button(act))];
  },
  body(page) {
    const { at: { queue }, data, live, query } = page;
    const { told } = data;
    const counts = countsOf(page);
    return [
      parts(queue, "queue"),
      pauses(queue, told, live.paused.get(queue)),
      h("ul.tiles.states", { key: "counts", "aria-label": "Jobs by state" }, STATES.map((state) => h("li", { key: state, "data-state": state }, h("span", {}, icon(state), state), h("strong", {}, counted(queue, counts, state))))),
      card("How it does", figures(page, told, queue)),
      h("div.row", { key: "span" }, spans(query, "queues", queue)),
      data.stats ? charts(joined(data.stats)) : null,
      data.stats ? tasks(dict(dict(data.stats).tasks)) : null,
      items(data.breakers).length ? breakers(items(data.breakers)) : null,
    ];
  },
};

const countsOf = ({ at: { queue }, data, live }) => live.queues.get(queue) ?? dict(data.told.counts);

function pauses(queue, told, now) {
  const tasks = Object.entries(dict(told.paused_tasks));
  const pause = dict(now ?? told.paused);
  const isPaused = Boolean(now ?? told.paused);
  if (!isPaused && !tasks.length) return null;
  const said = ({ reason, by, since: began, until }) => [reason ? `: ${reason}` : "", by ? ` (${by})` : "", began ? `, ${since(began)}` : "", until ? `, ends ${since(until)}` : ""].join("");
  return h("ul.health", { "data-tone": "warn", key: "pauses" },
    isPaused ? h("li.paused", { key: "queue", "data-tone": "warn" }, `${queue} is paused${said(pause)}.`) : null,
    tasks.map(([task, each]) => h("li", { key: task, "data-tone": "warn" }, `The task ${task} is paused${said(dict(each))}. `, button(resume(queue, task), { class: "small" }))),
  );
}

function figures({ data, live }, told, queue) {
  const total = dict(dict(data.stats).total);
  const oldest = dict(items(data.oldest)[0]);
  const found = serving(live.workers, queue);
  const kept = dict(told.retention);
  return facts({
    workers: found.length ? `${plural(found.length, "worker")} with ${plural(slots(found), "slot")}` : warn("none serves it"),
    "oldest waiting job": oldest.id ? [jobLink(queue, oldest.id, "created"), " ", when(oldest.created_at)] : data.oldest ? "none" : null,
    failed: percent(count(total.failed) / (count(total.failed) + count(total.completed))),
    "wait p50, p95, p99": ["p50", "p95", "p99"].map((part) => took(dict(total.wait)[part])).join(", "),
    "run p50, p95, p99": ["p50", "p95", "p99"].map((part) => took(dict(total.run)[part])).join(", "),
    "may wait": told.max_waiting == null ? "any number" : `${number(told.max_waiting)} at most`,
    "records kept": keeping(kept),
  });
}

function keeping(kept) {
  const said = (name) => phrase([kept[name] == null ? "" : number(kept[name]), kept[`${name}_for`] ? `for ${span(kept[`${name}_for`])}` : ""], " ");
  const parts = ["completed", "failed"].filter((name) => said(name)).map((name) => `${said(name)} ${name}`);
  return parts.join(", ") || "as the settings say";
}

function tasks(found) {
  return listing("Tasks", {
    items: Object.entries(found), key: ([name]) => name, none: "No task of it has ended in this time.",
    columns: [
      column("task", ([name]) => name),
      ...["completed", "failed", "retried", "cancelled"].map((title) => figure(title, ([, each]) => number(dict(each)[title]))),
      ...["wait", "run"].flatMap((kind) => ["p50", "p95"].map((part) => figure(`${kind} ${part}`, ([, each]) => took(dict(dict(each)[kind])[part])))),
    ],
  });
}

function breakers(found) {
  return listing("Circuit breakers", {
    items: found, key: ({ scope }) => scope,
    columns: [
      column("of", ({ scope }) => scope),
      column("state", ({ state }) => h("span", { class: state === "closed" ? "" : "warn" }, state)),
      column("opens at", ({ breaker }) => breaker ?? "by hand alone"),
      figure("failed of ended", ({ failed, ended }) => `${number(failed)} of ${number(ended)}`),
    ],
  });
}
