// One job: what it is, what became of it, why it does not run, and what may be done to it.

import { button, command, copied, curl, twin } from "./action.js";
import { jobAt } from "./api.js";
import { changes } from "./change.js";
import { deliveryCard } from "./deliveries.js";
import { write } from "./exact.js";
import { fault } from "./jobs.js";
import { page } from "./page.js";
import { timeline } from "./attempts.js";
import { amount, at, badge, card, clock, dict, dicts, empty, ENDED, facts, h, jobLink, link, list, note, number, once, percent, phrase, plural, queueLink, quiet, since, toQueue, when, YET } from "./parts.js";

/** Whether a message may have left: only then something is known of its delivery. */
export const isSent = (queue, job) => dict(job).attempt > 0 && page.channels.some(({ name, queues }) => name !== "ai" && list(queues).includes(queue));

export const job = {
  title: ({ at, data }) => dict(data.job).task ?? `Job ${at.id}`,
  asks({ at: { queue, id }, data }) {
    const path = jobAt(queue, id);
    const isOpen = data.job && !ENDED.includes(data.job.state);
    const every = data.job && !isOpen ? 15 : 2;
    return {
      job: { path, every, queue, isShown: true, isPage: true },
      logs: { path: `${path}/logs`, every, queue, isShown: true },
      ...(isSent(queue, data.job) ? { delivery: { path: `${path}/delivery`, every: 3, queue, maybe: true } } : {}),
      ...(YET.includes(dict(data.job).state) ? { why: { path: `${path}/why`, every: 3, queue, maybe: true } } : {}),
    };
  },
  way: ({ at: { queue }, data: { job: { state } } }) => toQueue(queue, link(at("queues", queue, "jobs", { state }), `${state} jobs`)),
  head: ({ data: { job: found } }) => [badge(found.state), changes(found).map((action) => button(action))],
  body({ data, failed }) {
    const found = data.job;
    return [
      failed.job?.status === 404 ? h("p.error", { key: "gone" }, "The record of this job is not kept any more; this is what was known.") : null,
      data.why ? why(dict(data.why)) : null,
      found.error ? h("div.health", { "data-tone": found.state === "failed" ? "bad" : "warn", key: "error" }, h("p", {}, fault(found.error))) : null,
      progress(found.progress),
      h("div.columns", { key: "columns" }, h("div", {}, wholly(found, data)), h("div", {}, beside(found, data))),
    ];
  },
};

const why = ({ code, text, until, ahead, seconds }) =>
  h("div.health", { "data-tone": "warn", key: "why" },
    h("p", {}, h("strong", {}, "Why it does not run: "), text ?? "nobody can say", " ", quiet(phrase([code, ahead ? `about ${plural(ahead, "job is", "jobs are")} before it` : "", Number.isFinite(amount(seconds)) ? `starts in about ${Math.round(amount(seconds))} s` : "", until ? `until ${since(until)}` : ""]))),
  );

function progress(told) {
  if (!told) return null;
  const { value, note } = dict(told);
  return h("div.row.progress", { key: "progress" }, h("progress", { max: 1, value: amount(value) || 0, "aria-label": "How far it is" }), h("span", {}, Number.isFinite(amount(value)) ? percent(amount(value)) : "", " ", note ?? ""));
}

function wholly(found, data) {
  const history = dicts(found.history);
  const traceback = dict(found.error).traceback;
  return [
    card("Timeline", timeline(found) ?? empty(ENDED.includes(found.state) ? "It never began." : "It has not begun.")),
    card("Payload", block(found.payload)),
    found.result == null ? null : card("Result", block(found.result)),
    traceback ? card("Traceback", h("pre", { tabindex: 0 }, traceback)) : null,
    history.length ? card("What went wrong", h("ol.past", {}, history.map(attempt))) : null,
    card("Log", once(data.logs, () => logs(data.logs))),
  ];
}

const block = (value) => h("pre", { tabindex: 0 }, write(value, "  "));

const attempt = (past) =>
  h("li", {}, h("b", {}, `attempt ${past.attempt ?? "?"}`), " ", when(past.finished_at), " ", h("span.error", {}, fault(past)), past.traceback ? h("details", {}, h("summary", {}, "traceback"), h("pre", { tabindex: 0 }, past.traceback)) : null);

function logs({ data, written, dropped }) {
  if (!list(data).length) return empty("It has written nothing.");
  const lines = dicts(data).map((line) => h("li", { key: String(line.number), "data-level": line.level }, h("time", { title: line.at }, clock(line.at, true)), h("b", {}, line.level), h("span", {}, line.text)));
  return [h("ol.log", { tabindex: 0 }, lines), dropped ? note(`${plural(dropped, "line is", "lines are")} gone, the first of ${number(written)}.`) : null];
}

function beside(found, data) {
  const attempts = found.attempts ? `${number(found.attempt)} of ${number(found.attempts)}` : number(found.attempt);
  return [
    card("Facts", facts({
      id: h("code", {}, found.id), queue: queueLink(found.queue), task: found.task, priority: found.priority,
      group: found.group ? link(at("queues", found.queue, "groups", found.group), found.group) : null, key: found.key, attempts,
      crashes: amount(found.crashes) ? number(found.crashes) : null, version: number(found.version), "payload version": found.payload_version,
      created: when(found.created_at), due: when(found.due_at), started: when(found.started_at),
      finished: when(found.finished_at), expires: when(found.expires_at), worker: found.worker,
      schedule: found.schedule && !page.isNarrow ? link(at("schedules", found.schedule), found.schedule) : null,
      "copy of": found.clone_of ? jobLink(found.queue, found.clone_of) : null, "copied as": found.cloned_as ? jobLink(found.queue, found.cloned_as) : null,
    })),
    data.delivery ? deliveryCard(dict(data.delivery)) : null,
    card("In a terminal", changes(found).map(twin), reading(found)),
  ];
}

const reading = ({ queue, id }) => copied("Look", command("job", "get", queue, id), { curl: curl({ method: "GET", path: jobAt(queue, id) }) });
