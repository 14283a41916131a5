// Who works: what each worker serves, how many jobs it may run at once, and what it tells.

import { count, dict, list, number, plural } from "./format.js";
import { slots } from "./health.js";
import { column, figure, head, jobLink, meter, queueLink, table, when } from "./parts.js";
import { h } from "./render.js";

export const workers = {
  title: () => "Workers",
  asks: () => ({ found: { path: "workers", every: 5 } }),
  body({ data, live }) {
    const found = (data.found ? list(data.found.data) : live.workers).map(dict);
    const busy = [...live.queues.values()].reduce((sum, counts) => sum + count(counts.active), 0);
    const whole = slots(found);
    return [
      head("Workers", h("span", { class: "quiet" }, `${number(busy)} of ${plural(whole, "slot")} busy `), meter(busy, whole)),
      h("section", { class: "card", key: "table" }, rows(found)),
    ];
  },
};

function rows(found) {
  return table({
    name: "Workers", items: found, key: ({ name }) => name, none: "No worker is running: jobs wait until one starts.",
    columns: [
      column("worker", ({ name, host, pid }) => [h("b", { title: name }, `${host ?? "?"} · ${pid ?? "?"}`), h("small", { class: "quiet" }, name)]),
      column("serves", ({ queues }) => h("span", { class: "wraps" }, list(queues).map((queue) => [queueLink(queue), " "]))),
      figure("slots", ({ concurrency, busy }) => (busy === undefined ? number(concurrency) : [meter(count(busy), count(concurrency)), ` ${number(busy)} of ${number(concurrency)}`])),
      figure("started", ({ started_at }) => when(started_at)),
      column("version", ({ version }) => version),
      column("what it tells", told),
    ],
  });
}

function told({ notes, overdue }) {
  return [
    list(notes).map(dict).map(({ subject, text, since }) => h("p", { key: `${subject}${text}`, class: "warn" }, h("b", {}, subject), ` ${text} `, when(since))),
    list(overdue).map(dict).map(({ job, queue, task, since }) => h("p", { key: job, class: "warn" }, `${task} runs past its time limit since `, when(since), " ", jobLink(queue, job))),
  ];
}
