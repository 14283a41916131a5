// What is wrong, in words, the worst first: from what the API tells of queues, workers, statistics and schedules.

import { age, amount, count, dict, list, number, percent, plural, span } from "./format.js";
import { at } from "./route.js";

const LONG = 60; // seconds a job may wait until it is told
const VERY_LONG = 600;
const LATE = 60; // seconds behind its planned time: nobody plans
const SHARE = 0.05; // failed of ended in the last minutes

/** Jobs that could start now, were it not for somebody or something. */
export const unstarted = (counts) => count(dict(counts).waiting) + count(dict(counts).held);

/** The workers that serve a queue; of a queue's name nobody knows a pattern. */
export const serving = (workers, queue) => workers.filter((worker) => list(worker.queues).includes(queue));

/** How many jobs of all queues are in a state. */
export const sum = (live, state) => [...live.queues.values()].reduce((whole, counts) => whole + count(counts[state]), 0);

export const slots = (workers) => workers.reduce((sum, worker) => sum + count(worker.concurrency), 0);

/** What is wrong: { tone, text, address }, and nothing where all is well. */
export function troubles({ live, oldest = {}, stats = [], recent = [], schedules = [], unknown = 0, operations = [] }) {
  const found = [
    ...ofServer(live),
    ...[...live.queues].flatMap(([queue, counts]) => ofQueue(live, queue, counts, oldest[queue])),
    ...ofSlots(live),
    ...recent.flatMap((each) => ofFailures(each, stats.find(({ queue }) => queue === each.queue))),
    ...ofSchedules(schedules),
    ...live.workers.flatMap(ofWorker),
    ...(unknown > 0 ? [{ tone: "warn", text: `Of ${plural(unknown, "message")} nobody knows whether they were sent.`, address: at("messaging", "unknown") }] : []),
    ...operations.filter(({ state }) => state === "stopped" || state === "failed").map(ofOperation),
  ];
  return found.sort((one, other) => (one.tone === "bad" ? 0 : 1) - (other.tone === "bad" ? 0 : 1));
}

const ofServer = (live) => (live.trouble ? [{ tone: "bad", text: live.trouble }] : []);

function ofQueue(live, queue, counts, since) {
  const waits = unstarted(counts);
  const address = at("queues", queue);
  const pause = live.paused.get(queue);
  if (pause) {
    const { reason, until } = dict(pause);
    const ends = until ? `, ends in ${span(-age(until))}` : "";
    return [{ tone: "warn", text: `${queue} is paused${reason ? `: ${reason}` : ""}${ends}. ${plural(waits, "job waits", "jobs wait")}.`, address }];
  }
  if (waits && !serving(live.workers, queue).length) {
    return [{ tone: "bad", text: `No worker serves ${queue}: ${plural(waits, "job waits", "jobs wait")}.`, address }];
  }
  const waited = age(since);
  if (!(waits && waited > LONG)) return [];
  return [{ tone: waited > VERY_LONG ? "bad" : "warn", text: `The oldest job of ${queue} has waited ${span(waited)}.`, address }];
}

/** Queues that the same workers serve share their slots. */
function ofSlots(live) {
  const whole = slots(live.workers);
  const busy = [...live.queues].filter(([queue]) => serving(live.workers, queue).length).reduce((sum, [, counts]) => sum + count(counts.active), 0);
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
  return [{ tone: failed / ended >= 0.5 ? "bad" : "warn", text: `${isRising ? "Failures rise" : "Jobs fail"} in ${queue}: ${number(failed)} of ${number(ended)} (${share}) of late.`, address: at("failures", { queue }) }];
}

function ofSchedules(schedules) {
  const late = schedules.filter(({ next_at, paused }) => !paused && age(next_at) > LATE);
  if (!late.length) return [];
  const most = Math.max(...late.map(({ next_at }) => age(next_at)));
  return [{ tone: "bad", text: `${plural(late.length, "schedule is", "schedules are")} late by ${span(most)}: no scheduler runs.`, address: at("schedules") }];
}

function ofWorker(worker) {
  const overdue = list(worker.overdue).length;
  const notes = list(worker.notes).map((note) => ({ tone: "warn", text: `${worker.host}: ${dict(note).text ?? ""}`, address: at("workers") }));
  return overdue ? [{ tone: "warn", text: `${plural(overdue, "handler")} on ${worker.host} ${overdue === 1 ? "runs" : "run"} past the time limit.`, address: at("workers") }, ...notes] : notes;
}

const ofOperation = (operation) => ({ tone: "warn", text: `The ${operation.kind} in ${operation.queue} stopped after ${number(amount(operation.done))}.`, address: at("activity") });
