// Slow jobs: what runs longest now, and what ran longest in the last hour.

import { at, badge, column, dicts, figure, finder, fits, jobLink, link, listing, plural, queueColumn, quiet, took, when } from "./parts.js";

export const slow = {
  title: () => "Slow jobs",
  asks: () => ({ found: { path: "slow?limit=25", every: 3, isPage: true } }),
  head: ({ data: { found: { complete, looked_at: looked } } }) => (complete === false ? quiet(`of the last hour only the latest ${plural(looked, "record was", "records were")} looked at`) : null),
  body({ data: { found: { running, finished } }, query }) {
    const shown = (found) => dicts(found).filter(({ job, task, queue }) => fits(query, job, task, queue));
    return [
      finder("Find a task or a queue", query),
      rows("They run now", shown(running), "Nothing runs."),
      rows("They ended in the last hour", shown(finished), "Nothing has ended, or nothing is kept.", true),
    ];
  },
};

function rows(name, found, none, isEnded) {
  return listing(name, {
    items: found, key: ({ queue, job }) => `${queue} ${job}`, none,
    columns: [
      column("job", ({ queue, job }) => jobLink(queue, job)), column("task"), queueColumn,
      isEnded ? column("state", ({ state }) => badge(state)) : column("worker", ({ worker }) => (worker ? link(at("workers", worker), worker) : null)),
      figure(isEnded ? "ran" : "runs for", ({ seconds }) => took(seconds)), figure("started", ({ started_at: time }) => when(time)),
    ],
  });
}
