// What the statistics of the API say as series for charts: of one queue, or of all together.

import { amount, count, dict, list, rate, took } from "./format.js";
import { chart } from "./chart.js";

const ENDS = ["completed", "failed", "cancelled", "expired", "retried"];

/** The statistics of a queue, or of many, in one shape: { times, step, points: [{ completed, …, wait, run }], total }. */
export function joined(documents) {
  const found = list(documents).map(dict);
  const steps = new Map();
  for (const each of found) {
    for (const point of list(each.points).map(dict)) {
      if (!steps.has(point.at)) steps.set(point.at, []);
      steps.get(point.at).push(point);
    }
  }
  const times = [...steps.keys()].sort();
  const step = count(found.find((each) => count(each.step))?.step) || 60;
  return { times, step, points: times.map((time) => sum(steps.get(time))), total: sum(found.map((each) => dict(each.total))) };
}

/** Counts are added; of percentiles the worst is told, as they cannot be added. */
function sum(figures) {
  const made = Object.fromEntries(ENDS.map((name) => [name, figures.reduce((whole, each) => whole + count(each[name]), 0)]));
  const worst = (kind, part) => {
    const values = figures.map((each) => amount(dict(each[kind])[part])).filter(Number.isFinite);
    return values.length ? Math.max(...values) : null;
  };
  const spread = (kind) => Object.fromEntries(["p50", "p95", "p99"].map((part) => [part, worst(kind, part)]));
  return { ...made, ended: made.completed + made.failed, wait: spread("wait"), run: spread("run") };
}

/** Throughput, waits and runs of some statistics. */
export function charts({ times, step, points }) {
  const perSecond = (name) => points.map((point) => point[name] / step);
  const spread = (kind) => [
    { title: "p50", tone: "calm", values: points.map((point) => point[kind].p50) },
    { title: "p95", tone: "active", values: points.map((point) => point[kind].p95) },
    { title: "p99", tone: "warn", values: points.map((point) => point[kind].p99) },
  ];
  return [
    chart({
      name: "Throughput", times, said: rate,
      series: [
        { title: "completed", tone: "good", values: perSecond("completed") },
        { title: "failed", tone: "bad", values: perSecond("failed") },
        { title: "retried", tone: "warn", values: perSecond("retried") },
      ],
    }),
    chart({ name: "Wait before a start", times, said: took, series: spread("wait") }),
    chart({ name: "Run", times, said: took, series: spread("run") }),
  ];
}
