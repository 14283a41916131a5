// Workspaces: how many messages each sent of late, how many failed, and how long they took.

import { asked } from "./api.js";
import { chart } from "./chart.js";
import { sends, silent } from "./messaging.js";
import { column, count, dict, dicts, figure, finder, fits, framed, h, meter, number, percent, rate, small, spans, table, took, waiting } from "./parts.js";
import { lengths } from "./series.js";
import { said } from "./shown.js";

const COUNTS = ["accepted", "sent", "delivered", "failed", "withheld", "unknown", "retried"];

export const workspaces = {
  title: () => "Workspaces",
  asks: ({ query }) => ({ channels: { path: "channels", every: 60 }, stats: { path: `stats?${asked({ by: "workspace,channel", since: query.since ?? "1h" })}`, every: 10 } }),
  head: ({ query }) => spans(query, "workspaces"),
  body({ data, query }) {
    const stats = dict(data.stats);
    if (data.channels && !sends(data.channels).length) return silent();
    const found = dicts(stats.data);
    const most = Math.max(1, ...found.map((each) => count(dict(each.counts).sent)));
    const shown = found.filter(({ workspace_id: id, name }) => fits(query, said(id ?? ""), name));
    return [
      data.stats ? h("div.charts", { key: "charts" }, messages(stats)) : waiting(),
      finder("Find a workspace", query),
      data.stats ? framed(rows(shown, most)) : null,
    ];
  },
};

function messages(stats) {
  const found = dicts(stats.points);
  const seconds = lengths(stats);
  const perSecond = (name) => found.map((point, index) => count(dict(point.counts)[name]) / seconds[index]);
  const tones = { accepted: "calm", delivered: "good", sent: "active", failed: "bad" };
  return chart({ name: "Messages", times: found.map((point) => point.at), said: rate, series: Object.entries(tones).map(([title, tone]) => ({ title, tone, values: perSecond(title) })) });
}

/** The name of a workspace, and its real id beside it where that is another. */
function named({ name, workspace_id }) {
  const id = said(workspace_id ?? "*");
  return id === "*" ? h("b", {}, "others") : [h("b", {}, name ?? id), name && name !== id ? small(id) : null];
}

function rows(found, most) {
  return table({
    name: "Workspaces", items: found, key: (each, index) => `${said(each.workspace_id ?? "")} ${each.channel} ${index}`, none: "No message of this time.",
    columns: [
      column("workspace", named),
      column("channel", ({ channel }) => channel ?? "–"),
      column("volume", ({ counts }) => meter(count(dict(counts).sent), most, "active")),
      ...COUNTS.map((title) => figure(title, ({ counts }) => (title === "failed" && count(dict(counts).failed) ? h("span.error", {}, number(counts.failed)) : number(dict(counts)[title] ?? 0)))),
      figure("failing", ({ counts }) => percent(count(dict(counts).failed) / (count(dict(counts).sent) + count(dict(counts).failed)))),
      ...["queue", "send", "delivery"].map((name) => figure(`${name} p95`, ({ times }) => took(dict(dict(times)[name]).p95))),
      ...(found.some(({ cost }) => count(cost)) ? [figure("cost", ({ cost }) => count(cost).toFixed(4))] : []),
    ],
  });
}
