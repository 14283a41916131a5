// Slow jobs: what runs longest now, and what ran longest in the last hour.

import { dict, list, number, took } from "./format.js";
import { card, column, figure, finder, fits, head, jobLink, link, queueLink, quiet, table, waiting, when } from "./parts.js";
import { at } from "./route.js";
import { badge } from "./states.js";

export const slow = {
  title: () => "Slow jobs",
  asks: () => ({ found: { path: "slow?limit=25", every: 3 } }),
  body({ data, query }) {
    const { running, finished, looked_at: looked, complete } = dict(data.found);
    const shown = (found) => list(found).map(dict).filter(({ job, task, queue }) => fits(query, job, task, queue));
    return [
      head("Slow jobs", complete === false ? quiet(`of the last hour only the latest ${number(looked)} records were looked at`) : null),
      finder("Find a task or a queue", query),
      ...(data.found ? [rows("They run now", shown(running), "Nothing runs."), rows("They ended in the last hour", shown(finished), "Nothing has ended, or nothing is kept.", true)] : [waiting()]),
    ];
  },
};

function rows(name, found, none, isEnded) {
  return card(name, table({
    name, items: found, key: ({ queue, job }) => `${queue} ${job}`, none,
    columns: [
      column("job", ({ queue, job }) => jobLink(queue, job)), column("task", ({ task }) => task), column("queue", ({ queue }) => queueLink(queue)),
      isEnded ? column("state", ({ state }) => badge(state)) : column("worker", ({ worker }) => (worker ? link(at("workers", worker), worker) : null)),
      figure(isEnded ? "ran" : "runs for", ({ seconds }) => took(seconds)), figure("started", ({ started_at: time }) => when(time)),
    ],
  }));
}
