// All queues, to be searched and sorted.

import { serving, unstarted } from "./health.js";
import { spark } from "./chart.js";
import { at, column, count, dict, figure, find, fits, framed, h, items, list, number, percent, queueLink, quiet, rate, STATES, table, tabs, took, waiting } from "./parts.js";

const SELDOM = new Set(["held", "cancelled", "expired"]); // shown where there are any
const ORDERS = {
  name: ([one], [other]) => (one < other ? -1 : 1),
  waiting: ([, one], [, other]) => unstarted(other) - unstarted(one),
  failed: ([, one], [, other]) => count(other.failed) - count(one.failed),
};

const SHOWN = 100; // queues, until more are asked for

export const queues = {
  title: () => "Queues",
  asks: () => ({ stats: { path: "stats?by=queue&since=1h", every: 15 } }),
  head: () => quiet("of the last hour"),
  body(page) {
    const { query, live } = page;
    const order = Object.hasOwn(ORDERS, query.order ?? "") ? query.order : "name";
    const found = [...live.queues].filter(([name]) => fits(query, name)).sort(ORDERS[order]);
    return [
      h("div.row", { key: "filters" },
        find("Find a queue", query.q),
        tabs("Order", order, Object.keys(ORDERS).map((each) => [each, `by ${each}`, at("queues", { ...query, order: each })])),
      ),
      live.known ? framed(rows(page, found.slice(0, Number(query.rows) || SHOWN))) : waiting(),
      found.length > (Number(query.rows) || SHOWN) ? h("a.button", { key: "more", href: at("queues", { ...query, rows: found.length }) }, `All ${number(found.length)}`) : null,
    ];
  },
};

function rows({ live, data }, found) {
  const of = new Map(items(data.stats).map((each) => [each.queue, each]));
  const total = (name) => dict(of.get(name));
  const states = STATES.filter((state) => !SELDOM.has(state) || found.some(([, counts]) => count(counts[state])));
  return table({
    name: "Queues", items: found, key: ([name]) => name, none: live.queues.size ? "No queue has such a name." : "No queue yet. It appears with its first job.",
    columns: [
      column("queue", ([name]) => [queueLink(name), paused(live, name)]),
      ...states.map((state) => figure(state, ([name, counts]) => counted(name, counts, state))),
      figure("rate", ([name]) => rate(total(name).rate)),
      figure("failing", ([name]) => percent(count(total(name).failed) / (count(total(name).failed) + count(total(name).completed)))),
      figure("wait p95", ([name]) => took(dict(total(name).wait).p95)),
      figure("run p95", ([name]) => took(dict(total(name).run).p95)),
      column("rates", ([name]) => spark(list(total(name).rates), "good", `attempts that ended in ${name}`)),
      figure("workers", ([name]) => number(serving(live.workers, name).length)),
    ],
  });
}

function paused(live, name) {
  const pause = live.paused.get(name);
  return pause ? h("span.mark.paused", {}, `paused${pause.reason ? `: ${pause.reason}` : ""}`) : null;
}

/** A count that leads to its jobs. */
export const counted = (name, counts, state, size = count(counts[state])) =>
  h("a", { href: at("queues", name, "jobs", { state }), class: size ? "count" : "count zero", "data-state": state, "aria-label": `${size} ${state} in ${name}` }, number(size));
