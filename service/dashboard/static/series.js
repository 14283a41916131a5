// What the statistics of the API say, as series for charts.

import { count, dict, list, rate, took } from "./format.js";
import { chart } from "./chart.js";

const ENDS = ["completed", "failed", "cancelled", "expired", "retried"];

/** Statistics, of a queue or of all, as lines are drawn of them: { times, step, points: [{ completed, …, wait, run }], total }. */
export function joined(document) {
  const points = list(document.points).map(dict);
  return { times: points.map(({ at }) => at), step: count(document.step) || 60, points: points.map(figures), total: figures(dict(document.total)) };
}

function figures(told) {
  const made = Object.fromEntries(ENDS.map((name) => [name, count(told[name])]));
  return { ...made, ended: made.completed + made.failed, wait: dict(told.wait), run: dict(told.run) };
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
