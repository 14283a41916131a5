// The jobs of a queue: a state, a filter, columns, pages, acts on all that are meant.

import { asked, queueAt } from "./api.js";
import { button, field } from "./action.js";
import { BULK, bulk, bulkOf, progress } from "./bulk.js";
import { alert, at, badge, column, count, dict, figure, framed, h, icon, items, jobLink, later, number, once, phrase, plural, quiet, small, STATES, table, took, toQueue, when, wrong } from "./parts.js";
import { parts } from "./queue.js";
import { said } from "./shown.js";

const LIMIT = 50;
const PAYLOAD = ["to", "subject", "message", "message_text", "workspace_id"]; // members that tell most of a message

export const jobs = {
  title: ({ at }) => `Jobs of ${at.queue}`,
  asks: ({ at: { queue }, query: { state, q, group, task, cursor } }) => ({
    jobs: { path: `${queueAt(queue)}/jobs?${asked({ state, q, group, task, cursor, limit: LIMIT })}`, every: 10, queue, isShown: true, isPlace: true },
    operations: { path: "operations", every: 2, queue },
  }),
  way: ({ at: { queue } }) => toQueue(queue),
  body(page) {
    const { at: { queue }, data, failed, query } = page;
    const operations = items(data.operations).filter((each) => each.queue === queue && each.state === "running");
    return [
      parts(queue, "jobs"),
      h("div.states.row", { role: "group", "aria-label": "State", key: "states" }, [undefined, ...STATES].map((state) => stateLink(page, state))),
      filters(query, failed.jobs),
      operations.map(progress),
      acts(page),
      failed.jobs && !data.jobs ? null : once(data.jobs, (found) => framed(rows(page, found))),
      data.jobs || failed.jobs ? pager(page) : null,
    ];
  },
};

function stateLink({ at: { queue }, query, live }, state) {
  const counts = live.queues.get(queue);
  const { cursor, ...kept } = query;
  const isPresent = query.state === state;
  return h("a", { key: state ?? "all", href: at("queues", queue, "jobs", { ...kept, state }), "data-state": state ?? "", "aria-current": isPresent ? "true" : null },
    state ? icon(state) : null, state ?? "all", state && counts ? h("b", {}, number(count(counts[state]))) : null,
  );
}

function filters(query, problem) {
  const change = (name) => later(name, { cursor: "" });
  return h("div.filters", { key: "filters" },
    h("label", {}, h("span", {}, "Filter"),
      h("input", { type: "search", name: "q", "data-search": true, placeholder: 'error:"timed out" age>1h payload.to:+1555* task:send-*', value: query.q ?? "", oninput: change("q"), "aria-invalid": problem ? "true" : null }),
      problem ? alert(wrong(problem)) : null),
    field({ name: "group", label: "Group", value: query.group }, change("group")),
    field({ name: "columns", label: "Columns of the payload", value: query.columns, placeholder: "to, workspace_id" }, change("columns")),
  );
}

/** What may be done to the ticked jobs, or else to all that the filter means. */
function acts(page) {
  const { at: { queue }, query, local, failed: { jobs: problem } } = page;
  const ticked = [...(local.ticked ?? [])];
  const meant = ticked.length ? bulkOf(ticked) : bulk(query);
  const size = ticked.length || null;
  return h("div.row", { key: "acts" },
    BULK(queue, meant, query.state, size).map((action) => button(action, { disabled: Boolean(problem), title: problem?.message })),
    ticked.length ? h("button", { onclick: () => page.set({ ticked: new Set() }) }, `Untick ${number(ticked.length)}`) : null,
  );
}

function rows(page, found) {
  const { at: { queue }, query, local } = page;
  const ticked = local.ticked ?? new Set();
  const tick = (id) => (event) => {
    const next = new Set(local.ticked);
    if (event.target.checked) next.add(id);
    else next.delete(id);
    page.set({ ticked: next });
  };
  const columns = (query.columns ?? "").split(",").map((each) => each.trim()).filter(Boolean);
  return table({
    name: "Jobs", items: found, key: ({ id }) => id, none: query.q || query.group ? "No such job on this page of the search." : `No ${query.state ?? ""} job in this queue.`,
    row: ({ state }) => ({ "data-state": state }),
    columns: [
      ...(page.may("admin") ? [column("", ({ id }) => h("input", { type: "checkbox", "aria-label": `tick ${id}`, checked: ticked.has(id), onchange: tick(id) }), "tick")] : []),
      column("job", ({ id, task }) => [jobLink(queue, id), small(task)]),
      column("state", ({ state }) => badge(state)),
      ...(columns.length ? columns.map((name) => column(name, ({ payload }) => h("span.text", {}, member(payload, name)))) : [column("payload", (job) => h("span.text", {}, summary(job.payload)))]),
      ...(found.some(({ error }) => error) ? [column("what went wrong", ({ error }) => (error ? h("span.error.text", {}, fault(error)) : null))] : []),
      ...(found.some(({ group }) => group) ? [column("group", ({ group }) => (group ? h("span.tag", { title: group }, group) : null))] : []),
      figure("attempts", ({ attempt, attempts }) => (attempts ? `${number(attempt)} of ${number(attempts)}` : number(attempt))),
      figure("ran", ran),
      figure("when", (job) => when(job.finished_at ?? job.started_at ?? job.due_at ?? job.created_at)),
    ],
  });
}

function ran({ started_at, finished_at }) {
  const seconds = (Date.parse(finished_at) - Date.parse(started_at)) / 1000;
  return Number.isNaN(seconds) ? "" : took(Math.max(0, seconds));
}

/** A member of a payload by its path, as the language of filters writes it: metadata.campaign */
function member(payload, path) {
  const found = path.split(".").reduce((value, name) => (Object.hasOwn(dict(value), name) ? value[name] : undefined), payload);
  return found === undefined ? "–" : found;
}

const summary = (payload) => {
  const parts = PAYLOAD.filter((name) => Object.hasOwn(dict(payload), name)).map((name) => said(payload[name]));
  return (parts.length ? parts.join(" · ") : said(payload)).slice(0, 200);
};

export const fault = (error) => phrase(["type", "message"].map((name) => said(dict(error)[name] ?? "")), ": ");

function pager({ at: { queue }, data, query }) {
  const { next, looked } = dict(dict(data.jobs).page);
  const isFirst = !query.cursor;
  return h("nav.row.pager", { "aria-label": "Pages of jobs", key: "pager" },
    isFirst ? null : h("a.button", { href: at("queues", queue, "jobs", { ...query, cursor: "" }) }, "To the first page"),
    next ? h("a.button", { href: at("queues", queue, "jobs", { ...query, cursor: next }) }, "Next page") : null,
    data.jobs ? quiet(phrase([looked === undefined ? "" : `${plural(looked, "job was", "jobs were")} looked at for this page`, next ? "there are more" : "this is the end"])) : null,
  );
}
