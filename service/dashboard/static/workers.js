// Who is alive, and what they serve.

import { find, h } from "./dom.js";
import { number, since } from "./format.js";

export function showWorkers(workers) {
  const place = find("workers");
  if (!workers.length) {
    place.replaceChildren(h("p", { class: "empty warn" }, "No worker is running: jobs wait until one starts."));
    return;
  }
  place.replaceChildren(h("ul", { class: "plain" }, workers.map(row)));
}

function row(worker) {
  const queues = Array.isArray(worker.queues) ? worker.queues.join(", ") : "";
  return h(
    "li",
    {},
    h("strong", { title: worker.name }, `${worker.host} · ${worker.pid}`),
    h("span", {}, `${number(worker.concurrency)} slots, started ${since(worker.started_at)}`),
    h("span", { class: "quiet" }, queues),
  );
}
