// Failed jobs by their kinds: how many, since when, one of them to read, and all of them to be retried.

import { button } from "./action.js";
import { BULK } from "./bulk.js";
import { queueAt } from "./api.js";
import { spark } from "./chart.js";
import { amount, ask, at, empty, find, fits, h, items, jobLink, link, list, note, number, plural, queueLink, quiet, small, when } from "./parts.js";

export const failures = {
  title: ({ query }) => (query.queue ? `Failures of ${query.queue}` : "Failures"),
  asks: ({ query: { queue } }) => ({ found: { path: queue ? `${queueAt(queue)}/failures` : "failures", every: 5, queue, isPage: true } }),
  head: () => quiet("those that failed alike are one"),
  body({ data, query, live }) {
    const found = items(data.found).filter(({ type, message, task }) => fits(query, type, message, task));
    return [
      h("div.filters", { key: "filters" },
        h("label", {}, h("span", {}, "Find"), find("a part of the error or of the task", query.q, { "aria-label": null })),
        h("label", {}, h("span", {}, "Queue"), h("select", { value: query.queue ?? "", onchange: (event) => ask({ queue: event.target.value }) }, ["", ...[...live.queues.keys()].sort()].map((name) => h("option", { key: name || "all", value: name, selected: name === (query.queue ?? "") }, name || "all")))),
      ),
      found.length ? h("ul.plain.cards", { key: "kinds" }, found.map(kind)) : empty(query.q ? "No failure reads so." : "No job has failed, or none is kept."),
    ];
  },
};

function kind(each) {
  const { queue, fingerprint, task, type, message, frame, sample, count: all, failed, first_at, last_at, trend } = each;
  return h("li.card", { key: `${queue} ${fingerprint}`, "data-row": true },
    h("div.kind", {},
      h("strong.number", { title: `${plural(failed, "job is", "jobs are")} failed now, of ${number(all)} that failed so` }, number(failed)),
      h("div", {},
        h("p", {}, link(at("queues", queue ?? "", "jobs", { state: "failed", q: `fingerprint:${fingerprint}` }), h("b", {}, type ?? "an error")), " ", h("span.error", {}, message ?? "")),
        note("task ", h("b", {}, task ?? "–"), " in ", queueLink(queue), frame ? [", at ", h("code", {}, frame)] : null),
        note("last ", when(last_at), ", first ", when(first_at), `, ${number(all)} in all`, sample ? [", ", jobLink(queue, sample, "look at one")] : null)),
      h("div.trend", {}, spark(list(trend), "bad", "failures of the last 24 hours"), small("24 hours")),
      h("div.row.end", {}, amount(failed) > 0 ? BULK(queue, `state:failed fingerprint:${fingerprint}`, "failed", null, "5").map((action) => button(action)) : null)),
  );
}
