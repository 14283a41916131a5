// What the statistics of the API say, as series for charts.

import { chart } from "./chart.js";
import { count, dict, dicts, h, list, rate, took } from "./parts.js";

const ENDS = ["completed", "failed", "cancelled", "expired", "retried"];

/** Statistics, of a queue or of all, as lines are drawn of them: { times, step, points: [{ completed, …, wait, run }], total }. */
export function joined(document) {
  const points = dicts(document.points);
  const seconds = lengths(document);
  return { times: points.map(({ at }) => at), step: count(document.step) || 60, points: points.map((told, index) => ({ ...figures(told), seconds: seconds[index] })), total: figures(dict(document.total)) };
}

/** How many seconds each step is long: the last one is not over, and would look like a fall. */
export function lengths({ points, step, until }) {
  const whole = count(step) || 60;
  return list(points).map((point) => Math.max(1, Math.min(whole, (Date.parse(until) - Date.parse(dict(point).at)) / 1000) || whole));
}

function figures(told) {
  const made = Object.fromEntries(ENDS.map((name) => [name, count(told[name])]));
  return { ...made, ended: made.completed + made.failed, wait: dict(told.wait), run: dict(told.run) };
}

/** Throughput, waits and runs of some statistics. */
export function charts({ times, points }) {
  const lines = (tones, valueOf) => Object.entries(tones).map(([title, tone]) => ({ title, tone, values: points.map((point) => valueOf(point, title)) }));
  const spread = (kind) => lines({ p50: "calm", p95: "active", p99: "warn" }, (point, part) => point[kind][part]);
  return h("div.charts", { key: "charts" },
    chart({ name: "Throughput", times, said: rate, series: lines({ completed: "good", failed: "bad", retried: "warn" }, (point, name) => point[name] / point.seconds) }),
    chart({ name: "Wait before a start", times, said: took, series: spread("wait") }),
    chart({ name: "Run", times, said: took, series: spread("run") }),
  );
}
