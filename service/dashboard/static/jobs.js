// The latest jobs of one queue in one state. The choice is in the address, so a view can be kept and shared.

import * as api from "./api.js";
import { find, h } from "./dom.js";
import { json, since } from "./format.js";
import { said } from "./shown.js";
import { icon, STATES } from "./states.js";

const LIMIT = 25;
const PAUSE = 1500; // at most one look in this many milliseconds, however fast the counts change

let chosen = fromAddress();
let timer = 0;
let looking = false;
const unfolded = new Set();

function fromAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const state = given.get("state");
  return { queue: given.get("queue") ?? "", state: STATES.includes(state) ? state : "completed" };
}

export function choose(queue, state) {
  chosen = { queue, state };
  history.replaceState(null, "", `#${new URLSearchParams(chosen)}`);
  unfolded.clear();
  showFilters();
  look();
}

/** Offer these queues; the first is chosen when none is. */
export function offer(names) {
  const select = find("job-queue");
  if (select.dataset.names !== names.join("\n")) {
    select.dataset.names = names.join("\n");
    select.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
  }
  if (!names.includes(chosen.queue) && names.length) choose(preferred(names), chosen.state);
  select.value = chosen.queue;
}

const preferred = (names) => names.find((name) => name === "send-sms-queue") ?? names[0];

/** The counts of a queue changed: look again, soon. */
export function changed(queue) {
  if (queue === chosen.queue && !timer) timer = setTimeout(look, PAUSE);
}

async function look() {
  clearTimeout(timer);
  timer = 0;
  if (looking || !chosen.queue) return;
  looking = true;
  const { queue, state } = chosen;
  try {
    const page = await api.jobsOf(queue, state, LIMIT);
    if (chosen.queue === queue && chosen.state === state) show(page.data, page.page?.next);
  } catch (error) {
    find("jobs").replaceChildren(h("p", { class: "empty warn" }, error.message));
  } finally {
    looking = false;
    if (chosen.queue !== queue || chosen.state !== state) look();
  }
}

function show(jobs, more) {
  const place = find("jobs");
  if (!jobs.length) {
    place.replaceChildren(h("p", { class: "empty" }, `No ${chosen.state} job in this queue.`));
    return;
  }
  const note = more ? h("p", { class: "quiet" }, `The first ${jobs.length}; there are more.`) : null;
  place.replaceChildren(h("ul", { class: "plain" }, jobs.map(rowOrName)), ...(note ? [note] : []));
}

/** A job that cannot be shown, whatever it holds, hides no other. */
function rowOrName(job) {
  try {
    return row(job);
  } catch (error) {
    return h("li", { "data-state": job.state }, h("p", { class: "error" }, `${job.id} cannot be shown: ${error.message}`));
  }
}

function row(job) {
  const fold = h("details", { open: unfolded.has(job.id) }, head(job), body(job));
  fold.addEventListener("toggle", () => (fold.open ? unfolded.add(job.id) : unfolded.delete(job.id)));
  return h("li", { "data-state": job.state }, fold);
}

function head(job) {
  const at = job.finished_at ?? job.started_at ?? job.due_at ?? job.created_at;
  const payload = job.payload && typeof job.payload === "object" ? job.payload : {};
  const workspace = payload.workspace_id ?? payload.workspaceId;
  return h(
    "summary",
    {},
    icon(job.state),
    h("span", { class: "who" }, payload.to ?? job.task),
    workspace === undefined ? null : h("span", { class: "tag", title: "workspace id" }, workspace),
    h("span", { class: "text" }, payload.message ?? ""),
    h("time", { title: at }, since(at)),
    job.error ? h("span", { class: "error" }, fault(job.error)) : null,
  );
}

function body(job) {
  const attempts = job.attempts ? `${job.attempt} of ${job.attempts}` : job.attempt;
  const facts = { id: job.id, task: job.task, state: job.state, attempts, crashes: job.crashes || null, worker: job.worker };
  const times = { created: job.created_at, due: job.due_at, started: job.started_at, finished: job.finished_at };
  return h(
    "div",
    { class: "detail" },
    h("dl", {}, pairs(facts), pairs(times)),
    block("Payload", json(job.payload)),
    job.result === null || job.result === undefined ? null : block("Result", json(job.result)),
    attemptsOf(job),
    job.error?.traceback ? block("Trace back", job.error.traceback) : null,
    actions(job),
  );
}

const fault = (error) => `${said(error.type)}: ${said(error.message)}`;

const pairs = (values) =>
  Object.entries(values)
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);

const block = (title, text) => [h("h3", {}, title), h("pre", { tabindex: 0 }, text)];

function attemptsOf(job) {
  if (!Array.isArray(job.history) || !job.history.length) return null;
  const told = job.history.map((past) =>
    h("li", {}, h("time", { title: past.finished_at }, since(past.finished_at)), ` ${fault(past)}`),
  );
  return [h("h3", {}, "What went wrong"), h("ol", { class: "past" }, told)];
}

const ENDED = ["completed", "failed", "cancelled", "expired"];

/* What may be done to a job in these states. What cannot be undone is asked for twice. */
const ACTIONS = [
  { text: "Try again", act: api.retry, states: ENDED.slice(1) },
  { text: "Run now", act: api.promote, states: ["delayed"] },
  { text: "Cancel", sure: "Cancel it, really", act: api.cancel, states: ["waiting", "delayed", "held", "active"] },
  { text: "Delete", sure: "Delete it, really", act: api.remove, states: ENDED },
];

const actions = (job) =>
  h("p", { class: "actions" }, ACTIONS.filter(({ states }) => states.includes(job.state)).map((action) => button(job, action)));

function button(job, { text, sure, act }) {
  const button = h("button", { type: "button" }, text);
  let asked = !sure;
  button.addEventListener("click", async () => {
    if (!asked) {
      asked = true;
      button.textContent = sure;
      return;
    }
    button.disabled = true;
    try {
      await act(job.queue, job.id);
      look();
    } catch (error) {
      button.disabled = false;
      button.after(h("p", { class: "error" }, error.message));
    }
  });
  return button;
}

function showFilters() {
  find("job-queue").value = chosen.queue;
  const buttons = STATES.map((state) =>
    h(
      "button",
      { type: "button", "data-state": state, "aria-pressed": String(state === chosen.state), onclick: () => choose(chosen.queue, state) },
      icon(state),
      state,
    ),
  );
  find("job-states").replaceChildren(...buttons);
}

find("job-queue").addEventListener("change", (event) => choose(event.target.value, chosen.state));
addEventListener("hashchange", () => {
  chosen = fromAddress();
  showFilters();
  look();
});
showFilters();
