// What is done to many jobs at once: counted first, in the background, with its progress.

import { act, button, command, given, REASON, theOperation } from "./action.js";
import * as api from "./api.js";
import { typed, write } from "./exact.js";
import { page } from "./page.js";
import { amount, count, dict, ENDED, h, number, plural, UNDONE, YET } from "./parts.js";
import { begun } from "./steering.js";

/** The filter that a page of jobs means, in the language of filters. */
export function bulk({ state, q, group, task }) {
  const parts = [state ? `state:${state}` : "", task ? `task:"${task}"` : "", group ? `group:"${group}"` : "", q ? (state || task || group ? `(${q})` : q) : ""];
  return parts.filter(Boolean).join(" ");
}

export const bulkOf = (ids) => ids.map((id) => `id:"${id}"`).join(" or ");

const KINDS = [
  { action: "retry", text: "Retry", of: UNDONE, states: ["failed"] },
  { action: "cancel", text: "Cancel", of: YET, states: YET, isDangerous: true },
  { action: "promote", text: "Run now", of: ["delayed"], states: ["delayed"] },
  { action: "delete", text: "Delete", of: ENDED, states: ENDED, isDangerous: true },
];

/** The acts that fit a state, for all that a filter means. `size` is how many are ticked, null where all are. */
export const BULK = (queue, filter, state, size, canary) =>
  KINDS.filter(({ of }) => !state || of.includes(state)).map((kind) => many(queue, kind, filter, state, size, canary));

function many(queue, { action, text, states, isDangerous }, filter, state, size, first) {
  const q = filter || states.map((each) => `state:${each}`).join(" or ");
  const path = `${api.queueAt(queue)}/jobs/bulk`;
  return {
    text: size ? `${text} ${number(size)} ticked` : `${text} all …`, isDangerous, path,
    title: `${text} ${state ?? states.join(", ")} jobs of ${queue}`, sure: text,
    prepare: async (values) => void (values.found = await api.send("POST", path, write({ action, q, dry_run: true }))),
    note: ({ found }) => ["This is for ", found ? `${found.exact ? "" : "at least "}${plural(found.count, "job")}` : "… jobs, being counted,", " that fit: ", h("code", {}, q)],
    fields: [
      ...(action === "retry" ? [{ name: "canary", label: "First try so many, and go on if none fails", kind: "number", value: first, hint: "empty for all at once" }] : []),
      ...(action === "cancel" ? [REASON] : []),
      { name: "rate", label: "At most", hint: "such as 50/s; empty for as quickly as it goes" },
    ],
    body: ({ rate, canary, reason }, found) => write(given({ action, q, rate, canary: typed(canary ?? ""), reason, confirm: found?.confirm })),
    cli: ({ rate, canary, reason }) => command("job", action === "delete" ? "rm" : action, queue, { q, all: true, rate, canary, reason }),
    done: begun,
  };
}

/** An operation that runs: how far it is, and the way to end it. */
export function progress(operation) {
  const { id, kind, queue, state, done, total, skipped, filter, looked } = dict(operation);
  return h("div.row.progress", { key: `operation ${id}`, role: "status" },
    h("strong", {}, `${kind} in ${queue}`),
    h("progress", { max: count(total) || 1, value: count(filter ? looked : done), "aria-label": `${kind} in ${queue}` }),
    h("span", {}, filter ? `${number(done)} done, ${number(looked)} of ${number(total)} looked at` : `${number(done)} of ${number(total)}`, count(skipped) ? `, ${number(skipped)} skipped` : "", state === "running" ? "" : `, ${state}`),
    state === "running" ? button(ended(id, kind), { class: "small" }) : null,
  );
}

const ended = (id, kind) => act(theOperation(id), "cancel", {
  text: "End it", title: `End the ${kind}`, note: "What it has done stays done.",
  done: ({ done }) => `It has ended, after ${plural(amount(done), "job")}.`,
});
