// What is wrong, in words, the worst first.

import { age, at, count, dict, list, number, percent, plural, span } from "./parts.js";

const LONG = 60; // seconds a job may wait until it is told
const VERY_LONG = 600;
const LATE = 60; // seconds behind its planned time: nobody plans
const SHARE = 0.05; // failed of ended in the last minutes
const FEW = 3; // lines of a kind that are told one by one; of more there is one
const MANY = {
  paused: ["queues are paused", "queues"], unserved: ["queues in which jobs wait are served by no worker", "queues"], old: ["queues have jobs that have waited long", "queues"],
  failing: ["queues have jobs that fail", "failures"],
};

/** Jobs that could start now, were it not for somebody or something. */
export const unstarted = (counts) => count(dict(counts).waiting) + count(dict(counts).held);

/** The workers that serve a queue and take jobs; of a queue's name nobody knows a pattern. */
export const serving = (workers, queue) => workers.filter(({ queues, takes_jobs: takes }) => takes && list(queues).includes(queue));

/** How many jobs of all queues are in a state. */
export const sum = (live, state) => [...live.queues.values()].reduce((whole, counts) => whole + count(counts[state]), 0);

export const slots = (workers) => workers.reduce((sum, worker) => sum + count(worker.slots), 0);

/** What is wrong: { tone, text, address }, and nothing where all is well. */
export function troubles({ live, oldest = {}, stats = [], recent = [], schedules = [], unknown = 0, server = {} }) {
  const found = [
    ...ofServer(live, server),
    ...ofNobody(live),
    ...[...live.queues].flatMap(([queue, counts]) => ofQueue(live, queue, counts, oldest[queue])),
    ...ofSlots(live),
    ...recent.flatMap((each) => ofFailures(each, stats.find(({ queue }) => queue === each.queue))),
    ...ofSchedules(schedules),
    ...live.workers.flatMap(ofWorker),
    ...(unknown > 0 ? [{ tone: "warn", text: `Of ${plural(unknown, "message")} nobody knows whether they were sent.`, address: at("messaging", "unknown") }] : []),
  ];
  const kinds = new Map();
  for (const each of found.sort((one, other) => (one.tone === "bad" ? 0 : 1) - (other.tone === "bad" ? 0 : 1))) {
    kinds.set(each.kind ?? each, [...(kinds.get(each.kind ?? each) ?? []), each]);
  }
  return [...kinds].flatMap(([kind, all]) => (all.length > FEW ? { tone: all[0].tone, text: `${number(all.length)} ${MANY[kind][0]}.`, address: at(MANY[kind][1]) } : all));
}

/** What the API says in words, and that it cannot be asked. */
const ofServer = ({ trouble }, { troubles: told }) => [...(trouble ? [{ tone: "bad", text: trouble }] : []), ...list(told).map(dict).filter(({ text }) => text).map(({ tone, text, page }) => ({ tone, text, address: list(page).length ? at(...page) : "" }))];

/** Nobody works, or nobody makes delayed jobs wait. */
function ofNobody(live) {
  const late = [...live.overdue.values()].reduce((whole, size) => whole + count(size), 0);
  if (late) return [{ tone: "bad", text: `${plural(late, "delayed job is", "delayed jobs are")} overdue: no worker and no scheduler runs them.`, address: at("queues") }];
  return live.workers.some((worker) => worker.takes_jobs) || sum(live, "waiting") + sum(live, "held") ? [] : [{ tone: "warn", text: "No worker takes jobs: they wait until one starts.", address: at("workers") }];
}

function ofQueue(live, queue, counts, since) {
  const waits = unstarted(counts);
  const address = at("queues", queue);
  const pause = live.paused.get(queue);
  if (pause) {
    const { reason, until } = dict(pause);
    const ends = until ? `, ends in ${span(-age(until))}` : "";
    return [{ kind: "paused", tone: "warn", text: `${queue} is paused${reason ? `: ${reason}` : ""}${ends}. ${plural(waits, "job waits", "jobs wait")}.`, address }];
  }
  if (waits && !serving(live.workers, queue).length) {
    return [{ kind: "unserved", tone: "bad", text: `No worker serves ${queue}: ${plural(waits, "job waits", "jobs wait")}.`, address }];
  }
  const waited = age(since);
  if (!(waits && waited > LONG)) return [];
  return [{ kind: "old", tone: waited > VERY_LONG ? "bad" : "warn", text: `The oldest job of ${queue} has waited ${span(waited)}.`, address }];
}

/** Queues that the same workers serve share their slots. */
function ofSlots(live) {
  const whole = slots(live.workers);
  const busy = [...live.queues].filter(([queue]) => live.workers.some(({ queues }) => list(queues).includes(queue))).reduce((sum, [, counts]) => sum + count(counts.active), 0);
  const waits = sum(live, "waiting");
  if (!whole || busy < whole || !waits) return [];
  return [{ tone: "warn", text: `All ${plural(whole, "slot")} are busy, and ${plural(waits, "job waits", "jobs wait")}.`, address: at("workers") }];
}

/** The last minutes of a queue beside the whole of the time that is looked at. */
function ofFailures({ queue, ...recent }, whole) {
  const [failed, ended] = [count(recent.failed), count(recent.failed) + count(recent.completed)];
  if (!failed || failed / ended < SHARE) return [];
  const before = count(dict(whole).failed) - failed;
  const isRising = failed / ended > (before / (before + count(dict(whole).completed) - count(recent.completed)) || 0);
  const share = percent(failed / ended);
  return [{ kind: "failing", tone: failed / ended >= 0.5 ? "bad" : "warn", text: `${isRising ? "Failures rise" : "Jobs fail"} in ${queue}: ${number(failed)} of ${number(ended)} (${share}) of late.`, address: at("failures", { queue }) }];
}

function ofSchedules(schedules) {
  const late = schedules.filter(({ next_at, paused }) => !paused && age(next_at) > LATE);
  if (!late.length) return [];
  const most = Math.max(...late.map(({ next_at }) => age(next_at)));
  return [{ tone: "bad", text: `${plural(late.length, "schedule is", "schedules are")} late by ${span(most)}: no scheduler runs.`, address: at("schedules") }];
}

function ofWorker(worker) {
  const overdue = list(worker.overdue).length;
  return overdue ? [{ tone: "warn", text: `${plural(overdue, "handler")} on ${worker.host} ${overdue === 1 ? "runs" : "run"} past the time limit.`, address: at("workers") }] : [];
}
