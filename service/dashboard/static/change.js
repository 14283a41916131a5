// What may be done to one job, in which of its states; each with its twins for a terminal.

import { act, command, REASON, theJob } from "./action.js";
import { parse, write } from "./exact.js";
import { at, ENDED, go, OPEN, PRIORITIES, UNDONE, YET } from "./parts.js";

const of = (job, word, more) => act(theJob(job), word, { scope: "write", ...more });
const guarded = (job) => () => ({ "If-Match": `"${job.version}"` });

/** JSON that a person wrote goes as it is written; before, it is read. */
const readable = ({ payload }) => void parse(payload);

const retry = (job) => of(job, "retry", {
  text: "Retry", states: UNDONE, title: "Retry this job",
  done: "It waits again.",
});

const retryWith = (job) => of(job, "retry", {
  text: "Retry with another payload", states: UNDONE, title: "Retry a copy with another payload", sure: "Retry the copy",
  note: "This job stays as it ended; the copy says where it came from.",
  fields: [{ name: "payload", label: "Payload", kind: "json", value: write(job.payload, "  "), rows: 14 }],
  check: readable,
  body: ({ payload }) => `{"payload": ${payload}}`,
  done: (made) => (go(at("queues", made.queue, "jobs", made.id)), "The copy waits."),
});

const cancel = (job) => of(job, "cancel", {
  text: "Cancel", states: OPEN, isDangerous: true, title: "Cancel this job", sure: "Cancel it",
  note: "Its record stays and says so. Where its handler runs, it is told to end.",
  fields: [REASON],
  done: ({ state }) => (state === "active" ? "Its handler is told to end." : "It is cancelled."),
});

const promote = (job) => of(job, "promote", {
  text: "Run now", states: ["delayed"], title: "Run this job now", headers: guarded(job),
  done: "It waits for a worker now.",
});

const reschedule = (job) => of(job, "reschedule", {
  text: "Reschedule", states: YET, title: "Give this job another time", headers: guarded(job),
  fields: [{ name: "when", label: "Due", required: true, hint: "from now, such as 10m; or a time as 2030-01-31T09:00:00Z" }],
  body: ({ when }) => write(/T/.test(when) ? { at: when } : { delay: when }),
  cli: ({ when }) => command("job", "reschedule", job.queue, job.id, { [/T/.test(when) ? "at" : "delay"]: when }),
  done: "It has another time.",
});

const edit = (job) => of(job, "edit", {
  method: "PATCH", text: "Edit", states: YET, title: "Change this job", headers: guarded(job),
  note: `Only as version ${job.version}: if somebody else changed it meanwhile, nothing happens.`,
  fields: [
    { name: "payload", label: "Payload", kind: "json", value: write(job.payload, "  "), rows: 14 },
    { name: "priority", label: "Priority", options: PRIORITIES },
  ],
  check: readable,
  body: ({ payload, priority }) => `{"payload": ${payload}${priority ? `, "priority": ${write(priority)}` : ""}}`,
  cli: ({ payload }) => command("job", "edit", job.queue, job.id, { payload, version: String(job.version) }),
  done: "It is changed.",
});

const remove = (job) => of(job, "rm", {
  method: "DELETE", text: "Delete", states: ENDED, isDangerous: true, title: "Delete the record of this job", sure: "Delete it",
  note: "What is deleted is gone.",
  done: () => (go(at("queues", job.queue, "jobs", { state: job.state })), "It is deleted."),
});

/** The acts that the state of a job allows. */
export const changes = (job) => [retry, retryWith, promote, edit, reschedule, cancel, remove].map((make) => make(job)).filter(({ states }) => states.includes(job.state));
