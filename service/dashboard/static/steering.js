// What may be done to a queue: pause and resume it, limit it, and delete what is in it.

import { act, command, given, limits, resting, theQueue } from "./action.js";
import { write } from "./exact.js";
import { at, go, plural } from "./parts.js";

export const pause = (queue) => resting(theQueue(queue), "Pause", queue, {
  note: "No job of it starts until somebody resumes it. What runs goes on.",
  fields: [
    { name: "reason", label: "Reason", hint: "shown to whoever looks" },
    { name: "until", label: "Until", hint: "such as 30m, or a time as 2030-01-31T09:00:00Z; empty for no end" },
    { name: "task", label: "Only the task", hint: "empty for the whole queue" },
  ],
});

export const resume = (queue, task) => resting(theQueue(queue), "Resume", task ?? queue, {
  ...(task ? { text: `Resume ${task}` } : {}), body: () => write(given({ task })), cli: () => command("queue", "resume", queue, { task }),
});

export const limit = (queue, { max_waiting }) => act(theQueue(queue), "limit", {
  text: "Limit", method: "PATCH", title: `Limit ${queue}`,
  note: "What is left empty stays as it is.",
  fields: [
    { name: "concurrency", label: "Jobs at once, on all workers", hint: "a number, or unlimited" },
    { name: "rate", label: "Starts", hint: "such as 10/s or 100/5m, or unlimited" },
    { name: "max_waiting", label: "Jobs that may wait", value: max_waiting ? String(max_waiting) : "", hint: "more are refused" },
  ],
  body: limits,
  done: "The limit holds at once.",
});

export const purge = (queue, size) => act(theQueue(queue), "purge", {
  text: "Purge", sure: `Delete ${plural(size, "job")}`, isDangerous: true, title: `Purge ${queue}`,
  note: `${plural(size, "job or record is", "jobs and records are")} deleted for good: all but those that run.`, must: queue,
  body: () => write({ confirm: queue }),
  done: begun,
});

export const drain = (queue, size) => act(theQueue(queue), "drain", {
  text: "Drain", isDangerous: true, title: `Drain ${queue}`,
  note: `The ${plural(size, "job that waits is", "jobs that wait are")} deleted for good; tick to delete delayed and held ones, too.`, must: queue,
  fields: [{ name: "delayed", label: "Delayed and held jobs, too", kind: "checkbox", value: false }],
  body: ({ delayed }) => write({ confirm: queue, delayed: Boolean(delayed) }),
  done: begun,
});

export const remove = (queue) => act(theQueue(queue), "rm", {
  text: "Remove", isDangerous: true, method: "DELETE", title: `Remove ${queue}`,
  note: "Only a queue that nobody serves and that is empty can go.",
  done: () => (go(at("queues")), `${queue} is removed.`),
});

/** An operation that has begun, for the line that tells so. */
export const begun = ({ kind, queue }) => `The ${kind} in ${queue} has begun: Activity shows how far it is.`;
