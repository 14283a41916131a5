// What is done to many jobs at once: all that a filter means, counted first, in the background with its progress.

import { button, command, given } from "./action.js";
import * as api from "./api.js";
import { write } from "./exact.js";
import { amount, count, dict, list, number, plural } from "./format.js";
import { h } from "./render.js";
import { ENDED, UNDONE, YET } from "./states.js";
import { begun } from "./steering.js";

const COUNTED = 10_000; // jobs that are counted one by one; of more it is said that there are more
const PAGE = 200;

/** The filter that a page of jobs means, in the language of filters. */
export function bulk({ state, q, group, task }) {
  const parts = [state ? `state:${state}` : "", task ? `task:"${task}"` : "", group ? `group:"${group}"` : "", q ? (state || task || group ? `(${q})` : q) : ""];
  return parts.filter(Boolean).join(" ");
}

export const bulkOf = (ids) => ids.map((id) => `id:"${id}"`).join(" or ");

const KINDS = [
  { action: "retry", text: "Retry", of: UNDONE, whole: "failed" },
  { action: "cancel", text: "Cancel", of: YET, whole: "waiting, delayed and held", isDangerous: true },
  { action: "promote", text: "Run now", of: ["delayed"], whole: "delayed" },
  { action: "delete", text: "Delete", of: ENDED, whole: "ended", isDangerous: true },
];
const STATES_OF = { retry: ["failed"], cancel: YET, promote: ["delayed"], delete: ENDED };

/** The acts that fit a state. `size` is how many are ticked, null where all that the filter means are. */
export const BULK = (queue, filter, state, size, counts) =>
  KINDS.filter(({ of }) => !state || of.includes(state)).map((kind) => act(queue, kind, filter, state, size, counts));

function act(queue, { action, text, whole, isDangerous }, filter, state, size, counts) {
  const q = filter || STATES_OF[action].map((each) => `state:${each}`).join(" or ");
  const isAll = !size && (!filter || filter === `state:${state}`);
  const known = size ?? (isAll && counts ? STATES_OF[action].includes(state) || !state ? (state ? [state] : STATES_OF[action]).reduce((sum, each) => sum + count(counts[each]), 0) : count(counts[state]) : null);
  return {
    text: size ? `${text} ${number(size)} ticked` : `${text} all …`, isDangerous, path: `${api.queueAt(queue)}/jobs/bulk`,
    title: `${text} ${state ?? whole} jobs of ${queue}`, sure: text,
    prepare: known === null ? (values, again) => counted(queue, q, STATES_OF[action], Boolean(state), values, again) : null,
    note: (values) => [`This is for ${known === null ? (values.counted ?? "… jobs, being counted") : plural(known, "job")} that fit: `, h("code", {}, q)],
    fields: [
      ...(action === "retry" ? [{ name: "canary", label: "First try so many, and go on if none fails", kind: "number", hint: "empty for all at once" }] : []),
      ...(action === "cancel" ? [{ name: "reason", label: "Reason" }] : []),
      { name: "rate", label: "At most", hint: "such as 50/s; empty for as quickly as it goes" },
    ],
    body: (values) => write(body(action, q, values)),
    cli: ({ rate }) => command("job", action === "delete" ? "rm" : action, queue, { q, all: true, rate }),
    done: begun,
  };
}

function body(action, q, { rate, canary, reason }) {
  return given({ action, q, rate, canary: canary && Number(canary), reason });
}

/** Count what a filter means, page by page, while the dialog is open. */
async function counted(queue, q, states, isOne, values, again) {
  let [found, cursor] = [0, ""];
  try {
    do {
      const page = await api.get(`${api.queueAt(queue)}/jobs?${api.query({ q, limit: PAGE, cursor })}`);
      found += list(page.data).filter(({ state }) => isOne || states.includes(state)).length;
      cursor = dict(page.page).next;
      values.counted = cursor ? `at least ${plural(found, "job")}` : plural(found, "job");
      again();
    } while (cursor && found < COUNTED);
  } catch (error) {
    values.counted = `jobs that cannot be counted (${error.message})`;
    again();
  }
}

/** An operation that runs: how far it is, and the way to end it. */
export function progress(operation) {
  const { id, kind, queue, state, done, total, skipped, filter, looked } = dict(operation);
  return h("div", { class: "row progress", key: `operation ${id}`, role: "status" },
    h("strong", {}, `${kind} in ${queue}`),
    h("progress", { max: count(total) || 1, value: count(filter ? looked : done), "aria-label": `${kind} in ${queue}` }),
    h("span", {}, filter ? `${number(done)} done, ${number(looked)} of ${number(total)} looked at` : `${number(done)} of ${number(total)}`, count(skipped) ? `, ${number(skipped)} skipped` : "", state === "running" ? "" : `, ${state}`),
    state === "running" ? button(ended(id, kind), { class: "small" }) : null,
  );
}

const ended = (id, kind) => ({
  text: "End it", path: `operations/${encodeURIComponent(id)}/cancel`, title: `End the ${kind}`,
  note: "What it has done stays done.",
  cli: () => command("operation", "cancel", id),
  done: ({ done }) => `It has ended, after ${plural(amount(done), "job")}.`,
});
