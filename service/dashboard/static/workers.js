// Who works: what each worker serves, how many of its slots are busy and with what, how it does, and what it tells.

import { button, command } from "./action.js";
import { workerAt } from "./api.js";
import { age, amount, bytes, count, dict, items, list, number, plural, span, took } from "./format.js";
import { slots, sum } from "./health.js";
import { card, column, crumbs, facts, figure, finder, fits, framed, head, jobLink, link, meter, note, queueLink, quiet, small, table, waiting, warn, when } from "./parts.js";
import { h } from "./render.js";
import { at } from "./route.js";

const SILENT = 15; // seconds without a beat until it is said
const SLOW = 0.5; // seconds by which a loop is late, or a round trip takes, until it is marked
const NAMED = 3; // running jobs that the page of all workers names of each

const act = (name, text, way, rest) => ({
  text, path: `${workerAt(name)}/${way}`, title: `${text}: ${name}`,
  cli: () => command("workers", way, name),
  ...rest,
});
const acts = ({ name, state, asked }, props) =>
  state === "stopping" || asked === "stop" ? null : [
    asked === "quiet" ? button(act(name, "Resume", "resume", { done: () => "It takes jobs again." }), props) : button(act(name, "Quiet", "quiet", { note: "It takes no new jobs until it is resumed. What runs there goes on.", done: () => "It takes no new jobs." }), props),
    button(act(name, "Stop", "stop", { isDangerous: true, sure: "Stop it", note: "It takes no new jobs and ends, once what runs there has ended or its grace is over. What supervises it may start another.", done: () => "It is told to stop." }), props),
  ];

export const workers = {
  title: () => "Workers",
  asks: () => ({ found: { path: "workers", every: 3 } }),
  body({ data, live, query }) {
    const all = data.found ? items(data.found) : live.workers;
    const found = all.filter(({ name, host, queues }) => fits(query, name, host, ...list(queues)));
    const busy = sum(live, "active");
    const whole = slots(all);
    return [
      head("Workers", !data.found || !live.known ? null : quiet(`${number(busy)} of ${plural(whole, "slot")} busy `), meter(busy, whole)),
      all.length > 1 ? finder("Find a worker, a host or a queue", query) : null,
      data.found || live.known ? framed(rows(found, all.length)) : waiting(),
    ];
  },
};

const timed = (seconds) => h("span", { class: amount(seconds) >= SLOW ? "warn" : "" }, took(seconds));
const used = ({ busy, concurrency: whole, ...rest }) => [meter(count(busy), count(whole)), ` ${number(busy)} of ${number(whole)}`, standing(rest)];

/** Whether it takes jobs, where that is not what is usual. */
function standing({ state, asked, seen_at: seen }) {
  const said = state === "stopping" || asked === "stop" ? "stops" : state === "quiet" || asked === "quiet" ? "takes no new jobs" : "";
  return [said ? h("small.warn", {}, said) : null, age(seen) > SILENT ? h("small.warn", {}, `silent for ${span(age(seen))}`) : null];
}

function rows(found, all) {
  return table({
    name: "Workers", items: found, key: ({ name }) => name, none: all ? "No worker is called so." : "No worker is running: jobs wait until one starts.",
    columns: [
      column("worker", ({ name, host, pid }) => [link(at("workers", name ?? ""), h("b", {}, `${host ?? "?"} · ${pid ?? "?"}`)), small(name)]),
      column("serves", ({ queues }) => h("span.wraps", {}, list(queues).map((queue) => [queueLink(queue), " "]))),
      column("busy", used),
      column("runs now", runs),
      figure("memory", ({ memory }) => bytes(memory)),
      figure("loop lag", ({ loop_lag: lag }) => timed(lag)),
      figure("round trip", ({ round_trip: trip }) => timed(trip)),
      figure("started", ({ started_at: begun, version }) => [when(begun), small(version)]),
      ...(found.some(({ notes, overdue }) => list(notes).length || list(overdue).length) ? [column("what it tells", told)] : []),
      column("", (each) => h("div.row.end", {}, acts(each, { class: "small" })), "acts"),
    ],
  });
}

function runs({ running, busy }) {
  const named = list(running).map(dict).slice(0, NAMED);
  const more = count(busy) - named.length;
  return named.length ? h("ul.plain.runs", {}, named.map(run), more > 0 ? h("li.quiet", { key: "more" }, `and ${number(more)} more`) : null) : null;
}

const run = ({ job, queue, task, since }) => h("li", { key: job }, jobLink(queue, job, task ?? job), " ", quiet(span(age(since))));

function told({ notes, overdue }) {
  return [
    list(notes).map(dict).map(({ subject, text, since }) => h("p.warn", { key: `${subject}${text}` }, h("b", {}, subject), ` ${text} `, when(since))),
    list(overdue).map(dict).map(({ job, queue, task, since }) => h("p.warn", { key: job }, `${task} runs past its time limit since `, when(since), " ", jobLink(queue, job))),
  ];
}

export const worker = {
  title: ({ at }) => at.name,
  asks: ({ at: { name } }) => ({ found: { path: workerAt(name), every: 2, isPage: true } }),
  body({ at: { name }, data }) {
    if (!data.found) return [head(name), waiting()];
    const each = dict(data.found);
    const running = list(each.running).map(dict);
    return [
      crumbs(link(at("workers"), "Workers")),
      head(name, acts(each)),
      card("Facts", facts({
        host: each.host, process: each.pid, busy: used(each), serves: list(each.queues).map((queue) => [queueLink(queue), " "]), memory: bytes(each.memory), "loop lag": timed(each.loop_lag),
        "round trip": timed(each.round_trip), started: when(each.started_at), version: each.version, heard: when(each.seen_at),
      }), told(each)),
      card("What runs, the longest first", table({
        name: "Running jobs", items: running, key: ({ job }) => job, none: "Nothing runs there.",
        columns: [column("job", ({ job, queue }) => jobLink(queue, job)), column("task", ({ task }) => task), column("queue", ({ queue }) => queueLink(queue)), figure("runs for", ({ since }) => span(age(since)))],
      }), count(each.busy) > running.length ? note(`and ${number(count(each.busy) - running.length)} more`) : null),
    ];
  },
};
