// The first page: what is wrong, what was done of late, and every queue in one line.

import { asked, queueAt } from "./api.js";
import { spark } from "./chart.js";
import { serving, slots, sum, troubles, unstarted } from "./health.js";
import { at, card, column, count, dict, figure, h, items, link, list, mark, number, percent, phrase, plural, queueLink, quiet, rate, spans, table, took, waiting, warn } from "./parts.js";
import { counted } from "./queues.js";
import { charts, joined } from "./series.js";

const LOOKED_AT = 8; // queues of which the oldest job is asked for
const SHOWN = 40; // queues, those first of which most waits

/** The queues of which most waits, each with the place of its oldest job. */
const busiest = (live) => [...live.queues].filter(([, counts]) => unstarted(counts)).sort(([, one], [, other]) => unstarted(other) - unstarted(one)).slice(0, LOOKED_AT).map(([name]) => name);
const oldestOf = (queue) => `oldest of ${queue}`;

export const overview = {
  title: () => "Overview",
  asks: ({ query, live, data, channels, isNarrow }) => ({
    stats: { path: `stats?${asked({ by: "queue", since: query.since ?? "1h" })}`, every: 10 },
    ...(isNarrow ? {} : { schedules: { path: "schedules", every: 30 }, server: { path: "server", every: 15 } }),
    ...(channels.length ? { unknown: { path: "deliveries/unknown?limit=1", every: 30, maybe: true } } : {}),
    ...(data.stats ? { recent: { path: `stats?${asked({ by: "queue", since: "5m" })}`, every: 15 }, ...(channels.length ? { channels: { path: "channels", every: 15 } } : {}) } : {}),
    ...Object.fromEntries(busiest(live).map((queue) => [oldestOf(queue), { path: `${queueAt(queue)}/jobs?state=${count(live.queues.get(queue).waiting) ? "waiting" : "held"}&limit=1`, every: 10 }])),
  }),
  head: ({ query }) => spans(query),
  body(page) {
    const { live, data, query } = page;
    const stats = items(data.stats);
    const whole = joined(dict(data.stats));
    return [
      health(page, stats),
      live.known ? tiles(live, data.stats && whole, query.since ?? "1h") : waiting(),
      data.stats ? charts(whole) : waiting(),
      card("Queues", live.known ? queues(live, data.stats && stats) : waiting(), live.queues.size > SHOWN ? link(at("queues"), `All ${number(live.queues.size)} queues`) : null),
      items(data.channels).length ? card("Channels", channels(items(data.channels))) : null,
    ];
  },
};

function oldest(page) {
  return Object.fromEntries(busiest(page.live).map((queue) => [queue, items(page.data[oldestOf(queue)])[0]?.created_at]));
}

function health(page, stats) {
  const { live, data } = page;
  if (!live.known) return h("div.health", { key: "health" }, h("p", {}, live.trouble || "Asking the server …"));
  const found = troubles({
    live, stats, recent: items(data.recent), oldest: oldest(page), schedules: items(data.schedules),
    unknown: count(dict(data.unknown).total), server: dict(data.server),
  });
  const all = page.isNarrow ? "All is well in your queues. " : "All is well. ";
  if (!found.length) return h("div.health", { "data-tone": page.isFailing ? "warn" : "good", key: "health" }, h("p", { role: "status" }, page.isFailing ? "Not all could be asked." : [h("strong", {}, all), well(live)]));
  return h("ul.health", { "data-tone": found[0].tone, key: "troubles", "aria-label": "What is wrong" },
    found.map(({ tone, text, address }) => h("li", { key: text, "data-tone": tone }, address ? link(address, text) : text)),
  );
}

function well(live) {
  const [all, served] = [live.queues.size, [...live.queues.keys()].filter((queue) => serving(live.workers, queue).length).length];
  return `${plural(live.workers.length, "worker")} with ${plural(slots(live.workers), "slot")} ${live.workers.length === 1 ? "serves" : "serve"} ${served < all ? `${number(served)} of ` : ""}${plural(all, "queue")}.`;
}

/** What was done in a time, not what is kept; and what is there now. */
function tiles(live, whole, since) {
  const { total, points, step } = whole ?? joined({});
  const seconds = points.length * step || 1;
  const line = (tone, name, valueOf) => spark(points.map(valueOf), tone, `${name} over time`);
  const share = total.ended ? total.failed / total.ended : NaN;
  return h("ul.tiles", { key: "tiles", "aria-label": "Figures" },
    tile("completed", `in ${since}`, whole && total.completed, whole && rate(total.completed / seconds), line("good", "completed", (point) => point.completed / point.seconds)),
    tile("failed", `in ${since}`, whole && total.failed, whole && percent(share), line("bad", "failed", (point) => point.failed / point.seconds)),
    tile("waiting", "now", sum(live, "waiting") + sum(live, "held"), `p95 waited ${took(total.wait.p95)}`, line("calm", "waits", (point) => point.wait.p95)),
    tile("active", "now", sum(live, "active"), `of ${plural(slots(live.workers), "slot")} busy`, line("active", "runs", (point) => point.run.p95)),
    tile("delayed", "now", sum(live, "delayed"), "due later"),
  );
}

const tile = (name, when, value, note, line) => h("li", { key: name, "data-state": name }, h("span", {}, `${name} ${when}`), h("strong", {}, number(value)), h("small", {}, note), line);

/** Where there are many queues, those of which most waits or has failed. */
function chosen(live) {
  const size = ([, counts]) => unstarted(counts) + count(counts.active) + count(counts.failed);
  const some = live.queues.size > SHOWN ? [...live.queues].sort((one, other) => size(other) - size(one)).slice(0, SHOWN) : [...live.queues];
  return some.sort(([one], [other]) => (one < other ? -1 : 1));
}

function queues(live, stats) {
  const all = new Map(list(stats).map((each) => [each.queue, each]));
  const of = (name) => dict(all.get(name));
  return table({
    name: "Queues", items: chosen(live), key: ([name]) => name, none: "No queue yet. It appears with its first job.",
    columns: [
      column("queue", ([name]) => [queueLink(name), live.paused.has(name) ? mark("paused") : null]),
      figure("waiting", ([name, counts]) => counted(name, counts, count(counts.held) && !count(counts.waiting) ? "held" : "waiting", unstarted(counts))),
      ...["active", "delayed", "failed"].map((state) => figure(state, ([name, counts]) => counted(name, counts, state))),
      figure("done", ([name]) => number(stats && (of(name).completed ?? 0))),
      figure("wait p95", ([name]) => took(dict(of(name).wait).p95)),
      column("rate", ([name]) => spark(list(of(name).rates), "good", `attempts that ended in ${name}`)),
      figure("workers", ([name]) => workers(live, name)),
    ],
  });
}

const workers = (live, name) => {
  const found = serving(live.workers, name).length;
  return found ? number(found) : warn("none");
};

export function channels(found) {
  return h("ul.plain", {}, found.map((channel) => {
    const counts = dict(channel.counts);
    const limit = phrase([channel.concurrency ? `${number(channel.concurrency)} at once` : "", channel.rate ? `${channel.rate} at most` : ""], ", ");
    return h("li", { key: channel.name },
      list(channel.queues).length ? link(at("messaging", channel.name), channel.name) : h("strong", {}, channel.name),
      h("span", {}, Object.entries(counts).filter(([, size]) => count(size)).map(([state, size]) => `${number(size)} ${state}`).join(", ") || "nothing kept"),
      limit ? quiet(limit) : null,
      Object.entries(dict(channel.notes)).map(([worker, text]) => warn(`${worker}: ${text}`)),
    );
  }));
}
