// The life of a job on a line: its wait, each attempt, and the time between two.

import { dicts, h, quiet, took, when, YET } from "./parts.js";

const LEAST = 1.5; // percent: what is shorter can still be seen

/** The parts of a job's life in order: { kind, from, to, title }, times in milliseconds. */
function phases(job) {
  const begin = Date.parse(job.created_at);
  if (Number.isNaN(begin)) return [];
  const past = dicts(job.history).map((each) => ({ kind: "failed", from: Date.parse(each.started_at), to: Date.parse(each.finished_at), title: `attempt ${each.attempt ?? ""}: ${each.type ?? ""}` }));
  const attempts = past.filter(({ from, to }) => from >= begin && to >= from);
  const started = Date.parse(job.started_at);
  const ended = Date.parse(job.finished_at);
  if (started >= begin && !attempts.some(({ from }) => Math.abs(from - started) < 2)) {
    attempts.push({ kind: job.state === "active" ? "active" : job.state, from: started, to: Number.isNaN(ended) ? Date.now() : ended, title: `attempt ${job.attempt ?? ""}: ${job.state}` });
  }
  const made = [];
  let at = begin;
  for (const each of attempts.sort((one, other) => one.from - other.from)) {
    if (each.from > at) made.push({ kind: made.length ? "delayed" : "waiting", from: at, to: each.from, title: made.length ? "backed off" : "waited" });
    made.push(each);
    at = Math.max(at, each.to);
  }
  const isOpen = YET.includes(job.state);
  const end = isOpen ? Date.now() : ended;
  const words = isOpen ? ["waits", "backs off"] : ["waited", "backed off"];
  if (end > at) made.push({ kind: isOpen ? job.state : "waiting", from: at, to: end, title: words[made.length ? 1 : 0] });
  return made;
}

export function timeline(job) {
  const found = phases(job);
  if (!found.length) return null;
  const whole = Math.max(1, found.at(-1).to - found[0].from);
  const seconds = (each) => took((each.to - each.from) / 1000);
  return [
    h("div.timeline", { role: "img", "aria-label": found.map((each) => `${each.title} ${seconds(each)}`).join(", ") },
      found.map((each) => h("span", { "data-state": each.kind, title: `${each.title}, ${seconds(each)}`, style: { "flex-grow": String(Math.max(LEAST, (100 * (each.to - each.from)) / whole)) } }))),
    h("ol.phases", {}, found.map((each) => h("li", { "data-state": each.kind }, h("i", { "aria-hidden": "true" }), each.title, " ", h("b", {}, seconds(each)), " ", quiet(when(new Date(each.from).toISOString()))))),
  ];
}
