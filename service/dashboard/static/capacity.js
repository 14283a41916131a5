// What the present load takes, and how far the workers of now reach.

import { field } from "./action.js";
import { asked } from "./api.js";
import { amount, bytes, card, column, count, dict, empty, facts, figure, h, later, list, listing, meter, note, number, percent, plural, quiet, rate, short, span, took, waiting } from "./parts.js";
import { said } from "./shown.js";

const WISHES = [["rate", "Jobs a second"], ["handler", "A run takes", "such as 20ms"], ["payload", "Bytes of a payload"], ["delayed", "Delayed jobs"], ["p99", "p99 of waits below", "such as 1s"], ["cores", "Cores of a machine"]];

export const capacity = {
  title: () => "Capacity",
  asks: ({ query, me }) => (!list(me.offers).includes("capacity") ? {} : { plan: { path: `capacity?${asked(Object.fromEntries(WISHES.map(([name]) => [name, query[name]])))}`, every: 15 } }),
  head: () => quiet("what is left empty is as it is now, at the busiest step of the last hour"),
  body({ data, query, me }) {
    if (!list(me.offers).includes("capacity")) return empty("No planner is installed beside this service.");
    const plan = dict(data.plan);
    return [
      h("div.filters.wishes", { key: "wishes" }, WISHES.map(([name, label, hint]) => wish(name, label, hint, query[name], dict(plan.assumed)[name]))),
      data.plan ? h("div.columns.even", { key: "plan" }, h("div", {}, card("It is now", now(dict(plan.now), plan)), card("Notes", notes(plan))), h("div", {}, card("It takes", takes(plan)), gauges(list(plan.gauges)))) : waiting(),
    ];
  },
};

function wish(name, label, hint, value, assumed) {
  const told = Array.isArray(assumed) ? assumed[0] : assumed;
  const plan = Number.isFinite(amount(told)) ? (hint ? took(told) : String(Number(amount(told).toPrecision(3)))) : said(told ?? "");
  return field({ name, label, hint, value, placeholder: plan }, later(name));
}

const now = (told, { reach }) => facts({
  "attempts a second": `${rate(told.rate)}, ${rate(told.peak)} at the busiest`, "a run takes": took(told.handler), "a payload has": told.payload === null ? "nothing is known" : bytes(told.payload),
  workers: `${plural(told.workers, "worker")} with ${plural(told.slots, "slot")}`, "they reach": reach == null ? "nobody works" : rate(reach),
  delayed: number(told.delayed), "server memory": `${bytes(told.memory)} of ${amount(told.memory_limit) ? bytes(told.memory_limit) : "no limit"}`,
});

const takes = (plan) => facts({
  machines: number(plan.machines), "worker processes": number(plan.processes), "slots of each": number(plan.concurrency), "Redis servers": number(plan.nodes), partitions: number(plan.partitions), connections: number(plan.connections),
  "CPU of the server": percent(amount(plan.redis_cpu)), "CPU of a worker": percent(amount(plan.worker_cpu)), "p99 of waits": took(plan.p99),
  ...Object.fromEntries(Object.entries(dict(plan.memory)).map(([name, size]) => [`memory: ${name.replaceAll("_", " ")}`, bytes(size)])),
});

const gauges = (found) => listing("How near to the limits", {
  items: found.map(dict), key: ({ name }) => name,
  columns: [
    column("of", ({ name }) => name),
    column("used", ({ share }) => [meter(count(share), 1), ` ${percent(amount(share))}`]),
    figure("of the limit", ({ used, limit, unit }) => `${short(used)} of ${short(limit)} ${unit ?? ""}`),
  ],
});

function notes({ notes: found, reachable, measured }) {
  const lines = list(found).map((text, key) => h("li", { key }, text));
  return [
    reachable === false ? h("p.error", {}, "No set-up reaches this.") : null,
    lines.length ? h("ul.plain", {}, lines) : empty("None."),
    note("Measured: ", Object.entries(dict(measured)).map(([name, value]) => `${name.replaceAll("_", " ")} ${typeof value === "number" && /age|second/.test(name) ? span(value) : said(value)}`).join(", ")),
  ];
}
