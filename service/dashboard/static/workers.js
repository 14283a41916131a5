// Who works: what each worker serves, what it runs, how it does, and what it tells.

import { act, button, theWorker } from "./action.js";
import { workerAt } from "./api.js";
import { slots } from "./health.js";
import { page } from "./page.js";
import { actsColumn, age, amount, at, bytes, card, column, count, crumbs, dicts, facts, figure, finder, fits, framed, h, items, jobLink, link, list, meter, note, number, plural, queueColumn, queueLink, quiet, small, span, table, took, when } from "./parts.js";

const SILENT = 15; // seconds without a beat until it is said
const SLOW = 0.5; // seconds by which a loop is late, or a round trip takes, until it is marked
const NAMED = 3; // running jobs that the page of all workers names of each

const of = (name, text, more) => act(theWorker(name), text.toLowerCase(), { text, title: `${text}: ${name}`, ...more });
const quieten = (name) => of(name, "Quiet", { note: "It takes no new jobs until it is resumed. What runs there goes on.", done: "It takes no new jobs." });
const resume = (name) => of(name, "Resume", { done: "It takes jobs again." });
const stop = (name) => of(name, "Stop", {
  isDangerous: true, sure: "Stop it", note: "It takes no new jobs and ends, once what runs there has ended or its grace is over. What supervises it may start another.", done: "It is told to stop.",
});
const acts = ({ name, state, asked }, props) => (page.isNarrow || state === "stopping" || asked === "stop" ? [] : [asked === "quiet" ? resume(name) : quieten(name), stop(name)].map((each) => button(each, props)));

export const workers = {
  title: () => "Workers",
  asks: () => ({ found: { path: "workers", every: 3, isPage: true } }),
  head({ data }) {
    const all = items(data.found);
    const busy = all.reduce((sum, each) => sum + count(each.busy), 0); // as the rows say it: what the queues hold is of another moment
    return [quiet(`${number(busy)} of ${plural(slots(all), "slot")} busy `), meter(busy, slots(all))];
  },
  body({ data, query }) {
    const all = items(data.found);
    const found = all.filter(({ name, host, queues }) => fits(query, name, host, ...list(queues)));
    return [all.length > 1 ? finder("Find a worker, a host or a queue", query) : null, framed(rows(found, all.length))];
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
      actsColumn((each) => acts(each, { class: "small" })),
    ],
  });
}

function runs({ running, busy }) {
  const named = dicts(running).slice(0, NAMED);
  const more = count(busy) - named.length;
  return named.length ? h("ul.plain.runs", {}, named.map(run), more > 0 ? h("li.quiet", { key: "more" }, `and ${number(more)} more`) : null) : null;
}

const run = ({ job, queue, task, since }) => h("li", { key: job }, jobLink(queue, job, task ?? job), " ", quiet(span(age(since))));

function told({ notes, overdue }) {
  return [
    dicts(notes).map(({ subject, text, since }) => h("p.warn", { key: `${subject}${text}` }, h("b", {}, subject), ` ${text} `, when(since))),
    dicts(overdue).map(({ job, queue, task, since }) => h("p.warn", { key: job }, `${task} runs past its time limit since `, when(since), " ", jobLink(queue, job))),
  ];
}

export const worker = {
  title: ({ at }) => at.name,
  asks: ({ at: { name } }) => ({ found: { path: workerAt(name), every: 2, isPage: true } }),
  way: () => crumbs(link(at("workers"), "Workers")),
  head: ({ data }) => acts(data.found),
  body({ data: { found: each } }) {
    const running = dicts(each.running);
    return [
      card("Facts", facts({
        host: each.host, process: each.pid, busy: used(each), serves: list(each.queues).map((queue) => [queueLink(queue), " "]), memory: bytes(each.memory), "loop lag": timed(each.loop_lag),
        "round trip": timed(each.round_trip), started: when(each.started_at), version: each.version, heard: when(each.seen_at),
      }), told(each)),
      card("What runs, the longest first", table({
        name: "Running jobs", items: running, key: ({ job }) => job, none: "Nothing runs there.",
        columns: [column("job", ({ job, queue }) => jobLink(queue, job)), column("task"), queueColumn, figure("runs for", ({ since }) => span(age(since)))],
      }), count(each.busy) > running.length ? note(`and ${number(count(each.busy) - running.length)} more`) : null),
    ];
  },
};
